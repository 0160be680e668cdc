/* What operators order: a member is drained, or counts as up or down whatever its checks say. An order is for a name's
 * address, not for a member that there is: it holds whenever the address is a member, over reloads and versions, and
 * ends when it is lifted. Who keeps it over a restart, and lifts it in time, is the caller. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balance/balance.h"
#include "base/addr.h"
#include "base/attr.h"
#include "health/health.h"

enum operate_kind { OPERATE_DRAIN, OPERATE_FORCE };
enum { OPERATE_KIND_CNT = OPERATE_FORCE + 1 };

/* Whom an order is for. */
struct operate_member {
    const uint8_t *apex, *owner; /* wire, lower-cased */
    struct addr address;         /* without port */
};

struct operate_order {
    enum health_verdict forced; /* OPERATE_FORCE: what it counts as */
    uint64_t since_wall_ms;
    uint64_t until_wall_ms; /* 0: until it is lifted */
    int64_t uid, pid;       /* who gave it; -1: unknown */
    const char *reason;     /* "": none was given */
    /* OPERATE_DRAIN: when the last answer with the member was given, or can have been; 0: it may be given yet, for
     * the drain is not in force that long, or because drains are ignored where all are drained. And the largest TTL of
     * answers that were with clients then. */
    uint64_t last_answer_wall_ms;
    uint32_t ttl_sec;
};

/* Puts an order (copied) in force in place of the one of that kind that there may be; NULL: lifts that. A drain that
 * takes another's place keeps what that knew of the last answer. Tables follow in slices. */
void operate_set(struct balance *balance, const struct operate_member *member, enum operate_kind kind,
                 const struct operate_order *order) ATTR_NONNULL(1, 2);
/* NULL: there is none. Valid until the next change of orders. */
const struct operate_order *operate_get(const struct balance *balance, const struct operate_member *member,
                                        enum operate_kind kind) ATTR_NONNULL_ALL;
/* All of them, in no order; `fn` may not change any. */
void operate_each(const struct balance *balance,
                  void (*fn)(void *arg, const struct operate_member *member, enum operate_kind kind,
                             const struct operate_order *order),
                  void *arg) ATTR_NONNULL(1, 2);
/* Calls `fn` once, when answers are given by tables that know all orders for the member so far, and by none from before
 * any more; at once where it is no member. */
void operate_when_served(struct balance *balance, const struct operate_member *member, void (*fn)(void *arg), void *arg)
    ATTR_NONNULL(1, 2, 3);
/* `fn` is called whenever more becomes known of a drain's last answer. One at a time; NULL: nobody. */
void operate_on_change(struct balance *balance,
                       void (*fn)(void *arg, const struct operate_member *member, const struct operate_order *drain),
                       void *arg) ATTR_NONNULL(1);
/* Until when resolvers may have answers that were given up to now; by wall clock, and no earlier than it is true. */
uint64_t operate_cached_until(const struct balance *balance) ATTR_NONNULL_ALL;
/* What a former process said of that: no drain is told to be safe before then. */
void operate_remember_cached(struct balance *balance, uint64_t until_wall_ms) ATTR_NONNULL_ALL;
