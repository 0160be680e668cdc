/* Who waits until every pool follows its zone, or can be answered for. */
#include <assert.h>
#include <stdlib.h>

#include "balance/hosts.h"
#include "balance/private.h"
#include "base/mem.h"

static bool is_idle(const struct balance *balance)
{
    return ring_is_empty(&balance->rescans) && ring_is_empty(&balance->urgent) && ring_is_empty(&balance->normal) &&
           ring_is_empty(&balance->news) && ring_is_empty(&balance->leaving) &&
           ring_is_empty(&balance->death_walks) && ring_is_empty(&balance->walks) &&
           !hosts_have_news(balance->hosts);
}

/* ---- all is done */

static void on_followed(struct post_item *item)
{
    struct balance *balance = container_of(item, struct balance, followed_item);
    struct balance_waiter follower = balance->follower;
    balance->followed_sent = false;
    if (!is_idle(balance))
        return; /* the slice that ends it comes here again */
    if (balance->found)
        diag_merge(balance->follower_diag, balance->found);
    diag_free(balance->found);
    balance->found = NULL;
    balance->loading = false;
    hosts_stir(balance->hosts);
    work_post(balance); /* for who was parked */
    balance->follower.fn = NULL;
    follower.fn(follower.arg);
}

static void check_followed(struct balance *balance)
{
    if (!balance->follower.fn || balance->followed_sent || !is_idle(balance))
        return;
    balance->followed_sent = true;
    post_send(balance->post, &balance->followed_item, on_followed);
}

void balance_when_followed(struct balance *balance, struct diag *diag, void (*fn)(void *arg), void *arg)
{
    assert(!balance->follower.fn);
    balance->follower = (struct balance_waiter){.fn = fn, .arg = arg};
    balance->follower_diag = diag;
    check_followed(balance);
}

/* ---- all is known */

void settle_wait(struct balance_family *family, bool waiting)
{
    struct balance *balance = family->pool->balance;
    waiting &= balance->probe != NULL;
    if (waiting != family->waiting)
        balance->waiting_cnt += waiting ? 1 : (size_t)-1;
    family->waiting = waiting;
}

bool balance_settled(const struct balance *balance)
{
    return !balance->waiting_cnt && !balance->job_cnt && is_idle(balance) && !hosts_are_pending(balance->hosts);
}

static void on_settled(struct post_item *item)
{
    struct balance *balance = container_of(item, struct balance, settled_item);
    struct balance_waiter *waiter = balance->waiters;
    balance->settled_sent = false;
    if (!waiter || !balance_settled(balance))
        return;
    balance->waiters = waiter->next;
    settle_check(balance); /* the next one; and `fn` may end the balance */
    waiter->fn(waiter->arg);
    free(waiter);
}

void settle_check(struct balance *balance)
{
    check_followed(balance);
    if (!balance->waiters || balance->settled_sent || !balance_settled(balance))
        return;
    balance->settled_sent = true;
    post_send(balance->post, &balance->settled_item, on_settled);
}

void balance_when_settled(struct balance *balance, void (*fn)(void *arg), void *arg)
{
    struct balance_waiter *waiter = mem_zalloc(1, sizeof *waiter), **end = &balance->waiters;
    *waiter = (struct balance_waiter){.fn = fn, .arg = arg};
    while (*end)
        end = &(*end)->next;
    *end = waiter;
    settle_check(balance);
}

void settle_fini(struct balance *balance)
{
    diag_free(balance->found);
    while (balance->waiters) {
        struct balance_waiter *waiter = balance->waiters;
        balance->waiters = waiter->next;
        free(waiter);
    }
}
