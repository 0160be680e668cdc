/* How many pools and members there are, for a glance: counted as they change. */
#pragma once

#include "balance/balance.h"

struct balance_counts {
    size_t pools[POOL_EMPTY + 1];    /* by state; A and AAAA of a name are a pool each */
    size_t members[HEALTH_DOWN + 1]; /* by verdict; who is not probed is up; who sleeps is none */
    size_t targets;                  /* what is checked, however many members it is for */
    struct tally_view checks;
};
/* [control] */
void balance_count(struct balance_counts *counts, const struct balance *balance) ATTR_NONNULL_ALL;
