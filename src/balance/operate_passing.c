/* From a table that no longer answers with somebody to the last answer that did. */
#include <stdlib.h>
#include <string.h>

#include "balance/operate_entry.h"
#include "base/clock.h"
#include "base/mem.h"
#include "zone/image.h"

/* A table was published; what was before it ends with a grace period. */
struct passing {
    struct grace grace;
    struct balance *balance;
    struct operate_entry *entry;
    struct operate_waiter *waiters;
    uint32_t given, ttl_sec;
    bool is_without; /* the table does not answer with the address */
};

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

/* No pool answers with a TTL of more than a week: what is later was written by another clock. */
void operate_remember_cached(struct balance *balance, uint64_t until_wall_ms)
{
    enum { WEEK_MS = 7 * 24 * 3600 * 1000 };
    uint64_t now_ms = clock_wall_ms(), left_ms = until_wall_ms > now_ms ? until_wall_ms - now_ms : 0;
    balance->former_until_ms = left_ms ? clock_mono_ms() + (left_ms < WEEK_MS ? left_ms : WEEK_MS) : 0;
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
    const struct operate_member member = operate_member_of(entry);
    if (balance->order_change)
        balance->order_change(balance->order_change_arg, &member, entry->orders[OPERATE_DRAIN]);
}

static void after_grace(struct grace *grace)
{
    struct passing *passing = container_of(grace, struct passing, grace);
    struct balance *balance = passing->balance;
    struct operate_entry *entry = passing->entry;
    struct operate_order *drain = entry->orders[OPERATE_DRAIN];
    struct operate_waiter *waiters = passing->waiters;
    balance->passing_cnt--;
    entry->passing_cnt--;
    if (drain && passing->is_without && entry->given == passing->given && !drain->last_answer_wall_ms) {
        drain->last_answer_wall_ms = clock_wall_ms();
        drain->ttl_sec = passing->ttl_sec;
        tell_change(balance, entry);
    }
    operate_drop_if_unused(balance, entry);
    free(passing);
    for (struct operate_waiter *waiter = waiters, *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->fn(waiter->arg);
        free(waiter);
    }
}

/* ---- who is in a table: asked once for all orders of a pool, as each may have one for a thousand members */

struct range {
    struct operate_entry **entries;
    size_t cnt;
};

/* The orders of a family's addresses. */
static struct range orders_of(const struct balance_family *family)
{
    static const struct addr first[2] = {{.family = ADDR_V4}, {.family = ADDR_V6}};
    const struct balance_pool *pool = family->pool;
    const struct operate_pool *orders = operate_find_orders(pool->balance, pool->zone->apex, pool->owner);
    size_t from = orders && family->index ? operate_place_of(orders, &first[1]) : 0;
    size_t end = !orders ? 0 : family->index ? orders->cnt : operate_place_of(orders, &first[1]);
    return (struct range){orders ? orders->entries + from : NULL, end - from};
}

static int cmp_entry(const void *key, const void *item)
{
    return addr_cmp(key, &(*(struct operate_entry *const *)item)->address);
}

static void mark_given(const struct range *orders, const struct pool_table *table, struct addr *address)
{
    if (table->outcome != POOL_ANSWER)
        return;
    for (unsigned s = 0; s < table->set_cnt; s++)
        for (unsigned i = 0; i < table->sets[s].rr_cnt; i++) {
            const uint8_t *rr = table->bytes + table->sets[s].at + i * table->rr_len;
            memcpy(address->bytes, rr + IMAGE_RR_FIXED_LEN, addr_len(address));
            struct operate_entry **found =
                bsearch(address, orders->entries, orders->cnt, sizeof *orders->entries, cmp_entry);
            if (found)
                (*found)->is_given = true;
        }
}

/* To clients of any class. */
static void mark_all_given(const struct balance_family *family, const struct range *orders)
{
    const struct pool_table *published = compile_published(family);
    struct addr address = {.family = (uint8_t)balance_families[family->index]};
    for (size_t i = 0; i < orders->cnt; i++)
        orders->entries[i]->is_given = !published; /* then the rrset is answered whole */
    if (!published)
        return;
    if (published->outcome != POOL_BY_CLASS) {
        mark_given(orders, published, &address);
        return;
    }
    const struct pool_classes *classes = pool_classes_of(published);
    for (unsigned i = 0; i < classes->owned_cnt; i++)
        mark_given(orders, classes->owned[i], &address);
}

/* ---- */

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
    bool is_with = entry->is_given;
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
    const struct range orders = orders_of(family);
    if (!orders.cnt)
        return;
    mark_all_given(family, &orders);
    for (size_t i = 0; i < orders.cnt; i++)
        begin_passing(family, orders.entries[i]);
}

/* It has no tables any more that could tell anything; the last answers stay what they were. */
void operate_lost(struct balance_pool *pool)
{
    const struct operate_pool *orders = operate_find_orders(pool->balance, pool->zone->apex, pool->owner);
    for (size_t i = 0; orders && i < orders->cnt; i++)
        if (orders->entries[i]->waiters)
            pass(pool->balance, orders->entries[i], &(struct passing){.is_without = false});
}
