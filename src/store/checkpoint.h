/* When a zone's history has become too long or too old: the zone is written as a snapshot, and once that is durable the
 * oldest changes are dropped, so that what is left is half of what is allowed. By age, those are dropped that the
 * snapshot before had already: so changes are kept for at least one age, and at most two. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct store;
struct store_zone;
struct keeping;

/* A zone's, zero at first. */
struct checkpoint {
    bool is_measured;       /* `bytes` and `oldest_serial` are of all that is kept */
    bool is_running;
    size_t bytes;           /* that changes take in the journal */
    uint32_t oldest_serial; /* that the first of them leads on from */
    uint64_t look_wall_ms; /* not before then is the age looked at */
};

/* What a change keeps is durable. */
void checkpoint_note(struct store_zone *zone, const struct keeping *keeping) ATTR_NONNULL_ALL;
/* Nobody builds the zone: a checkpoint is wanted where it is time for one. */
void checkpoint_try(struct store *store, struct store_zone *zone) ATTR_NONNULL_ALL;
