#include "admin/member.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/view_json.h"
#include "admin/view_pools.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/opt.h"
#include "ctl/text.h"

/* ---- what was meant */

enum { SUGGEST_US = 1000, SLICE_US = 500 };

struct suggesting {
    const char *word;
    unsigned distance;
    char best[NAME_TEXT_MAX];
};

/* "www" for "www.example.com" is nearer than any misspelling. */
static void suggest(void *arg, const struct balance_pool_view *pool)
{
    struct suggesting *suggesting = arg;
    char name[NAME_TEXT_MAX];
    size_t len = strlen(suggesting->word);
    name_to_text_bare(name, pool->owner);
    bool begins = len && !strncmp(name, suggesting->word, len) && name[len] == '.';
    if (begins && suggesting->distance)
        suggesting->distance = 0;
    else if (!opt_is_nearer(name, suggesting->word, &suggesting->distance))
        return;
    memcpy(suggesting->best, name, sizeof name);
}

/* Among as many pools as there is time to look at: hundreds. */
static char *no_pool(const struct balance *balance, const char *word)
{
    struct suggesting suggesting = {.word = word, .distance = UINT_MAX};
    uint64_t end_us = clock_mono_us() + SUGGEST_US;
    uint32_t at = 0;
    while (!balance_walk_pools(balance, &at, SLICE_US, suggest, &suggesting) && clock_mono_us() < end_us)
        continue;
    if (*suggesting.best)
        return mem_printf("\"%s\" is no pool; did you mean \"%s\"?", word, suggesting.best);
    return mem_printf("\"%s\" is no pool; \"rondoctl pools\" shows all", word);
}

/* ---- the search */

enum { LISTED_MOST = 8, LIST_MAX = (LISTED_MOST + 1) * (ADDR_TEXT_MAX + 2) + 32 };

struct search {
    struct member_ask *ask;
    struct addr address;
    size_t pool_cnt, member_cnt; /* of that name */
    char list[LIST_MAX];         /* of members */
    size_t list_len;
};

static void list_member(struct search *search, const struct addr *address)
{
    char text[ADDR_TEXT_MAX];
    if (search->member_cnt++ >= LISTED_MOST)
        return;
    search->list_len += (size_t)snprintf(search->list + search->list_len, LIST_MAX - search->list_len, "%s%s",
                                         search->list_len ? ", " : "", addr_to_text(text, address));
}

static void add_member(struct member_ask *ask, const uint8_t *apex, const struct addr *address)
{
    struct operate_member *members =
        arena_alloc(&ask->arena, (ask->cnt + 1) * sizeof *members, _Alignof(struct operate_member));
    if (ask->cnt)
        memcpy(members, ask->members, ask->cnt * sizeof *members);
    members[ask->cnt++] =
        (struct operate_member){arena_dup(&ask->arena, apex, name_len(apex), 1), ask->owner, *address};
    ask->members = members;
}

static void search_pool(void *arg, const struct balance_pool_view *pool)
{
    struct search *search = arg;
    search->pool_cnt++;
    for (size_t i = 0; i < pool->member_cnt; i++) {
        list_member(search, &pool->members[i].address);
        if (addr_same_host(&pool->members[i].address, &search->address))
            add_member(search->ask, pool->apex, &search->address);
    }
}

static char *no_member(const struct search *search, const char *pool, const char *address)
{
    const char *what = search->address.family == ADDR_NONE ? "is no address" : "is no member of it";
    size_t more = search->member_cnt > LISTED_MOST ? search->member_cnt - LISTED_MOST : 0;
    if (!search->member_cnt)
        return mem_printf("pool \"%s\": \"%s\" %s; it has none", pool, address, what);
    if (more)
        return mem_printf("pool \"%s\": \"%s\" %s; it has %s and %zu more", pool, address, what, search->list, more);
    return mem_printf("pool \"%s\": \"%s\" %s; it has %s", pool, address, what, search->list);
}

/* False: the name is none. */
static bool read_words(struct search *search, struct member_ask *ask, const char *pool, const char *address)
{
    uint8_t wire[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];
    unsigned len;
    *search = (struct search){.ask = ask};
    arena_init(&ask->arena);
    ask->members = NULL;
    ask->cnt = 0;
    if (name_from_text(wire, &len, pool, strlen(pool), NULL))
        return false;
    name_to_lower(ask->owner, wire);
    ask->pool = arena_strdup(&ask->arena, name_to_text_bare(text, ask->owner));
    if (addr_from_text(&search->address, address))
        search->address = (struct addr){.family = ADDR_NONE};
    else
        addr_to_text(text, &search->address);
    ask->address = arena_strdup(&ask->arena, search->address.family == ADDR_NONE ? address : text);
    return true;
}

void member_ask_fini(struct member_ask *ask) { arena_fini(&ask->arena); }

char *member_find(struct member_ask *ask, const struct balance *balance, const char *pool, const char *address)
{
    struct search search;
    bool is_name = read_words(&search, ask, pool, address);
    if (is_name)
        balance_each_pool(balance, ask->owner, search_pool, &search);
    if (ask->cnt)
        return NULL;
    member_ask_fini(ask);
    return search.pool_cnt ? no_member(&search, pool, address) : no_pool(balance, pool);
}

struct order_search {
    struct search search;
    enum operate_kind kind;
};

static void search_order(void *arg, const struct operate_member *member, enum operate_kind kind,
                         const struct operate_order *order)
{
    struct order_search *orders = arg;
    (void)order;
    if (kind == orders->kind && name_equal(member->owner, orders->search.ask->owner) &&
        addr_same_host(&member->address, &orders->search.address))
        add_member(orders->search.ask, member->apex, &member->address);
}

static bool has_weight_0(const struct member_ask *ask, const struct balance *balance)
{
    json_t *zones = member_ask_json(ask, balance);
    size_t i;
    json_t *zone;
    bool has = false;
    json_array_foreach (zones, i, zone)
        has |= json_integer_value(json_object_get(json_object_get(zone, "member"), "weight")) == 0;
    json_decref(zones);
    return has;
}

char *member_find_order(struct member_ask *ask, const struct balance *balance, enum operate_kind kind, const char *pool,
                        const char *address)
{
    struct order_search orders = {.kind = kind};
    if (read_words(&orders.search, ask, pool, address) && orders.search.address.family != ADDR_NONE)
        operate_each(balance, search_order, &orders);
    if (ask->cnt)
        return NULL;
    member_ask_fini(ask);
    char *error = member_find(ask, balance, pool, address);
    if (error)
        return error;
    if (kind == OPERATE_FORCE)
        error = mem_printf("%s of pool \"%s\" is not forced", ask->address, ask->pool);
    else if (has_weight_0(ask, balance))
        error = mem_printf("%s of pool \"%s\" is not drained by order: its weight in the configuration is 0",
                           ask->address, ask->pool);
    else
        error = mem_printf("%s of pool \"%s\" is not drained", ask->address, ask->pool);
    member_ask_fini(ask);
    return error;
}

/* ---- the answer */

struct showing {
    const struct member_ask *ask;
    json_t *zones;
};

static void show_pool(void *arg, const struct balance_pool_view *pool)
{
    struct showing *showing = arg;
    char zone[NAME_TEXT_MAX];
    for (size_t i = 0; i < pool->member_cnt; i++) {
        if (!addr_same_host(&pool->members[i].address, &showing->ask->members[0].address))
            continue;
        json_array_append_new(showing->zones,
                              json_pack("{so ss ss so}",
                                        "zone", ctl_json_text(name_to_text_bare(zone, pool->apex)),
                                        "type", view_pool_type(pool->family),
                                        "state", view_pool_state_names[pool->state],
                                        "member", view_member_json(&pool->members[i], clock_wall_ms())));
    }
}

json_t *member_ask_json(const struct member_ask *ask, const struct balance *balance)
{
    struct showing showing = {ask, json_array()};
    balance_each_pool(balance, ask->owner, show_pool, &showing);
    return showing.zones;
}
