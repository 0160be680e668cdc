#include "balance/operate.h"

#include <stdlib.h>
#include <string.h>

#include "balance/operate_entry.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* ==== names and addresses ==== */

static uint64_t hash_of(const struct balance *balance, const uint8_t *apex, const uint8_t *owner)
{
    return name_hash(owner, &balance->key) ^ (name_hash(apex, &balance->key) << 1 | 1);
}

struct operate_pool *operate_find_orders(const struct balance *balance, const uint8_t *apex, const uint8_t *owner)
{
    if (!balance->orders.cnt)
        return NULL;
    for (struct map_link *link = map_first(&balance->orders, hash_of(balance, apex, owner)); link;
         link = map_next(link)) {
        struct operate_pool *pool = container_of(link, struct operate_pool, link);
        if (name_equal(pool->owner, owner) && name_equal(pool->apex, apex))
            return pool;
    }
    return NULL;
}

size_t operate_place_of(const struct operate_pool *pool, const struct addr *address)
{
    size_t low = 0, high = pool->cnt;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (addr_cmp(&pool->entries[mid]->address, address) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct operate_entry *find_in(const struct operate_pool *pool, const struct addr *address)
{
    size_t place = pool ? operate_place_of(pool, address) : 0;
    bool is = pool && place < pool->cnt && addr_same_host(&pool->entries[place]->address, address);
    return is ? pool->entries[place] : NULL;
}

static struct operate_entry *find(const struct balance *balance, const struct operate_member *member)
{
    return find_in(operate_find_orders(balance, member->apex, member->owner), &member->address);
}

static struct operate_pool *add_pool(struct balance *balance, const struct operate_member *member)
{
    unsigned len = name_len(member->owner);
    struct operate_pool *pool = mem_zalloc(1, sizeof *pool + len);
    memcpy(pool->owner, member->owner, len);
    pool->apex = name_suffix(pool->owner, name_depth(member->apex));
    ring_add(&balance->order_pools, &pool->all);
    map_add(&balance->orders, &pool->link, hash_of(balance, pool->apex, pool->owner));
    return pool;
}

static struct operate_entry *add(struct balance *balance, const struct operate_member *member)
{
    struct operate_pool *pool = operate_find_orders(balance, member->apex, member->owner);
    struct operate_entry *entry = mem_zalloc(1, sizeof *entry);
    entry->pool = pool = pool ? pool : add_pool(balance, member);
    entry->address = member->address;
    size_t place = operate_place_of(pool, &entry->address);
    pool->entries = mem_realloc(pool->entries, pool->cnt + 1, sizeof *pool->entries);
    memmove(pool->entries + place + 1, pool->entries + place, (pool->cnt++ - place) * sizeof *pool->entries);
    pool->entries[place] = entry;
    return entry;
}

static void free_order(struct operate_order *order)
{
    if (order)
        free((void *)(uintptr_t)order->reason);
    free(order);
}

static void free_pool(struct balance *balance, struct operate_pool *pool)
{
    map_remove(&balance->orders, &pool->link);
    ring_remove(&pool->all);
    free(pool->entries);
    free(pool);
}

void operate_drop_if_unused(struct balance *balance, struct operate_entry *entry)
{
    struct operate_pool *pool = entry->pool;
    if (entry->orders[OPERATE_DRAIN] || entry->orders[OPERATE_FORCE] || entry->waiters || entry->passing_cnt)
        return;
    size_t place = operate_place_of(pool, &entry->address);
    memmove(pool->entries + place, pool->entries + place + 1, (--pool->cnt - place) * sizeof *pool->entries);
    free(entry);
    if (!pool->cnt)
        free_pool(balance, pool);
}

struct operate_member operate_member_of(const struct operate_entry *entry)
{
    return (struct operate_member){entry->pool->apex, entry->pool->owner, entry->address};
}

/* ==== members ==== */

/* The family that the address belongs to; NULL: there is none that has members. */
static struct balance_family *find_family(const struct balance *balance, const struct operate_entry *entry)
{
    const struct balance_zone *zone = balance_find_zone(balance, entry->pool->apex);
    struct balance_pool *pool = zone ? balance_find_pool(balance, zone, entry->pool->owner) : NULL;
    struct balance_family *family = pool ? &pool->families[entry->address.family == ADDR_V6] : NULL;
    return family && family->group ? family : NULL;
}

static void take(struct balance_side *side, const struct operate_entry *entry)
{
    const struct operate_order *force = entry ? entry->orders[OPERATE_FORCE] : NULL;
    side->drained_by_operator = entry && entry->orders[OPERATE_DRAIN];
    side->forced = force ? force->forced : HEALTH_UNKNOWN;
}

void operate_take(const struct balance_family *family, const struct addr *address, struct balance_side *side)
{
    const struct balance_pool *pool = family->pool;
    const struct operate_pool *orders = operate_find_orders(pool->balance, pool->zone->apex, pool->owner);
    take(side, find_in(orders, address));
}

/* Members are in canonical order. */
bool operate_find_member(const struct balance_family *family, const struct addr *address, uint32_t *index)
{
    uint32_t low = 0, high = family->cnt;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (addr_cmp(&family->members[mid].address, address) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *index = low;
    return low < family->cnt && addr_same_host(&family->members[low].address, address);
}

/* Also where the member stays as it is: the table that comes is what whoever waits is waiting for. */
static void put_in_force(struct balance *balance, struct operate_entry *entry)
{
    struct balance_family *family = find_family(balance, entry);
    uint32_t index;
    if (!family)
        return;
    if (operate_find_member(family, &entry->address, &index)) {
        take(&family->sides[index], entry);
        members_refresh(family, index);
    }
    work_queue(family->pool, TODO_COMPILE_A << family->index, true);
    work_post(balance);
}

/* ==== orders ==== */

static struct operate_order *copy(const struct operate_order *order, const struct operate_order *was)
{
    struct operate_order *made = mem_dup(order, sizeof *order);
    made->reason = mem_strdup(order->reason);
    if (was && !made->last_answer_wall_ms) {
        made->last_answer_wall_ms = was->last_answer_wall_ms;
        made->ttl_sec = was->ttl_sec;
    }
    return made;
}

void operate_set(struct balance *balance, const struct operate_member *member, enum operate_kind kind,
                 const struct operate_order *order)
{
    struct operate_entry *entry = find(balance, member);
    if (!entry && !order)
        return;
    if (!entry)
        entry = add(balance, member);
    struct operate_order *was = entry->orders[kind];
    entry->orders[kind] = order ? copy(order, was) : NULL;
    free_order(was);
    put_in_force(balance, entry);
    operate_drop_if_unused(balance, entry);
}

const struct operate_order *operate_get(const struct balance *balance, const struct operate_member *member,
                                        enum operate_kind kind)
{
    const struct operate_entry *entry = find(balance, member);
    return entry ? entry->orders[kind] : NULL;
}

static void each_order(const struct operate_entry *entry,
                       void (*fn)(void *arg, const struct operate_member *member, enum operate_kind kind,
                                  const struct operate_order *order),
                       void *arg)
{
    const struct operate_member member = operate_member_of(entry);
    for (unsigned kind = 0; kind < OPERATE_KIND_CNT; kind++)
        if (entry->orders[kind])
            fn(arg, &member, (enum operate_kind)kind, entry->orders[kind]);
}

void operate_each(const struct balance *balance,
                  void (*fn)(void *arg, const struct operate_member *member, enum operate_kind kind,
                             const struct operate_order *order),
                  void *arg)
{
    for (const struct ring *at = balance->order_pools.after; at != &balance->order_pools; at = at->after) {
        const struct operate_pool *pool = container_of(at, const struct operate_pool, all);
        for (size_t i = 0; i < pool->cnt; i++)
            each_order(pool->entries[i], fn, arg);
    }
}

void operate_when_served(struct balance *balance, const struct operate_member *member, void (*fn)(void *arg), void *arg)
{
    struct operate_entry *entry = find(balance, member);
    if (!entry)
        entry = add(balance, member);
    if (!find_family(balance, entry)) {
        operate_drop_if_unused(balance, entry);
        fn(arg);
        return;
    }
    struct operate_waiter *waiter = mem_zalloc(1, sizeof *waiter), **end = &entry->waiters;
    *waiter = (struct operate_waiter){.fn = fn, .arg = arg};
    while (*end)
        end = &(*end)->next;
    *end = waiter;
    put_in_force(balance, entry);
}

void operate_on_change(struct balance *balance,
                       void (*fn)(void *arg, const struct operate_member *member, const struct operate_order *drain),
                       void *arg)
{
    balance->order_change = fn;
    balance->order_change_arg = arg;
}

static void free_entry(struct operate_entry *entry)
{
    for (unsigned kind = 0; kind < OPERATE_KIND_CNT; kind++)
        free_order(entry->orders[kind]);
    for (struct operate_waiter *waiter = entry->waiters, *after; waiter; waiter = after) {
        after = waiter->next;
        waiter->fn(waiter->arg);
        free(waiter);
    }
    free(entry);
}

/* No passing is left. Whoever still waits for a table hears that none will come. */
void operate_fini(struct balance *balance)
{
    balance->order_change = NULL;
    while (!ring_is_empty(&balance->order_pools)) {
        struct operate_pool *pool = container_of(balance->order_pools.after, struct operate_pool, all);
        for (size_t i = 0; i < pool->cnt; i++)
            free_entry(pool->entries[i]);
        free_pool(balance, pool);
    }
    map_fini(&balance->orders);
}
