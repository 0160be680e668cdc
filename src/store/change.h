/* Changes of zones that are no loads: what came by a transfer, what a command wants, what must be tidied up. Each is
 * made in a job from the zone's latest version, then committed (store/commit.h). A zone's changes, loads among them,
 * happen one after the other, in the order in which they were wanted; each sees what the one before it made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "loop/job.h"
#include "store/commit.h"
#include "store/keeping.h"
#include "store/serial_mode.h"
#include "zone/changeset.h"
#include "zone/marks.h"
#include "zone/version.h"

struct store;
struct store_change;
struct balance_marking;
struct balance_plan;

/* What a job has to make a change with. */
struct store_making {
    struct zone *zone;
    struct zone_version *base;      /* the latest version; NULL: there is none */
    const struct zone_marks *marks; /* for zone_apply and zone_build; NULL: no name is annotated */
    const char *path;               /* of the zone's file */
    struct diag *diag;              /* warnings that do not refuse it; logged */
    bool is_secondary;              /* it comes by transfers, by now at least */
    bool is_frozen;                 /* updates are refused, see store/write.h */
    uint64_t journal_most_ms;
    enum store_serial serial_mode;
    struct keeping keeping;
    /* out */
    struct zone_version *version; /* NULL: the base stays */
    bool is_refused;              /* for a reason that is not ours: what was wanted makes no sense */
    char why[HISTORY_WHY_MAX];    /* what failed */
};

/* Embedded by whoever wants the change; stays until `done`. */
struct store_change {
    /* [job] ERR_OK: `version`, and what is to be kept, or neither. An error with a sentence in `why`: then nothing is
     * made. */
    enum err (*make)(struct store_change *change, struct store_making *making);
    /* [control] ERR_OK: it is durable and published (or there was nothing to change). ERR_NOT_FOUND: the zone is gone;
     * ERR_LIMIT: it could not be kept; or what `make` said. `why` is a sentence; NULL with ERR_OK. */
    void (*done)(struct store_change *change, enum err err, const char *why);
    /* private */
    struct store_change *next;
    struct commit commit; /* with the store and the zone */
    struct job job;
    struct store_making making;
    struct balance_marking *marking;
    struct balance_plan *plan; /* that it marks by, held; NULL: none */
    enum err err;
};

/* For `make`, where there is a base: the version that `cnt` changesets, one after the other, lead to, which is kept, or
 * not made at all. `all` is what they come to, applied in one go (changeset_join; of one changeset, itself).
 * ERR_INVALID: they do not fit the base, or lead to another serial than they say; ERR_LIMIT: it can't be kept. [job] */
enum err store_make_changes(struct store_making *making, const struct changeset *all,
                            struct changeset *const *changes, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* Wants the change of the zone `apex` (lower-cased). `done` is called once, from the loop, and maybe within this call
 * when there is no such zone. [control] */
void store_change(struct store *store, const uint8_t *apex, struct store_change *change) ATTR_NONNULL_ALL;
