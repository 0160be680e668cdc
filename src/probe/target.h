/* What is checked: a target's settings, immutable and counted, and the table in which the same settings are found
 * again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/paged.h"
#include "probe/pattern.h"
#include "probe/probe.h"

enum { TARGET_PATTERNS = 4 };

/* All of a target's identity is here: its check, and the timing, so that probes that differ in it alone each keep
 * theirs. One allocation. */
struct target {
    uint32_t refs; /* atomic: the table has one, the probe thread another */
    uint32_t detail_len;
    enum probe_type type;
    struct addr address;
    struct addr source; /* where its checks come from; ADDR_NONE: as the system likes */
    struct health_timing timing;
    struct pattern *patterns[TARGET_PATTERNS]; /* NULL: none; shared, so the same text is the same pointer */
    _Alignas(8) uint8_t detail[];              /* the kind's own: struct kind's pack */
};

/* [any] */
struct target *target_get(struct target *target) ATTR_NONNULL_ALL;
/* The last one frees. [any] */
void target_put(struct target *target);

/* The identity of a target's check, without its timing, in a form that outlives the process: the same on all machines
 * that have the same configuration and version. [any] */
enum { TARGET_DIGEST_LEN = 16 };
void target_digest(uint8_t digest[TARGET_DIGEST_LEN], const struct target *target) ATTR_NONNULL_ALL;

/* Targets by slot: 0, 1, …; a slot is given again once it is free. [control] */
struct target_table {
    struct paged seats;  /* struct target_seat, by slot */
    struct map by_check; /* seats, by the hash of what their checks are */
    uint32_t seat_cnt, used_cnt;
    uint32_t free_seat; /* slot + 1 */
    struct hash_key key;
    struct pattern_set patterns;
};

void target_table_fini(struct target_table *table) ATTR_NONNULL_ALL;
void target_table_init(struct target_table *table) ATTR_NONNULL_ALL;
/* The slot of the target with this spec, counted once more; `is_new`: it had none. */
uint32_t target_table_add(struct target_table *table, const struct probe_spec *spec, bool *is_new) ATTR_NONNULL_ALL;
/* Another target with the same check, but other timing; of several any. False: there is none. */
bool target_table_find_like(const struct target_table *table, uint32_t slot, uint32_t *like) ATTR_NONNULL_ALL;
/* Counts one less; true: that was the last, and the slot is free. */
bool target_table_drop(struct target_table *table, uint32_t slot) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Borrowed; NULL when the slot is free. */
struct target *target_table_at(const struct target_table *table, uint32_t slot) ATTR_NONNULL_ALL;
