/* A family of a pool for whoever explains what it answers: what its tables are compiled from, and which group of the
 * configuration says so. A copy, for any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "balance/balance.h"
#include "dns/name.h"
#include "pool/classes.h"
#include "pool/failback.h"

struct balance_explained {
    struct pool_source source;
    uint8_t owner[NAME_MAX_LEN], apex[NAME_MAX_LEN];
    uint8_t group_name[NAME_MAX_LEN];
    bool is_below;
    char *file; /* where the group stands; NULL: not known */
    unsigned line;
    /* Where the tier is not only its members' business of this moment (balance/failback.h). */
    bool keeps_tier;
    struct pool_failback failback;
    uint64_t failback_ms;
    /* Members of the other family, which share the tier where the two go together. */
    struct pool_member *other;
    size_t other_cnt;
};
void balance_explained_free(struct balance_explained *explained);
/* The pool of that handle; NULL: its rrset is answered whole, as no group makes it a pool any more, or it can be none.
 * [control] */
struct balance_explained *balance_explain(const struct balance *balance, uint32_t handle, enum addr_family family)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The tier that would be answered from if the members were these, as many as the source and `other` have; 0: the one
 * that the members of the moment choose. */
uint32_t balance_explained_tier(const struct balance_explained *explained, const struct pool_member *members,
                                const struct pool_member *other) ATTR_NONNULL(1);
