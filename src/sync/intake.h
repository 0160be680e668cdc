/* What an incoming transfer brings, kept: the records of a whole zone, or the changesets of an IXFR in their order.
 * Messages go in as they come (sync/stream_in.h judges them); what is kept stands within limits, as a primary may send
 * without end, and within the machine's memory. No I/O. One thread at a time: jobs, as it takes up to a millisecond a
 * message, and the end of a large zone some hundred. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "sync/stream_in.h"
#include "zone/changeset.h"
#include "zone/records.h"

/* More versions than that behind, a zone comes faster as a whole. Each takes some four kilobytes, however short. */
enum { INTAKE_CHANGES_MOST = 65536 };

struct intake {
    /* read by the caller */
    enum stream_in_state state;
    const char *why;              /* STREAM_IN_FAILED: a sentence; lives as long as this */
    struct stream_in in;          /* what the transfer was, and its counts */
    /* STREAM_IN_DONE, STREAM_IN_WHOLE: sorted, and zone_records_sound; STREAM_IN_CHANGES: in their order, each sorted.
     * Owned, unless the caller takes them. */
    struct zone_records *records;
    struct changeset **changes;
    size_t change_cnt;
    /* private */
    const struct hash_key *key;
    uint64_t max_zone_bytes;
    bool is_open;           /* the last changeset is not complete */
    size_t change_cap;
    size_t closed_bytes;    /* what the complete changesets take */
    size_t looked_bytes;    /* what everything took when there was last looked for more memory */
    char own_why[STREAM_IN_WHY_MAX];
};

/* It stays where it is. `asked` without limits and function: those are made here. `key` is borrowed, and outlives the
 * records; `max_zone_bytes` is what the zone's records may have, uncompressed (0: no limit), and changes twice that. */
void intake_init(struct intake *intake, const struct stream_in_asked *asked, const struct hash_key *key,
                 uint64_t max_zone_bytes) ATTR_NONNULL_ALL;
/* Frees what was not taken; takes long when that is much. */
void intake_fini(struct intake *intake) ATTR_NONNULL_ALL;

/* The next message, without its length; returns intake->state. After STREAM_IN_MORE only. With the last one everything
 * is sorted and judged. */
enum stream_in_state intake_feed(struct intake *intake, const uint8_t *msg, size_t len, uint64_t now_sec)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
