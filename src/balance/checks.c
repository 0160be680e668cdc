/* Members and the targets of the prober that speak for them. */
#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/mem.h"

/* ---- targets */

/* Ids count up from 1 and come again: their own low bits, spread, are a hash. */
static uint64_t id_hash(uint32_t id) { return id * UINT64_C(0x9e3779b97f4a7c15) >> 32; }

struct balance_target *checks_find_target(const struct balance *balance, uint32_t id)
{
    struct map_link *link = map_first(&balance->targets, id_hash(id));
    while (link && container_of(link, struct balance_target, link)->id != id)
        link = map_next(link);
    return link ? container_of(link, struct balance_target, link) : NULL;
}

/* That of a changed probe may be known already. */
static void know(struct balance *balance, struct balance_target *target, const struct probe_spec *spec)
{
    struct probe_event state;
    probe_state(balance->probe, target->id, &state);
    target->drains = state.measure.drains;
    hold_take_target(balance, target, &spec->timing, &state);
}

static void unpark(struct balance *balance, struct balance_target *target)
{
    if (ring_is_empty(&target->parked))
        return;
    ring_remove(&target->parked);
    probe_unsubscribe(balance->probe, target->id);
}

struct balance_target *checks_take_target(struct balance *balance, const struct probe_spec *spec)
{
    uint32_t id = probe_subscribe(balance->probe, spec);
    struct balance_target *target = checks_find_target(balance, id);
    if (target) {
        unpark(balance, target);
        return target;
    }
    target = mem_zalloc(1, sizeof *target);
    target->id = id;
    know(balance, target, spec);
    ring_init(&target->parked);
    map_add(&balance->targets, &target->link, id_hash(id));
    return target;
}

/* Whom one pool, family or zone leaves may be wanted by another in the same load, and is not to lose its verdict on the
 * way: without checks it is parked until everything that is under way has ended. */
void checks_drop_target(struct balance *balance, struct balance_target *target)
{
    if (target->checks || target->anchor_cnt) {
        probe_unsubscribe(balance->probe, target->id);
        return;
    }
    verdict_end_walk(target);
    ring_add(&balance->parked, &target->parked);
}

bool checks_release_one(struct balance *balance)
{
    if (balance->loading || ring_is_empty(&balance->parked))
        return false;
    struct balance_target *target = container_of(balance->parked.after, struct balance_target, parked);
    look_end_target(balance, target->id);
    unpark(balance, target);
    map_remove(&balance->targets, &target->link);
    hold_drop_target(balance, target);
    free(target);
    return true;
}

/* ---- checks */

static void link_check(struct balance_check *check)
{
    check->next = check->target->checks;
    check->at = &check->target->checks;
    if (check->next)
        check->next->at = &check->next;
    check->target->checks = check;
}

static void unlink_check(struct balance_check *check)
{
    verdict_pass_over(check);
    *check->at = check->next;
    if (check->next)
        check->next->at = check->at;
}

static bool is_elsewhere(const struct plan_member *note)
{
    return note && note->check_address.family != ADDR_NONE;
}

void checks_fill_spec(struct probe_spec *spec, const struct balance_family *family, const struct plan_member *note,
                      const struct probe_options *row, const struct addr *address, const char *host)
{
    probe_spec_fill(spec, row, is_elsewhere(note) ? &note->check_address : address, host);
    spec->timing.start_gap_ms = family->pool->plan->start_gap_ms;
}

/* An address to check instead was written down here, whoever the member is. */
enum probe_permission checks_permission(const struct balance_plan *plan, const struct plan_member *note,
                                        const struct addr *address, bool foreign)
{
    enum probe_origin origin = foreign && !is_elsewhere(note) ? PROBE_ORIGIN_FOREIGN : PROBE_ORIGIN_OPERATOR;
    return probe_may(plan->may, is_elsewhere(note) ? &note->check_address : address, origin);
}

void checks_open(struct balance_side *side, struct balance_family *family, uint32_t member, const struct addr *address,
                 const char *host)
{
    struct balance *balance = family->pool->balance;
    const struct plan_probes *probes = plan_probes_of(family->group, side->note);
    if (!balance->probe || !probes->cnt)
        return;
    side->barred = checks_permission(family->pool->plan, side->note, address, side->foreign);
    if (side->barred != PROBE_MAY)
        return;
    side->check_cnt = (uint32_t)probes->cnt;
    side->checks = mem_zalloc(probes->cnt, sizeof *side->checks);
    for (size_t i = 0; i < probes->cnt; i++) {
        struct probe_spec spec;
        checks_fill_spec(&spec, family, side->note, probes->rows[i], address, host);
        side->checks[i] =
            (struct balance_check){.target = checks_take_target(balance, &spec), .family = family, .member = member};
        link_check(&side->checks[i]);
    }
}

void checks_close(struct balance_side *side, struct balance *balance)
{
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        unlink_check(&side->checks[i]);
        checks_drop_target(balance, side->checks[i].target);
    }
    free(side->checks);
    side->checks = NULL;
    side->check_cnt = 0;
}

void checks_move(struct balance_side *side, uint32_t member)
{
    for (uint32_t i = 0; i < side->check_cnt; i++)
        side->checks[i].member = member;
}

void checks_mute(struct balance_side *side)
{
    for (uint32_t i = 0; i < side->check_cnt; i++)
        side->checks[i].family = NULL;
}

/* All must pass: one that is down decides, and none may be unknown. Where one is, another check of the member has said
 * how it was: that stands until the first result, so that no reload gives out who was dead or drops who was well. */
enum health_verdict checks_verdict(const struct balance_side *side, bool *unsettled)
{
    enum health_verdict verdict = side->check_cnt ? HEALTH_UP : side->before;
    *unsettled = false;
    if (side->barred != PROBE_MAY)
        return HEALTH_DOWN; /* nobody knows whether it lives */
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        const struct balance_target *target = side->checks[i].target;
        *unsettled |= target->unsettled;
        if (target->verdict == HEALTH_DOWN)
            verdict = HEALTH_DOWN;
        else if (target->verdict == HEALTH_UNKNOWN && verdict == HEALTH_UP)
            verdict = side->before;
    }
    return verdict;
}

bool checks_drains(const struct balance_side *side)
{
    for (uint32_t i = 0; i < side->check_cnt; i++)
        if (side->checks[i].target->drains)
            return true;
    return false;
}

/* After the hold, only whoever was not told yet is still to be. */
bool checks_restored(const struct balance *balance, const struct balance_side *side)
{
    const struct hold *hold = &balance->hold;
    bool restored = false;
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        const struct balance_target *target = side->checks[i].target;
        restored |= hold_target_restored(hold, &target->hold) && (hold->is_on || target->walk);
    }
    return restored;
}

const struct balance_target *checks_speaker(const struct balance *balance, const struct balance_side *side,
                                            enum health_verdict verdict, struct probe_event *state)
{
    const struct balance_target *chosen = NULL;
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        const struct balance_target *target = side->checks[i].target;
        struct probe_event other;
        if (target->verdict != verdict)
            continue;
        probe_state(balance->probe, target->id, &other);
        bool earlier = chosen && other.since_wall_ms < state->since_wall_ms;
        if (chosen && earlier != (verdict == HEALTH_DOWN))
            continue;
        chosen = target;
        *state = other;
    }
    return chosen;
}

const char *checks_reason(char reason[PROBE_REASON_MAX], const struct balance *balance,
                          const struct balance_side *side)
{
    struct probe_event state;
    bool unsettled;
    if (side->barred == PROBE_MAY && checks_speaker(balance, side, checks_verdict(side, &unsettled), &state))
        return memcpy(reason, state.reason, sizeof state.reason);
    return probe_permission_text(side->barred);
}
