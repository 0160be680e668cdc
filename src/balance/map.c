#include "balance/map.h"

#include <stdlib.h>

#include "base/mem.h"

enum { BUCKETS_LEAST = 8 };

void map_fini(struct map *map)
{
    free(map->buckets);
    *map = (struct map){0};
}

static struct map_link **bucket_of(const struct map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_cnt - 1)];
}

static void put(struct map *map, struct map_link *link)
{
    struct map_link **bucket = bucket_of(map, link->hash);
    link->next = *bucket;
    *bucket = link;
}

static void grow(struct map *map)
{
    struct map_link **old = map->buckets;
    size_t old_cnt = map->bucket_cnt;
    map->bucket_cnt = old_cnt ? old_cnt * 2 : BUCKETS_LEAST;
    map->buckets = mem_zalloc(map->bucket_cnt, sizeof *map->buckets);
    for (size_t i = 0; i < old_cnt; i++)
        for (struct map_link *link = old[i], *next; link; link = next) {
            next = link->next;
            put(map, link);
        }
    free(old);
}

void map_add(struct map *map, struct map_link *link, uint64_t hash)
{
    if (map->cnt == map->bucket_cnt)
        grow(map);
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
