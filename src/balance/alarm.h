/* What is to be done later: alarms in a heap, one timer for all. They are seen to in slices, as all work. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/attr.h"

struct balance;

/* Embedded; all zeros: not set. */
struct balance_alarm {
    uint64_t due_ms; /* clock_mono_ms */
    size_t place;    /* in the heap, plus 1; 0: not set */
    void (*fn)(struct balance *balance, struct balance_alarm *alarm);
};

struct alarms;
/* All alarms are cleared or gone. */
void alarms_close(struct alarms *alarms);
struct alarms *alarms_open(struct balance *balance, uv_loop_t *loop) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* At `due_ms` or soon after `fn` is called, once; UINT64_MAX: never. */
void alarm_set(struct alarms *alarms, struct balance_alarm *alarm, uint64_t due_ms,
               void (*fn)(struct balance *balance, struct balance_alarm *alarm)) ATTR_NONNULL_ALL;
void alarm_clear(struct alarms *alarms, struct balance_alarm *alarm) ATTR_NONNULL_ALL;
/* Sees to one that is due; false: none is. */
bool alarm_one(struct alarms *alarms) ATTR_NONNULL_ALL;
/* Lets a slice be posted when the next one is due. */
void alarms_arm(struct alarms *alarms) ATTR_NONNULL_ALL;
