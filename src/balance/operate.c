#include "balance/operate.h"

#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* A name with orders. */
struct operate_pool {
    struct map_link link; /* by apex and owner */
    struct ring all;
    struct operate_entry *entries;
    const uint8_t *apex; /* within the owner */
    uint8_t owner[];
};

struct operate_entry {
    struct operate_entry *next;
    struct operate_pool *pool;
    struct addr address;
    struct operate_order *orders[OPERATE_KIND_CNT]; /* NULL: none */
    struct waiter *waiters;                         /* for a table that is yet to come */
    uint32_t passing_cnt;                           /* passings that may look for it */
    uint32_t given; /* rises with every table that answers with the address */
};

struct waiter {
    struct waiter *next;
    void (*fn)(void *arg);
    void *arg;
};

/* A table was published; what was before it ends with a grace period. */
struct passing {
    struct grace grace;
    struct balance *balance;
    struct operate_entry *entry;
    struct waiter *waiters;
    uint32_t given, ttl_sec;
    bool is_without; /* the table does not answer with the address */
};

/* ==== names and addresses ==== */

static uint64_t hash_of(const struct balance *balance, const uint8_t *apex, const uint8_t *owner)
{
    return name_hash(owner, &balance->key) ^ (name_hash(apex, &balance->key) << 1 | 1);
}

static struct operate_pool *find_pool(const struct balance *balance, const uint8_t *apex, const uint8_t *owner)
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

static struct operate_entry *find_in(const struct operate_pool *pool, const struct addr *address)
{
    struct operate_entry *entry = pool ? pool->entries : NULL;
    while (entry && !addr_same_host(&entry->address, address))
        entry = entry->next;
    return entry;
}

static struct operate_entry *find(const struct balance *balance, const struct operate_member *member)
{
    return find_in(find_pool(balance, member->apex, member->owner), &member->address);
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
    struct operate_pool *pool = find_pool(balance, member->apex, member->owner);
    struct operate_entry *entry = mem_zalloc(1, sizeof *entry);
    entry->pool = pool ? pool : add_pool(balance, member);
    entry->address = member->address;
    entry->next = entry->pool->entries;
    entry->pool->entries = entry;
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
    free(pool);
}

static void drop_if_unused(struct balance *balance, struct operate_entry *entry)
{
    struct operate_pool *pool = entry->pool;
    struct operate_entry **at = &pool->entries;
    if (entry->orders[OPERATE_DRAIN] || entry->orders[OPERATE_FORCE] || entry->waiters || entry->passing_cnt)
        return;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    free(entry);
    if (!pool->entries)
        free_pool(balance, pool);
}

static struct operate_member member_of(const struct operate_entry *entry)
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
    const struct operate_pool *orders = find_pool(pool->balance, pool->zone->apex, pool->owner);
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

/* ==== last answers ==== */

static void note_ttl(struct balance_family *family, uint32_t ttl_sec)
{
    uint64_t now_ms = clock_mono_ms();
    if (!ttl_sec)
        return;
    if (now_ms >= family->cached_until_ms)
        family->cached_ttl_sec = 0;
    if (ttl_sec > family->cached_ttl_sec)
        family->cached_ttl_sec = ttl_sec;
    if (now_ms + ttl_sec * UINT64_C(1000) > family->cached_until_ms)
        family->cached_until_ms = now_ms + ttl_sec * UINT64_C(1000);
}

static uint32_t ttl_of(const struct pool_table *table)
{
    return table->outcome == POOL_ANSWER ? pool_table_ttl(table) : 0;
}

/* Of answers to clients of any class. */
static uint32_t most_ttl(const struct balance_family *family, const struct pool_table *table)
{
    uint32_t most_sec = 0;
    if (!table)
        return family->records.ttl;
    if (table->outcome != POOL_BY_CLASS)
        return ttl_of(table);
    const struct pool_classes *classes = pool_classes_of(table);
    for (unsigned i = 0; i < classes->owned_cnt; i++)
        most_sec = ttl_of(classes->owned[i]) > most_sec ? ttl_of(classes->owned[i]) : most_sec;
    return most_sec;
}

void operate_note_ttls(struct balance_family *family, const struct pool_table *next)
{
    struct balance *balance = family->pool->balance;
    uint32_t next_sec = next ? most_ttl(family, next) : 0;
    balance->ttl_most_sec = next_sec > balance->ttl_most_sec ? next_sec : balance->ttl_most_sec;
    if (balance->answering)
        note_ttl(family, most_ttl(family, compile_published(family)));
}

void operate_remember_cached(struct balance *balance, uint64_t until_wall_ms)
{
    uint64_t now_ms = clock_wall_ms();
    balance->former_until_ms = until_wall_ms > now_ms ? clock_mono_ms() + (until_wall_ms - now_ms) : 0;
}

/* Answers of a former process are in nobody's tables: nobody knows which of them had the address. */
static uint32_t former_ttl_sec(const struct balance *balance)
{
    uint64_t now_ms = clock_mono_ms(), until_ms = balance->former_until_ms;
    return until_ms > now_ms ? (uint32_t)((until_ms - now_ms + 999) / 1000) : 0;
}

uint64_t operate_cached_until(const struct balance *balance)
{
    uint32_t former_sec = former_ttl_sec(balance), most_sec = balance->ttl_most_sec;
    return clock_wall_ms() + (former_sec > most_sec ? former_sec : most_sec) * UINT64_C(1000);
}

static void tell_change(struct balance *balance, const struct operate_entry *entry)
{
    const struct operate_member member = member_of(entry);
    if (balance->order_change)
        balance->order_change(balance->order_change_arg, &member, entry->orders[OPERATE_DRAIN]);
}

static void after_grace(struct grace *grace)
{
    struct passing *passing = container_of(grace, struct passing, grace);
    struct balance *balance = passing->balance;
    struct operate_entry *entry = passing->entry;
    struct operate_order *drain = entry->orders[OPERATE_DRAIN];
    struct waiter *waiters = passing->waiters;
    balance->passing_cnt--;
    entry->passing_cnt--;
    if (drain && passing->is_without && entry->given == passing->given && !drain->last_answer_wall_ms) {
        drain->last_answer_wall_ms = clock_wall_ms();
        drain->ttl_sec = passing->ttl_sec;
        tell_change(balance, entry);
    }
    drop_if_unused(balance, entry);
    free(passing);
    for (struct waiter *waiter = waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->fn(waiter->arg);
        free(waiter);
    }
}

static bool gives(const struct pool_table *table, const struct addr *address)
{
    return table->outcome == POOL_ANSWER && pool_table_inclusion(table, address) > 0;
}

/* To clients of any class. */
static bool answers_with(const struct balance_family *family, const struct addr *address)
{
    const struct pool_table *published = compile_published(family);
    bool is_given = false;
    if (!published) /* the rrset is answered whole */
        return true;
    if (published->outcome != POOL_BY_CLASS)
        return gives(published, address);
    const struct pool_classes *classes = pool_classes_of(published);
    for (unsigned i = 0; i < classes->owned_cnt && !is_given; i++)
        is_given = gives(classes->owned[i], address);
    return is_given;
}

static void pass(struct balance *balance, struct operate_entry *entry, const struct passing *as)
{
    struct passing *passing = mem_dup(as, sizeof *as);
    passing->balance = balance;
    passing->entry = entry;
    passing->waiters = entry->waiters;
    passing->given = entry->given;
    entry->waiters = NULL;
    entry->passing_cnt++;
    balance->passing_cnt++;
    grace_after(&passing->grace, balance->post, after_grace);
}

/* Where no table gave the address since we know of the drain, nobody can say which TTL it once had: that of the
 * settings then. */
static void begin_passing(struct balance_family *family, struct operate_entry *entry)
{
    struct balance *balance = family->pool->balance;
    struct operate_order *drain = entry->orders[OPERATE_DRAIN];
    bool is_with = answers_with(family, &entry->address);
    uint32_t ttl_sec = family->cached_ttl_sec ? family->cached_ttl_sec : family->settings.ttl_sec;
    uint32_t former_sec = former_ttl_sec(balance);
    ttl_sec = former_sec > ttl_sec ? former_sec : ttl_sec;
    entry->given += is_with;
    if (drain && is_with && drain->last_answer_wall_ms) {
        drain->last_answer_wall_ms = 0;
        tell_change(balance, entry);
    }
    if (entry->waiters || (drain && !is_with && !drain->last_answer_wall_ms))
        pass(balance, entry, &(struct passing){.is_without = !is_with, .ttl_sec = ttl_sec});
}

void operate_published(struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    const struct operate_pool *orders = find_pool(pool->balance, pool->zone->apex, pool->owner);
    for (struct operate_entry *entry = orders ? orders->entries : NULL; entry; entry = entry->next)
        if (entry->address.family == balance_families[family->index])
            begin_passing(family, entry);
}

/* It has no tables any more that could tell anything; the last answers stay what they were. */
void operate_lost(struct balance_pool *pool)
{
    const struct operate_pool *orders = find_pool(pool->balance, pool->zone->apex, pool->owner);
    for (struct operate_entry *entry = orders ? orders->entries : NULL; entry; entry = entry->next)
        if (entry->waiters)
            pass(pool->balance, entry, &(struct passing){.is_without = false});
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
    drop_if_unused(balance, entry);
}

const struct operate_order *operate_get(const struct balance *balance, const struct operate_member *member,
                                        enum operate_kind kind)
{
    const struct operate_entry *entry = find(balance, member);
    return entry ? entry->orders[kind] : NULL;
}

void operate_each(const struct balance *balance,
                  void (*fn)(void *arg, const struct operate_member *member, enum operate_kind kind,
                             const struct operate_order *order),
                  void *arg)
{
    for (const struct ring *at = balance->order_pools.after; at != &balance->order_pools; at = at->after) {
        const struct operate_pool *pool = container_of(at, const struct operate_pool, all);
        for (const struct operate_entry *entry = pool->entries; entry; entry = entry->next)
            for (unsigned kind = 0; kind < OPERATE_KIND_CNT; kind++)
                if (entry->orders[kind])
                    fn(arg, &(struct operate_member){pool->apex, pool->owner, entry->address}, (enum operate_kind)kind,
                       entry->orders[kind]);
    }
}

void operate_when_served(struct balance *balance, const struct operate_member *member, void (*fn)(void *arg), void *arg)
{
    struct operate_entry *entry = find(balance, member);
    if (!entry)
        entry = add(balance, member);
    if (!find_family(balance, entry)) {
        drop_if_unused(balance, entry);
        fn(arg);
        return;
    }
    struct waiter *waiter = mem_zalloc(1, sizeof *waiter), **end = &entry->waiters;
    *waiter = (struct waiter){.fn = fn, .arg = arg};
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

/* No passing is left. Whoever still waits for a table hears that none will come. */
void operate_fini(struct balance *balance)
{
    balance->order_change = NULL;
    while (!ring_is_empty(&balance->order_pools)) {
        struct operate_pool *pool = container_of(balance->order_pools.after, struct operate_pool, all);
        for (struct operate_entry *entry = pool->entries, *next; entry; entry = next) {
            next = entry->next;
            for (unsigned kind = 0; kind < OPERATE_KIND_CNT; kind++)
                free_order(entry->orders[kind]);
            for (struct waiter *waiter = entry->waiters, *after; waiter; waiter = after) {
                after = waiter->next;
                waiter->fn(waiter->arg);
                free(waiter);
            }
            free(entry);
        }
        free_pool(balance, pool);
    }
    map_fini(&balance->orders);
}
