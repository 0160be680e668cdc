/* Names that NS or MX records of other zones point to: for them groups with `below` do not count. Versions say which
 * come and go (zone/foreign.h); here they are counted by zones. News is worked off in slices, in order. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/mem.h"
#include "dns/name.h"

struct pointed {
    struct map_link link;
    size_t zone_cnt;
    uint8_t name[];
};

struct pointed_news {
    struct ring ring;
    struct zone_names names;
    size_t at;
    bool is_gone;
};

/* ---- who is pointed to */

static struct pointed *find(const struct balance *balance, const uint8_t *name)
{
    struct map_link *link = map_first(&balance->pointed, name_hash(name, &balance->key));
    while (link && !name_equal(container_of(link, struct pointed, link)->name, name))
        link = map_next(link);
    return link ? container_of(link, struct pointed, link) : NULL;
}

bool pointed_is(const struct balance *balance, const uint8_t *owner)
{
    return balance->pointed.cnt && find(balance, owner);
}

/* In whatever zone it is a pool; mostly in one at most. */
static void rebuild_pools(struct balance *balance, const uint8_t *owner)
{
    for (unsigned d = 0, depth = name_depth(owner); d <= depth; d++) {
        const struct balance_zone *zone = balance_find_zone(balance, name_suffix(owner, d));
        struct balance_pool *pool = zone ? balance_find_pool(balance, zone, owner) : NULL;
        if (pool)
            work_queue(pool, TODO_REBUILD, false);
    }
}

static void one_more(struct balance *balance, const uint8_t *name)
{
    struct pointed *pointed = find(balance, name);
    if (!pointed) {
        unsigned len = name_len(name);
        pointed = mem_zalloc(1, sizeof *pointed + len);
        memcpy(pointed->name, name, len);
        map_add(&balance->pointed, &pointed->link, name_hash(name, &balance->key));
    }
    if (!pointed->zone_cnt++)
        rebuild_pools(balance, name);
}

static void one_less(struct balance *balance, const uint8_t *name)
{
    struct pointed *pointed = find(balance, name);
    assert(pointed);
    if (--pointed->zone_cnt)
        return;
    map_remove(&balance->pointed, &pointed->link);
    free(pointed);
    rebuild_pools(balance, name);
}

/* ---- news */

void pointed_tell(struct balance *balance, struct zone_names *names, bool is_gone)
{
    if (!names->len)
        return;
    struct pointed_news *news = mem_zalloc(1, sizeof *news);
    news->names = *names;
    news->is_gone = is_gone;
    *names = (struct zone_names){NULL, 0};
    ring_add(&balance->news, &news->ring);
}

static void free_news(struct pointed_news *news)
{
    ring_remove(&news->ring);
    free(news->names.bytes);
    free(news);
}

bool pointed_one(struct balance *balance)
{
    if (ring_is_empty(&balance->news))
        return false;
    struct pointed_news *news = container_of(balance->news.after, struct pointed_news, ring);
    const uint8_t *name = news->names.bytes + news->at;
    news->at += name_len(name);
    if (news->is_gone)
        one_less(balance, name);
    else
        one_more(balance, name);
    if (news->at == news->names.len)
        free_news(news);
    return true;
}

void pointed_fini(struct balance *balance)
{
    while (!ring_is_empty(&balance->news))
        free_news(container_of(balance->news.after, struct pointed_news, ring));
    map_settle(&balance->pointed);
    for (size_t i = 0; i < balance->pointed.bucket_cnt; i++)
        for (struct map_link *link = balance->pointed.buckets[i], *next; link; link = next) {
            next = link->next;
            free(container_of(link, struct pointed, link));
        }
    map_fini(&balance->pointed);
}
