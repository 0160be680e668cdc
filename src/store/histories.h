/* What the journal knew of zones when the process began, and of those that have left since: a zone that comes (back)
 * goes on from there. Histories of zones that are not configured stay as they are: to leave a zone out by mistake must
 * not cost its updates.
 *
 * And times of secondaries, so that none lives longer for a restart: when a zone was good last, as its primaries said
 * (RFC 1035 3.3.13), and when it expired. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/hash.h"
#include "store/history_record.h"
#include "store/journal.h"

struct histories;

void histories_free(struct histories *histories);
/* Reads all that there is in the journal; what is damaged is set aside, snapshots in `dir` with it. `key` hashes names,
 * and is borrowed. [before the loop runs] */
struct histories *histories_read(struct journal *journal, const char *dir, const struct hash_key *key,
                                 struct diag *diag) ATTR_FREED_BY(histories_free) ATTR_MUST_USE ATTR_NONNULL_ALL;

/* What is known of the zone; false: nothing. [control, or a job while control leaves them alone] */
bool histories_get(const struct histories *histories, const uint8_t *apex, struct history_zone *entry)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* [control] */
void histories_set(struct histories *histories, const uint8_t *apex, const struct history_zone *entry)
    ATTR_NONNULL_ALL;
size_t histories_cnt(const struct histories *histories) ATTR_NONNULL_ALL;

enum histories_time { HISTORIES_GOOD, HISTORIES_EXPIRED, HISTORIES_TIMES };
/* By wall clock, as it was written down; 0: it was not. [control] */
uint64_t histories_wall_ms(const struct histories *histories, enum histories_time time, const uint8_t *apex)
    ATTR_NONNULL_ALL;
/* Writes it down (0: takes it away), without waiting. [control] */
void histories_set_wall_ms(struct histories *histories, struct journal *journal, enum histories_time time,
                           const uint8_t *apex, uint64_t wall_ms) ATTR_NONNULL_ALL;
