#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"

/* When as many things were added as there were buckets, the table is full again: two a time are enough to have moved
 * all by then. */
enum { BUCKETS_LEAST = 8, MOVES = 2 };

void map_fini(struct map *map)
{
    free(map->old);
    free(map->buckets);
    *map = (struct map){0};
}

static struct map_link **bucket_of(const struct map *map, uint64_t hash)
{
    size_t old_at = hash & (map->old_cnt - 1);
    return map->old && old_at >= map->moved ? &map->old[old_at] : &map->buckets[hash & (map->bucket_cnt - 1)];
}

static void put(struct map *map, struct map_link *link)
{
    struct map_link **bucket = bucket_of(map, link->hash);
    link->next = *bucket;
    *bucket = link;
}

static void move(struct map *map, size_t cnt)
{
    while (map->old && cnt--) {
        struct map_link *link = map->old[map->moved++], *next;
        for (; link; link = next) {
            next = link->next;
            put(map, link);
        }
        if (map->moved < map->old_cnt)
            continue;
        free(map->old);
        map->old = NULL;
    }
}

void map_settle(struct map *map) { move(map, SIZE_MAX); }

static void grow(struct map *map)
{
    map_settle(map); /* long since */
    map->old = map->buckets;
    map->old_cnt = map->bucket_cnt;
    map->moved = 0;
    map->bucket_cnt = map->old_cnt ? map->old_cnt * 2 : BUCKETS_LEAST;
    map->buckets = mem_zalloc(map->bucket_cnt, sizeof *map->buckets);
}

void map_add(struct map *map, struct map_link *link, uint64_t hash)
{
    if (map->cnt == map->bucket_cnt)
        grow(map);
    move(map, MOVES);
    link->hash = hash;
    put(map, link);
    map->cnt++;
}

void map_remove(struct map *map, struct map_link *link)
{
    struct map_link **at = bucket_of(map, link->hash);
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    map->cnt--;
}

static struct map_link *with_hash(struct map_link *link, uint64_t hash)
{
    while (link && link->hash != hash)
        link = link->next;
    return link;
}

struct map_link *map_first(const struct map *map, uint64_t hash)
{
    return map->bucket_cnt ? with_hash(*bucket_of(map, hash), hash) : NULL;
}

struct map_link *map_next(const struct map_link *link) { return with_hash(link->next, link->hash); }
