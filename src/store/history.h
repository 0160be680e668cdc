/* Zones' histories: what the journal keeps of each zone's changes, so that a zone comes back after a restart just as it
 * was and its changes can still be sent (IXFR, RFC 1995). A history is a snapshot file (store/snapshot.h), the
 * changesets behind it and some before it, and an entry that says what there is. Every changeset has a sequence number,
 * one more than the one before it; serials may wrap or be set back, numbers are not.
 *
 * The rules that make it hold whenever the process ends:
 *   - a changeset is acknowledged once its batch is durable, and a failed batch has changed nothing;
 *   - a snapshot is written of a version whose changeset is durable, and says itself up to which number it holds; only
 *     when it is durable does the entry's checkpoint move, and only what is up to the checkpoint is dropped. A crash
 *     between the two leaves a snapshot that is newer than its entry says, which is as good.
 *
 * Functions that fill a batch are of who holds it, any thread (what is large should be a job); they change the entry
 * that they are given, of which the caller keeps a copy, for when the batch fails. Functions that read are [job], also
 * while the journal writes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/history_record.h"
#include "store/journal.h"
#include "store/lmdb.h"
#include "zone/changeset.h"
#include "zone/version.h"

enum { HISTORY_WHY_MAX = 768 };

/* ---- what is put into a batch */

/* The entry as it is: after a change of what is known of the source, or of flags. */
void history_put(struct journal_batch *batch, const uint8_t *apex, const struct history_zone *zone) ATTR_NONNULL_ALL;
/* The next changeset, which leads on from zone->serial and gets the number zone->seq + 1. */
void history_append(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone,
                    const struct changeset *changes, uint64_t now_wall_ms) ATTR_NONNULL_ALL;
/* A snapshot of the version with this serial, after changeset `seq` (not before zone->checkpoint_seq, not behind
 * zone->seq), is durable. */
void history_checkpoint(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint32_t serial,
                        uint64_t seq) ATTR_NONNULL_ALL;
/* The zone was replaced as a whole, or is new: a snapshot with this serial is durable that was written with the number
 * zone->seq + 1, which no changeset gets. All changesets are dropped. When this batch fails, the snapshot is none of
 * the history that goes on: nothing may be appended before a snapshot of what is served was put in place the same
 * way. */
void history_replace(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint32_t serial,
                     uint64_t now_wall_ms) ATTR_NONNULL_ALL;
/* Drops changesets up to `seq`, and none behind the checkpoint. */
void history_drop(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint64_t seq)
    ATTR_NONNULL_ALL;
/* The entry and all changesets go; snapshot_remove is the caller's to call. */
void history_forget(struct journal_batch *batch, const uint8_t *apex) ATTR_NONNULL_ALL;
/* What is damaged: its snapshot is renamed to *name (to be freed; NULL: there is none), then it is forgotten. ERR_IO
 * with a sentence in `why`: it could not be renamed, nothing was put into the batch. [job] */
enum err history_set_aside(struct journal_batch *batch, char **name, const char *dir, const uint8_t *apex,
                           char why[HISTORY_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* ---- what is read; errors with a sentence in `why` */

/* Every zone's entry, in order of bytes of names; `apex` and `zone` are valid during the call. `zone` NULL: the entry
 * is damaged, so the zone's history is to be set aside. *bad_cnt: entries of which not even the name is one. ERR_IO. */
typedef void history_each_fn(void *arg, const uint8_t *apex, const struct history_zone *zone);
enum err history_each(struct lmdb *lmdb, history_each_fn *fn, void *arg, size_t *bad_cnt, char why[LMDB_WHY_MAX])
    ATTR_NONNULL(1, 2, 4, 5) ATTR_MUST_USE;

/* Changesets, the oldest first, each of which leads on from the one before it. */
struct history_list {
    struct changeset **changes;
    size_t cnt;
    size_t bytes; /* that they take in the journal */
};
/* Leaves an empty one. */
void history_list_fini(struct history_list *list) ATTR_NONNULL_ALL;
/* Those from number `from` up to `to` (from ≤ to), of which there is at least one, but no more when they take over
 * `most_bytes`. ERR_INVALID: one is missing or damaged; ERR_IO. */
enum err history_read(struct history_list *list, struct lmdb *lmdb, const uint8_t *apex, const struct hash_key *key,
                      uint64_t from, uint64_t to, size_t most_bytes, char why[HISTORY_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Those that lead from `serial` to the version after changeset `to`, which has another serial; where serials came
 * round, from the last time that the zone had it. ERR_NOT_FOUND: there are none that do; ERR_LIMIT: they take over
 * `most_bytes` (both: send the whole zone); ERR_INVALID: what there is is damaged; ERR_IO. */
enum err history_read_since(struct history_list *list, struct lmdb *lmdb, const uint8_t *apex,
                            const struct hash_key *key, uint32_t serial, uint64_t to, size_t most_bytes,
                            char why[HISTORY_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* How many there are from number `from` on, and the bytes that they take. ERR_IO. */
enum err history_measure(size_t *cnt, size_t *bytes, struct lmdb *lmdb, const uint8_t *apex, uint64_t from,
                         char why[HISTORY_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The serial that changeset `seq` leads on from; as it is, when that is not there. ERR_IO. */
enum err history_serial_before(uint32_t *serial, struct lmdb *lmdb, const uint8_t *apex, uint64_t seq,
                               char why[HISTORY_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* *first, the first of the changesets that together with all behind them, up to number `to`, take no more than
 * `most_bytes`; `to` + 1: even the last takes more. ERR_IO. */
enum err history_first_within(uint64_t *first, struct lmdb *lmdb, const uint8_t *apex, uint64_t to, size_t most_bytes,
                              char why[HISTORY_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The zone as it was: its snapshot and the changesets behind it, up to zone->seq. *version (the caller's; not
 * published) is the only one of `into`, with names marked as `marks` says (NULL: none is annotated); *seq the number of
 * the last changeset in it: zone->seq, or more when the snapshot is of a replacement that the entry does not know of
 * yet. ERR_INVALID: the history is damaged, it says where; ERR_IO: it could not be read. `into` has no version then.
 * [job, the builder of `into`] */
enum err history_restore(struct zone_version **version, uint64_t *seq, struct zone *into,
                         const struct history_zone *zone, struct lmdb *lmdb, const char *dir,
                         const struct zone_marks *marks, char why[HISTORY_WHY_MAX])
    ATTR_NONNULL(1, 2, 3, 4, 5, 6, 8) ATTR_MUST_USE;
