#include "balance/count.h"

#include "balance/private.h"

static void count_family(struct balance_counts *counts, const struct balance_family *family)
{
    if (!family->group)
        return;
    counts->pools[family->state]++;
    counts->members[HEALTH_UP] += family->up_cnt;
    counts->members[HEALTH_UNKNOWN] += family->unknown_cnt;
    counts->members[HEALTH_DOWN] += family->cnt - family->up_cnt - family->unknown_cnt;
}

void balance_count(struct balance_counts *counts, const struct balance *balance)
{
    *counts = (struct balance_counts){0};
    for (const struct ring *at = balance->all.after; at != &balance->all; at = at->after) {
        const struct balance_pool *pool = MAP_ITEM(at, const struct balance_pool, all);
        count_family(counts, &pool->families[0]);
        count_family(counts, &pool->families[1]);
    }
}
