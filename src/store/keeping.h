/* What one change of a zone puts into the journal, so that the zone comes back as it was, and what changed can be sent
 * (store/history.h). A job that makes a version fills it; the control thread hands the batch in before the version is
 * served, and the zone's entry is the new one once the batch is durable (store/commit.h).
 *
 * A zone's history begins with its first change: a snapshot of what was served before, then the change. So zones that
 * never change cost nothing. [job] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "ldnsx/zonefile.h"
#include "store/history.h"
#include "zone/changeset.h"
#include "zone/version.h"

/* Where histories are; borrowed by every job. */
struct keeping_place {
    struct lmdb *lmdb; /* NULL: nothing can be kept */
    const char *dir;   /* of the snapshots */
};

struct keeping {
    const struct keeping_place *place;
    struct history_zone entry; /* as it is; then as it will be */
    /* The snapshot in place is none of this history, as a batch has failed (history_replace). */
    bool needs_snapshot;
    size_t most_bytes; /* of changes that are kept of one zone */
    /* The text that what is served is made of, for a history that begins; NULL: it is of no text. Borrowed. */
    const struct zonefile_sources *sources;
    uint32_t source_serial;
    /* out */
    struct journal_batch *batch; /* NULL: nothing is to be kept */
    size_t bytes;                /* of the changes that it adds */
    bool is_replaced;            /* the history begins anew: were the batch to fail, needs_snapshot would be true */
};

/* Frees a batch that was not handed in. */
void keeping_fini(struct keeping *keeping) ATTR_NONNULL_ALL;
/* `place` is borrowed. */
void keeping_init(struct keeping *keeping, const struct keeping_place *place, const struct history_zone *entry)
    ATTR_NONNULL_ALL;
/* False: no place, nothing is ever kept. */
bool keeping_is_possible(const struct keeping *keeping) ATTR_NONNULL_ALL;

/* `cnt` changesets lead from `base` to `version`, one to the next. What is too much for a journal is kept as a whole.
 * ERR_IO with a sentence in `why`: it can't be kept, and nothing was added to the batch. */
enum err keeping_changes(struct keeping *keeping, const struct zone_version *base, const struct zone_version *version,
                         struct changeset *const *changes, size_t cnt, char why[HISTORY_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* `version` is what the zone is from now on, whatever it was. */
enum err keeping_whole(struct keeping *keeping, const struct zone_version *version, char why[HISTORY_WHY_MAX])
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What the zone is after changeset `seq` is what this text says (but for its serial, perhaps). Nothing, here and for
 * flags, where the zone has no history, or none that fits. */
void keeping_source(struct keeping *keeping, const uint8_t *apex, const struct zonefile_sources *sources,
                    uint32_t serial, uint64_t seq) ATTR_NONNULL_ALL;
/* Whether the snapshot is one of this history: if not, it will be replaced before the next change. To be asked where
 * nothing is restored from it. Nothing, where the zone has no history. */
void keeping_look_at_snapshot(struct keeping *keeping, const uint8_t *apex) ATTR_NONNULL_ALL;
/* The text of the source is the one that the entry knows. */
bool keeping_knows(const struct keeping *keeping, const struct zonefile_sources *sources) ATTR_NONNULL_ALL;
/* The entry with these flags (enum history_flag), put into the batch if it has others. */
void keeping_set_flags(struct keeping *keeping, const uint8_t *apex, uint32_t flags) ATTR_NONNULL_ALL;
