#include "daemon/change_queue.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- the order of waiting */

static void line_up(struct change_queue *queue, struct change *change)
{
    change->before_it = queue->last;
    change->after_it = NULL;
    *(queue->last ? &queue->last->after_it : &queue->first) = change;
    queue->last = change;
}

static void step_out(struct change_queue *queue, struct change *change)
{
    *(change->before_it ? &change->before_it->after_it : &queue->first) = change->after_it;
    *(change->after_it ? &change->after_it->before_it : &queue->last) = change->before_it;
}

/* ---- by name */

static uint64_t hash_of(const struct change_queue *queue, const char *zone, const char *pool, const char *member)
{
    uint64_t hash = hash_step(0, (const uint8_t *)zone, (unsigned)strlen(zone), &queue->key);
    hash = hash_step(hash, (const uint8_t *)pool, (unsigned)strlen(pool), &queue->key);
    return hash_step(hash, (const uint8_t *)member, (unsigned)strlen(member), &queue->key);
}

static struct change *find(const struct change_queue *queue, const char *zone, const char *pool, const char *member,
                           uint64_t hash)
{
    for (struct map_link *link = map_first(&queue->changes, hash); link; link = map_next(link)) {
        struct change *change = container_of(link, struct change, link);
        if (!strcmp(change->pool, pool) && !strcmp(change->member, member) && !strcmp(change->zone, zone))
            return change;
    }
    return NULL;
}

static struct change *make(struct change_queue *queue, const char *zone, const char *pool, const char *member,
                           uint64_t hash)
{
    size_t pool_len = strlen(pool) + 1, member_len = strlen(member) + 1, zone_len = strlen(zone) + 1;
    struct change *change = mem_zalloc(1, sizeof *change + pool_len + member_len + zone_len);
    memcpy(change->pool, pool, pool_len);
    memcpy(change->pool + pool_len, member, member_len);
    memcpy(change->pool + pool_len + member_len, zone, zone_len);
    change->member = change->pool + pool_len;
    change->zone = change->member + member_len;
    map_add(&queue->changes, &change->link, hash);
    return change;
}

static void drop(struct change_queue *queue, struct change *change)
{
    map_remove(&queue->changes, &change->link);
    free(change);
}

/* ---- use */

static void stop_waiting(struct change_queue *queue, struct change *change)
{
    change->waits = false;
    if (change->is_told)
        return;
    step_out(queue, change);
    drop(queue, change);
}

void change_queue_add(struct change_queue *queue, const char *zone, const char *pool, const char *member,
                      const char *before, const char *now, const char *reason)
{
    uint64_t hash = hash_of(queue, zone, pool, member);
    struct change *change = find(queue, zone, pool, member, hash);
    if (!change)
        change = make(queue, zone, pool, member, hash);
    if (!change->waits) {
        snprintf(change->before, sizeof change->before, "%s", before);
        if (!change->is_told)
            line_up(queue, change);
        change->waits = true;
    }
    snprintf(change->now, sizeof change->now, "%s", now);
    snprintf(change->reason, sizeof change->reason, "%s", reason);
    if (!strcmp(change->before, change->now))
        stop_waiting(queue, change);
}

struct change *change_queue_next(struct change_queue *queue)
{
    struct change *change = queue->told_cnt < queue->told_most ? queue->first : NULL;
    if (!change)
        return NULL;
    step_out(queue, change);
    change->waits = false;
    change->is_told = true;
    queue->told_cnt++;
    return change;
}

void change_queue_told(struct change_queue *queue, struct change *change)
{
    assert(change->is_told);
    queue->told_cnt--;
    change->is_told = false;
    if (change->waits)
        line_up(queue, change);
    else
        drop(queue, change);
}

static void for_each(struct change_queue *queue, void (*fn)(struct change_queue *queue, struct change *change))
{
    map_settle(&queue->changes);
    for (size_t i = 0; i < queue->changes.bucket_cnt; i++) {
        for (struct map_link *link = queue->changes.buckets[i], *next; link; link = next) {
            next = link->next;
            fn(queue, container_of(link, struct change, link));
        }
    }
}

static void forget(struct change_queue *queue, struct change *change)
{
    if (change->waits)
        stop_waiting(queue, change);
}

void change_queue_clear(struct change_queue *queue)
{
    for_each(queue, forget);
}

void change_queue_init(struct change_queue *queue, unsigned told_most)
{
    *queue = (struct change_queue){.told_most = told_most};
    hash_key_random(&queue->key);
}

void change_queue_fini(struct change_queue *queue)
{
    for_each(queue, drop);
    map_fini(&queue->changes);
}
