#include "daemon/validate_pools.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dns/name.h"

enum { WORST_CNT = 10 };

static const char *family_type(enum addr_family family) { return family == ADDR_V4 ? "A" : "AAAA"; }

/* ---- weights */

static double weight_sum(const struct balance_pool_view *pool, uint32_t tier)
{
    double sum = 0;
    for (size_t i = 0; i < pool->member_cnt; i++)
        if (pool->members[i].used && pool->members[i].tier == tier)
            sum += pool->members[i].weight;
    return sum;
}

/* What is used and not of the tier in use is there for the trickle. */
static double part_of_tier(const struct balance_pool_view *pool, uint32_t tier)
{
    return tier == pool->tier ? 1 - pool->trickle : pool->trickle;
}

static double ideal_share(const struct balance_pool_view *pool, const struct balance_member_view *member)
{
    return part_of_tier(pool, member->tier) * member->weight / weight_sum(pool, member->tier);
}

/* The member whose share is farthest from its weight's; with several addresses in an
 * answer, who stands first is another matter. */
static const struct balance_member_view *worst_rounded(const struct balance_pool_view *pool)
{
    const struct balance_member_view *worst = NULL;
    double most = 0;
    for (size_t i = 0; pool->answers == 1 && i < pool->member_cnt; i++) {
        const struct balance_member_view *m = &pool->members[i];
        double off = m->used ? m->share - ideal_share(pool, m) : 0;
        off = off < 0 ? -off : off;
        if (off <= most)
            continue;
        worst = m;
        most = off;
    }
    return worst;
}

static void check_pool(void *arg, const struct balance_pool_view *pool)
{
    char name[NAME_TEXT_MAX], address[ADDR_TEXT_MAX], worst_text[200] = "";
    if (pool->exact || pool->policy == POOL_HASH)
        return;
    const struct balance_member_view *worst = worst_rounded(pool);
    if (worst)
        snprintf(worst_text, sizeof worst_text,
                 "; %s is the farthest off, with %.4f %% of the answers in place of %.4f %%",
                 addr_to_text(address, &worst->address), worst->share * 100, ideal_share(pool, worst) * 100);
    diag_warning(arg, NULL, 0, "pool \"%s\" %s: the weights were rounded to %d slots%s",
                 name_to_text_bare(name, pool->owner), family_type(pool->family), POOL_SLOTS_MAX, worst_text);
}

void validate_pools_check(const struct balance *balance, struct diag *diag)
{
    balance_each_pool(balance, NULL, check_pool, diag);
}

/* ---- bounds */

struct bound {
    char *name;
    uint64_t detection_ms, staleness_ms;
    size_t index; /* in the order of names */
};

struct bounds {
    struct bound *items;
    size_t cnt, cap, pool_cnt;
    bool slow_back; /* some come back later than checks find them up */
};

static void add_bound(void *arg, const struct balance_pool_view *pool)
{
    struct bounds *b = arg;
    char name[NAME_TEXT_MAX];
    b->pool_cnt++;
    b->slow_back |= pool->probed && (pool->slow_start || pool->flap_hold);
    if (!pool->staleness_ms)
        return;
    if (b->cnt == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->items = mem_realloc(b->items, b->cap, sizeof *b->items);
    }
    b->items[b->cnt] =
        (struct bound){.name = mem_printf("%s %s", name_to_text_bare(name, pool->owner), family_type(pool->family)),
                       .detection_ms = pool->detection_ms,
                       .staleness_ms = pool->staleness_ms,
                       .index = b->cnt};
    b->cnt++;
}

static int cmp_bounds(const void *a, const void *b)
{
    const struct bound *x = a, *y = b;
    int worse = (x->staleness_ms < y->staleness_ms) - (x->staleness_ms > y->staleness_ms);
    return worse ? worse : (x->index > y->index) - (x->index < y->index);
}

/* Tenths of a second, rounded up: a bound may be shown too high, never too low. */
static double shown_sec(uint64_t ms) { return (double)((ms + 99) / 100) / 10; }

void validate_pools_print(const struct balance *balance, bool all)
{
    struct bounds b = {0};
    balance_each_pool(balance, NULL, add_bound, &b);
    size_t shown = all || b.cnt < WORST_CNT ? b.cnt : WORST_CNT;
    if (b.cnt)
        qsort(b.items, b.cnt, sizeof *b.items, cmp_bounds);
    if (b.pool_cnt)
        printf("%zu pool%s, %zu checked\n", b.pool_cnt, b.pool_cnt == 1 ? "" : "s", b.cnt);
    if (shown)
        printf("  detection  staleness  pool\n");
    for (size_t i = 0; i < shown; i++)
        printf("%9.1f s %8.1f s  %s\n", shown_sec(b.items[i].detection_ms), shown_sec(b.items[i].staleness_ms),
               b.items[i].name);
    if (shown < b.cnt)
        printf("and %zu more, none worse; -v shows them\n", b.cnt - shown);
    if (b.slow_back)
        printf("these are of servers that die; flap_hold and slow_start make only the way back longer\n");
    for (size_t i = 0; i < b.cnt; i++)
        free(b.items[i].name);
    free(b.items);
}
