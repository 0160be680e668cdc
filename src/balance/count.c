#include "balance/count.h"

#include "balance/private.h"

void balance_count(struct balance_counts *counts, const struct balance *balance)
{
    *counts = balance->counts;
    if (!balance->probe)
        return;
    counts->targets = probe_target_cnt(balance->probe);
    probe_tally(balance->probe, &counts->checks);
}

static void add(struct balance_counts *counts, const struct balance_counted *counted, size_t by)
{
    if (!counted->is)
        return;
    counts->pools[counted->state] += by;
    counts->members[HEALTH_UP] += by * counted->up_cnt;
    counts->members[HEALTH_UNKNOWN] += by * counted->unknown_cnt;
    counts->members[HEALTH_DOWN] += by * (counted->cnt - counted->up_cnt - counted->unknown_cnt);
}

void count_update(struct balance_family *family)
{
    struct balance_counts *counts = &family->pool->balance->counts;
    add(counts, &family->counted, (size_t)-1);
    family->counted = (struct balance_counted){.is = family->group != NULL,
                                               .state = family->state,
                                               .cnt = family->cnt,
                                               .up_cnt = family->up_cnt,
                                               .unknown_cnt = family->unknown_cnt};
    add(counts, &family->counted, 1);
}
