/* The pipeline taken apart for people: the choice that pool_choose makes and the table that it gives, and of every tier
 * and member what was seen on the way. It decides nothing itself. Any thread; takes milliseconds for a thousand
 * members. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "pool/classes.h"

/* A tier, of those members that were chosen from: the client's site's own, or all. */
struct pool_explained_tier {
    uint32_t number;
    unsigned members, undrained, up, unknown, live; /* of undrained ones; drains may be ignored */
    bool is_enough;                                 /* live ÷ undrained ≥ min_up */
    bool used;                                      /* some member of it is */
};

struct pool_explained_member {
    bool live;       /* whoever asks */
    bool used;
    bool given;      /* to the client whose address decides; hash policy only */
    double weight;    /* in effect, what is withheld taken off; 0: not used */
    double share;     /* of answers in which it stands first */
    double inclusion; /* of answers in which it stands at all */
};

struct pool_explained {
    struct pool_choice choice;
    unsigned near_cnt, near_live_cnt; /* members of the client's site; 0: it has none, or no site */
    unsigned tier_cnt;
    struct pool_explained_tier *tiers; /* ascending */
    struct pool_explained_member *members; /* by index */
    struct pool_table *table;
    uint32_t ttl_sec; /* of what is answered */
    uint32_t slot;    /* of the client; hash policy only */
};

void pool_explained_free(struct pool_explained *explained);
/* `source->settings` has the client's site; classes are of no account. `client` NULL: nobody in particular. */
struct pool_explained *pool_explain(const struct pool_source *source, const struct addr *client)
    ATTR_FREED_BY(pool_explained_free) ATTR_MUST_USE ATTR_NONNULL(1);
