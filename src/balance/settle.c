/* Who waits until every pool can be answered for. */
#include <stdlib.h>

#include "balance/private.h"
#include "base/mem.h"

bool balance_settled(const struct balance *balance)
{
    return !balance->waiting_cnt && !balance->job_cnt && ring_is_empty(&balance->rescans) &&
           ring_is_empty(&balance->urgent) && ring_is_empty(&balance->normal) && ring_is_empty(&balance->news);
}

static void on_settled(struct post_item *item)
{
    struct balance *balance = MAP_ITEM(item, struct balance, settled_item);
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
    while (balance->waiters) {
        struct balance_waiter *waiter = balance->waiters;
        balance->waiters = waiter->next;
        free(waiter);
    }
}
