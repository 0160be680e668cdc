/* The client classes of a pool: the sites that its members have, in either family. */
#include <stdlib.h>

#include "balance/private.h"
#include "base/mem.h"

static int cmp_classes(const void *a, const void *b)
{
    const struct pool_class *x = a, *y = b;
    return (x->site > y->site) - (x->site < y->site);
}

/* The sites, each once; how many they are. */
static size_t find_sites(struct pool_class *classes, const struct balance_pool *pool)
{
    size_t all = 0, cnt = 0;
    for (unsigned f = 0; f < 2; f++)
        for (uint32_t i = 0; i < pool->families[f].cnt; i++)
            if (pool->families[f].members[i].site)
                classes[all++].site = pool->families[f].members[i].site;
    qsort(classes, all, sizeof *classes, cmp_classes);
    for (size_t i = 0; i < all; i++)
        if (!cnt || classes[cnt - 1].site != classes[i].site)
            classes[cnt++] = classes[i];
    return cnt;
}

/* Those that stay keep their handles, and so their turn. Where handles are few, those that are left are for pools,
 * and clients of the class take turns with all others. */
static void take_handles(struct balance_pool *pool, struct pool_class *classes, size_t cnt)
{
    struct pool_directory *directory = pool->balance->directory;
    size_t before = 0;
    for (size_t i = 0; i < cnt; i++) {
        for (; before < pool->class_cnt && pool->classes[before].site < classes[i].site; before++)
            continue;
        struct pool_class *was = before < pool->class_cnt ? &pool->classes[before] : NULL;
        if (was && was->site == classes[i].site) {
            classes[i].handle = was->handle;
            was->handle = pool->handle;
        } else {
            uint32_t fresh = pool_directory_take_spare(directory);
            classes[i].handle = fresh ? fresh : pool->handle;
        }
    }
}

/* At once, whoever still reads tables that name them: two that share a position for a moment harm nobody. */
static void give_handles(struct balance_pool *pool)
{
    for (size_t i = 0; i < pool->class_cnt; i++)
        if (pool->classes[i].handle != pool->handle)
            pool_directory_give(pool->balance->directory, pool->classes[i].handle);
}

void classes_name(struct balance_pool *pool)
{
    size_t most = pool->families[0].cnt + (size_t)pool->families[1].cnt;
    struct pool_class *classes = mem_zalloc(most, sizeof *classes);
    size_t cnt = find_sites(classes, pool);
    take_handles(pool, classes, cnt);
    give_handles(pool);
    free(pool->classes);
    if (!cnt) {
        free(classes);
        classes = NULL;
    }
    pool->classes = classes;
    pool->class_cnt = cnt;
}

static void mark_choice(const struct balance_family *family, uint16_t site, bool *used)
{
    struct pool_choice choice;
    struct pool_settings settings = family->settings;
    settings.site = site;
    pool_choose(&choice, &settings, family->members, family->cnt);
    for (unsigned i = 0; i < choice.cnt; i++)
        used[choice.member[i]] = true;
}

void classes_mark_used(const struct balance_family *family, bool *used)
{
    enum { LOOKS_MOST = 1 << 14 }; /* some tens of nanoseconds each */
    const struct balance_pool *pool = family->pool;
    bool is_long = pool->class_cnt * (size_t)family->cnt > LOOKS_MOST;
    mark_choice(family, 0, used);
    for (size_t i = 0; i < pool->class_cnt && !is_long; i++)
        mark_choice(family, pool->classes[i].site, used);
    for (uint32_t i = 0; i < family->cnt && is_long; i++)
        used[i] |= family->members[i].site && pool_member_live(family->members, family->cnt, i);
}

void classes_end(struct balance_pool *pool)
{
    give_handles(pool);
    free(pool->classes);
    pool->classes = NULL;
    pool->class_cnt = 0;
}
