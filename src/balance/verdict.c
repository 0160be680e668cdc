/* What the prober says, and what is told of it to people. */
#include <stdio.h>
#include <stdlib.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* Lines of one kind in ten seconds; the rest are counted, and the sum is told ten seconds later. */
enum { LINES_MOST = 20, SUMMARY_AFTER_MS = 10000 };

static void on_summary(uv_timer_t *timer) { verdict_summary(container_of(timer, struct balance, summary)); }

static bool may_tell(struct balance *balance, enum balance_line line)
{
    /* What is counted here needs no second account there. */
    balance->rates[line].suppressed = 0;
    if (log_rate_ok(&balance->rates[line], LINES_MOST))
        return true;
    balance->suppressed[line]++;
    if (!uv_is_active((uv_handle_t *)&balance->summary))
        uv_timer_start(&balance->summary, on_summary, SUMMARY_AFTER_MS, 0);
    return false;
}

bool verdict_may_tell_state(struct balance *balance) { return may_tell(balance, LINE_STATE); }

void verdict_summary(struct balance *balance)
{
    size_t *cnt = balance->suppressed;
    if (cnt[LINE_DOWN] || cnt[LINE_UP] || cnt[LINE_STATE])
        log_warning("pools: not told one by one, because they were many: members went down %zu times and came up %zu "
                    "times, whole pools changed their state %zu times",
                    cnt[LINE_DOWN], cnt[LINE_UP], cnt[LINE_STATE]);
    cnt[LINE_DOWN] = cnt[LINE_UP] = cnt[LINE_STATE] = 0;
}

/* ---- verdicts */

static void tell_verdict(const struct balance_family *family, uint32_t index, const char *reason)
{
    const struct pool_member *member = &family->members[index];
    char owner[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    bool down = member->verdict == HEALTH_DOWN;
    if (!may_tell(family->pool->balance, down ? LINE_DOWN : LINE_UP))
        return;
    log_write(down ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "pool \"%s\": %s is %s (%s), %u of %u up",
              name_to_text_bare(owner, family->pool->owner), addr_to_text(address, &member->address),
              health_verdict_name(member->verdict), reason, family->up_cnt, family->cnt);
}

void balance_on_change(struct balance *balance, void (*fn)(void *arg, const struct balance_change *change), void *arg)
{
    balance->on_change = fn;
    balance->on_change_arg = arg;
}

void verdict_tell_change(const struct balance_family *family, uint32_t member, const char *before, const char *now,
                         const char *reason)
{
    const struct balance *balance = family->pool->balance;
    const struct balance_change change = {
        .apex = family->pool->zone->apex,
        .owner = family->pool->owner,
        .member = &family->members[member].address,
        .before = before,
        .now = now,
        .reason = reason,
    };
    if (balance->on_change)
        balance->on_change(balance->on_change_arg, &change);
}

/* Of who is down, that is what there is to know. */
static void tell_drain(const struct balance_family *family, uint32_t index, const char *reason)
{
    const struct pool_member *member = &family->members[index];
    const char *verdict = health_verdict_name(member->verdict);
    char owner[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    if (member->verdict != HEALTH_DOWN)
        verdict_tell_change(family, index, member->weight ? "drained" : verdict, member->weight ? verdict : "drained",
                            reason);
    if (!may_tell(family->pool->balance, LINE_UP))
        return;
    log_notice("pool \"%s\": %s is %s (%s)", name_to_text_bare(owner, family->pool->owner),
               addr_to_text(address, &member->address), member->weight ? "no longer drained" : "drained", reason);
}

bool verdict_refresh(struct balance_family *family, uint32_t index, const char *reason)
{
    enum health_verdict before = family->members[index].verdict;
    bool was_drained = !family->members[index].weight;
    if (!members_refresh(family, index))
        return false;
    enum health_verdict now = family->members[index].verdict;
    if (now != before) {
        tell_verdict(family, index, reason);
        verdict_tell_change(family, index, health_verdict_name(before), health_verdict_name(now), reason);
    }
    if (was_drained != !family->members[index].weight)
        tell_drain(family, index, reason);
    const struct balance *balance = family->pool->balance;
    bool is_undone = balance->hold.is_on && checks_restored(balance, &family->sides[index]);
    if (is_undone)
        failback_undo(family, balance->hold.moment_ms);
    work_queue(family->pool, TODO_COMPILE_A << family->index,
               is_undone || (now == HEALTH_DOWN && before != HEALTH_DOWN));
    return true;
}

static void tell_member(const struct balance_check *check, const char *reason)
{
    if (check->family)
        verdict_refresh(check->family, check->member, reason);
}

/* ---- walks through the checks of a target */

/* A piece; true: that was the last. */
static bool walk_some(struct balance_walk *walk)
{
    enum { PIECE_MOST = 64 }; /* with all out of the processor's caches, some 0.1 ms */
    for (unsigned n = 0; n < PIECE_MOST; n++) {
        if (!walk->at && walk->wraps) {
            walk->at = walk->target->checks;
            walk->wraps = false;
        }
        if (walk->at == walk->end && !walk->wraps)
            return true;
        const struct balance_check *check = walk->at;
        walk->at = check->next;
        tell_member(check, walk->reason);
    }
    return false;
}

static void queue_walk(struct balance *balance, struct balance_walk *walk)
{
    ring_add(walk->target->verdict == HEALTH_DOWN ? &balance->death_walks : &balance->walks, &walk->ring);
}

/* It goes on where it is, and round to there: one who speaks all the time is heard by all members even so. */
static void walk_again(struct balance *balance, struct balance_walk *walk)
{
    walk->end = walk->at;
    walk->wraps = true;
    ring_remove(&walk->ring);
    queue_walk(balance, walk);
}

bool verdict_one(struct balance *balance)
{
    struct ring *ring = &balance->death_walks;
    if (ring_is_empty(ring) && ring_is_empty(&balance->urgent))
        ring = &balance->walks;
    if (ring_is_empty(ring))
        return false;
    struct balance_walk *walk = container_of(ring->after, struct balance_walk, ring);
    if (walk_some(walk))
        verdict_end_walk(walk->target);
    return true;
}

void verdict_pass_over(const struct balance_check *check)
{
    struct balance_walk *walk = check->target->walk;
    if (!walk)
        return;
    if (walk->at == check)
        walk->at = check->next;
    if (walk->end == check)
        walk->end = check->next;
}

void verdict_end_walk(struct balance_target *target)
{
    if (!target->walk)
        return;
    ring_remove(&target->walk->ring);
    free(target->walk);
    target->walk = NULL;
}

/* ---- events */

void verdict_spread(struct balance *balance, struct balance_target *target, const char *reason)
{
    struct balance_walk first = {.target = target, .at = target->checks}, *walk = target->walk ? target->walk : &first;
    snprintf(walk->reason, sizeof walk->reason, "%s", reason);
    if (target->walk) {
        walk_again(balance, walk);
    } else if (!walk_some(walk)) { /* most have few */
        target->walk = mem_dup(walk, sizeof *walk);
        ring_init(&target->walk->ring);
        queue_walk(balance, target->walk);
    }
}

void verdict_keep(const struct balance *balance, uint32_t target)
{
    if (balance->on_verdict)
        balance->on_verdict(balance->on_verdict_arg, target);
}

static void take_event(struct balance *balance, const struct probe_event *event)
{
    struct balance_target *target = checks_find_target(balance, event->target);
    if (!target)
        return;
    target->drains = event->measure.drains;
    hold_take_event(balance, target, event);
    verdict_keep(balance, event->target);
    verdict_spread(balance, target, event->reason);
}

bool verdict_take(struct balance *balance, uint64_t end_us)
{
    enum { BETWEEN_LOOKS = 4 }; /* at the clock; an event is a piece of a walk */
    struct probe_event event;
    for (unsigned n = 1; balance->probe && probe_next(balance->probe, &event); n++) {
        take_event(balance, &event);
        if (n % BETWEEN_LOOKS == 0 && clock_mono_us() >= end_us)
            return true;
    }
    return false;
}

/* ---- whole pools */

static const char *what_is_answered(const struct balance_family *family)
{
    switch (family->settings.all_down) {
    case POOL_SERVE_ALL:
        return "answered as if all were up";
    case POOL_SERVE_NONE:
        return "answered without addresses";
    case POOL_SERVFAIL:
        return "answered SERVFAIL";
    case POOL_FALLBACK:
        break;
    }
    for (size_t i = 0; i < family->group->fallback_cnt; i++)
        if (family->group->fallback[i].family == balance_families[family->index])
            return "answered with the addresses of \"all_down\"";
    return "answered without addresses, as \"all_down\" has none of this family";
}

static void tell_down(const struct balance_family *family, const char *owner)
{
    /* Drained ones may well be up. */
    const char *which = family->up_cnt ? " that is not drained" : "";
    log_error("pool \"%s\": every %s member%s is down, %s", owner, balance_types[family->index], which,
              what_is_answered(family));
}

/* Who has no verdict yet is no news of a pool that was down. */
static bool is_all_down(const struct balance_family *family, const struct pool_choice *choice)
{
    return choice->state == POOL_ALL_DOWN || (family->all_down && choice->unknown);
}

void verdict_tell_state(struct balance_family *family, const struct pool_choice *choice)
{
    struct balance *balance = family->pool->balance;
    const char *type = balance_types[family->index];
    bool was_down = family->all_down, is_down = is_all_down(family, choice);
    bool was_drained = family->all_drained, all_drained = choice->all_drained;
    char owner[NAME_TEXT_MAX];
    family->state = choice->state;
    family->all_drained = all_drained;
    family->all_down = is_down;
    settle_wait(family, choice->unknown);
    count_update(family);
    if (was_down == is_down && was_drained == all_drained)
        return;
    name_to_text_bare(owner, family->pool->owner);
    if (all_drained && !was_drained && may_tell(balance, LINE_STATE))
        log_warning("pool \"%s\": every %s member is drained, so drains are ignored", owner, type);
    if (was_drained && !all_drained && may_tell(balance, LINE_STATE))
        log_notice("pool \"%s\": no longer is every %s member drained", owner, type);
    if (is_down && !was_down && may_tell(balance, LINE_STATE))
        tell_down(family, owner);
    if (was_down && !is_down && choice->cnt && may_tell(balance, LINE_STATE))
        log_notice("pool \"%s\": %s members are up again", owner, type);
}
