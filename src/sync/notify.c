#include "sync/notify.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dns/name.h"

void notify_init(struct notify *n, struct random_state *rng)
{
    *n = (struct notify){.rng = rng};
}

void notify_fini(struct notify *n)
{
    free(n->targets);
    n->targets = NULL;
    n->target_cnt = 0;
}

/* ---- targets */

static bool same_peer(const struct sync_peer *a, const struct sync_peer *b)
{
    if (addr_cmp(&a->addr, &b->addr) || !a->key != !b->key)
        return false;
    return !a->key || name_equal(a->key->name, b->key->name);
}

static const struct notify_target *find(const struct notify_target *targets, uint32_t cnt,
                                        const struct sync_peer *peer)
{
    for (uint32_t i = 0; i < cnt; i++)
        if (same_peer(&targets[i].peer, peer))
            return &targets[i];
    return NULL;
}

/* The same ones at the same places: what is under way finds its target. */
static bool are_same(const struct notify *n, const struct sync_peer *peers, uint32_t cnt)
{
    bool same = cnt == n->target_cnt;
    for (uint32_t i = 0; same && i < cnt; i++)
        same = same_peer(&n->targets[i].peer, &peers[i]);
    return same;
}

void notify_set_targets(struct notify *n, const struct sync_peer *peers, uint32_t cnt)
{
    n->round += !are_same(n, peers, cnt);
    struct notify_target *targets = mem_zalloc(cnt, sizeof *targets);
    uint64_t new_due_ms = n->has_announced && !n->is_waiting ? 0 : NOTIFY_NEVER;
    for (uint32_t i = 0; i < cnt; i++) {
        const struct notify_target *was = find(n->targets, n->target_cnt, &peers[i]);
        targets[i] = was ? *was : (struct notify_target){.due_ms = new_due_ms, .last_rcode = NOTIFY_NO_ANSWER};
        targets[i].peer = peers[i];
    }
    free(n->targets);
    n->targets = targets;
    n->target_cnt = cnt;
}

/* ---- announcements */

/* When the changes that wait are due. */
static uint64_t waiting_due_ms(const struct notify *n)
{
    if (!n->is_waiting)
        return NOTIFY_NEVER;
    if (!n->has_announced || n->first_ms - n->announced_ms >= NOTIFY_REST_MS)
        return n->first_ms;
    uint64_t quiet_ms = n->last_ms + NOTIFY_QUIET_MS, latest_ms = n->first_ms + NOTIFY_LATEST_MS;
    return quiet_ms < latest_ms ? quiet_ms : latest_ms;
}

static void announce(struct notify *n, uint64_t now_ms)
{
    n->is_waiting = false;
    n->has_announced = true;
    n->announced_ms = now_ms;
    n->round++;
    for (uint32_t i = 0; i < n->target_cnt; i++) {
        n->targets[i].due_ms = now_ms;
        n->targets[i].try = 0;
    }
}

void notify_serial(struct notify *n, uint32_t serial, uint64_t now_ms)
{
    if (n->has_serial && serial == n->serial)
        return;
    n->has_serial = true;
    n->serial = serial;
    n->last_ms = now_ms;
    if (!n->is_waiting)
        n->first_ms = now_ms;
    n->is_waiting = true;
}

bool notify_now(struct notify *n, uint64_t now_ms)
{
    if (n->has_serial)
        announce(n, now_ms);
    return n->has_serial;
}

/* ---- steps */

uint64_t notify_due_ms(const struct notify *n)
{
    uint64_t due_ms = waiting_due_ms(n);
    for (uint32_t i = 0; i < n->target_cnt; i++)
        if (n->targets[i].due_ms < due_ms)
            due_ms = n->targets[i].due_ms;
    return due_ms;
}

static uint64_t wait_ms(const struct notify *n, unsigned try)
{
    uint32_t least_ms = (uint32_t)NOTIFY_FIRST_WAIT_MS << try;
    return least_ms + random_below(n->rng, least_ms + 1);
}

/* False: it has been given up, as it was the last time. */
static bool take_step(struct notify *n, struct notify_step *step, uint32_t i, uint64_t now_ms)
{
    struct notify_target *target = &n->targets[i];
    *step = (struct notify_step){NOTIFY_SEND, i, n->round, n->serial, target->try, &target->peer};
    if (target->try < NOTIFY_TRIES) {
        target->due_ms = now_ms + wait_ms(n, target->try++);
        return true;
    }
    bool was_silent = target->is_silent;
    target->due_ms = NOTIFY_NEVER;
    target->is_silent = true;
    step->kind = NOTIFY_GIVE_UP;
    return !was_silent;
}

bool notify_next(struct notify *n, struct notify_step *step, uint64_t now_ms)
{
    if (now_ms >= waiting_due_ms(n))
        announce(n, now_ms);
    for (uint32_t i = 0; i < n->target_cnt; i++)
        if (now_ms >= n->targets[i].due_ms && take_step(n, step, i, now_ms))
            return true;
    return false;
}

enum notify_verdict notify_answered(struct notify *n, uint32_t i, uint32_t round, unsigned rcode)
{
    if (round != n->round || i >= n->target_cnt || !n->targets[i].try || n->targets[i].due_ms == NOTIFY_NEVER)
        return NOTIFY_IGNORED;
    struct notify_target *target = &n->targets[i];
    bool is_told = target->last_rcode == rcode;
    target->due_ms = NOTIFY_NEVER;
    target->is_silent = false;
    target->last_rcode = (uint8_t)rcode;
    return rcode == RCODE_NOERROR || is_told ? NOTIFY_DONE : NOTIFY_REFUSED;
}

bool notify_has_answered(const struct notify_target *target)
{
    return target->try && target->due_ms == NOTIFY_NEVER && !target->is_silent;
}

uint32_t notify_answered_cnt(const struct notify *n)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < n->target_cnt; i++)
        cnt += notify_has_answered(&n->targets[i]);
    return cnt;
}
