/* What operate.c keeps of orders, and operate_passing.c follows to the last answers. Private to both. [control] */
#pragma once

#include "balance/private.h"

/* A name with orders. */
struct operate_pool {
    struct map_link link; /* by apex and owner */
    struct ring all;
    struct operate_entry **entries; /* by address; one at least */
    size_t cnt;
    const uint8_t *apex; /* within the owner */
    uint8_t owner[];
};

struct operate_entry {
    struct operate_pool *pool;
    struct addr address;
    struct operate_order *orders[OPERATE_KIND_CNT]; /* NULL: none */
    struct operate_waiter *waiters;                 /* for a table that is yet to come */
    uint32_t passing_cnt; /* passings that may look for it */
    bool is_given;  /* by the table that was published last */
    uint32_t given; /* rises with every table that answers with the address */
};

struct operate_waiter {
    struct operate_waiter *next;
    void (*fn)(void *arg);
    void *arg;
};

/* The orders of a name; NULL: there are none. */
struct operate_pool *operate_find_orders(const struct balance *balance, const uint8_t *apex, const uint8_t *owner);
/* Where the entry of that address is, or would be. */
size_t operate_place_of(const struct operate_pool *pool, const struct addr *address);
struct operate_member operate_member_of(const struct operate_entry *entry);
void operate_drop_if_unused(struct balance *balance, struct operate_entry *entry);
