/* Which tier a family is answered from, where that is not only its members' business of this moment: a tier for both
 * families, or one that is not gone back to at once. */
#include "balance/failback.h"

#include "balance/private.h"
#include "base/clock.h"
#include "dns/name.h"
#include "pool/tiers.h"

/* A's is the state of both where they go together. */
static struct balance_family *chief(struct balance_family *family)
{
    return family->group->is_together ? &family->pool->families[0] : family;
}

static void count_members(struct pool_tiers *tiers, const struct balance_family *family)
{
    pool_tiers_init(tiers);
    for (unsigned i = 0; i < 2; i++) {
        const struct balance_family *other = &family->pool->families[i];
        if (other == family || (family->group->is_together && other->group))
            pool_tiers_add(tiers, i, other->members, other->cnt);
    }
}

/* ---- what people are told */

static const char *types(const struct balance_family *family)
{
    return family->group->is_together ? "A and AAAA" : balance_types[family->index];
}

static void tell(const struct balance_family *family, const struct pool_failback *state, uint32_t was,
                 uint32_t better)
{
    char owner[NAME_TEXT_MAX];
    bool moved = was && state->tier && state->tier != was, stays = state->better && !better;
    if ((!moved && !stays) || !verdict_may_tell_state(family->pool->balance))
        return;
    name_to_text_bare(owner, family->pool->owner);
    if (moved)
        log_write(state->tier > was ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
                  "pool \"%s\": %s answered from tier %u, was tier %u", owner, types(family), state->tier, was);
    else
        log_notice("pool \"%s\": %s %s on tier %u, tier %u is good again", owner, types(family),
                   family->group->is_together ? "stay" : "stays", state->tier, state->better);
}

/* ---- who stays */

static void stop_staying(struct balance_family *family)
{
    if (ring_is_empty(&family->staying))
        return;
    family->pool->balance->staying_cnt--;
    ring_remove(&family->staying);
}

static void follow_staying(struct balance_family *family)
{
    struct balance *balance = family->pool->balance;
    if (!family->failback.better)
        stop_staying(family);
    if (!family->failback.better || !ring_is_empty(&family->staying))
        return;
    ring_add(&balance->staying, &family->staying);
    family->staying_mark = ++balance->staying_mark;
    balance->staying_cnt++;
}

/* ---- */

static uint32_t step(struct balance_family *family)
{
    const struct plan_group *group = family->group;
    struct balance_family *first = chief(family);
    uint32_t was = first->failback.tier, better = first->failback.better;
    struct pool_tiers tiers;
    count_members(&tiers, family);
    uint32_t tier =
        pool_failback_step(&first->failback, &tiers, group->min_up, group->failback_ms, clock_mono_ms());
    follow_staying(first);
    tell(family, &first->failback, was, better);
    return tier;
}

bool failback_is_simple(const struct plan_group *group) { return !group->is_together && !group->failback_ms; }

void failback_follow(struct balance_family *family)
{
    if (failback_is_simple(family->group)) {
        failback_forget(family);
        return;
    }
    struct balance_family *other = &family->pool->families[!family->index];
    family->settings.tier = step(family);
    if (!family->group->is_together || !other->group || other->settings.tier == family->settings.tier)
        return;
    other->settings.tier = family->settings.tier;
    work_queue(family->pool, TODO_COMPILE_A << other->index, true);
}

void failback_forget(struct balance_family *family)
{
    family->failback = (struct pool_failback){0};
    family->settings.tier = 0;
    stop_staying(family);
}

uint64_t failback_due_ms(const struct balance_family *family)
{
    if (failback_is_simple(family->group))
        return UINT64_MAX;
    const struct balance_family *first = family->group->is_together ? &family->pool->families[0] : family;
    return pool_failback_due_ms(&first->failback, family->group->failback_ms);
}

void failback_undo(struct balance_family *family, uint64_t since_ms)
{
    if (!failback_is_simple(family->group))
        pool_failback_undo(&chief(family)->failback, since_ms);
}

/* ---- by order */

static void go(struct balance_family *family)
{
    pool_failback_go(&family->failback);
    stop_staying(family);
    work_queue(family->pool, TODO_COMPILE_A | TODO_COMPILE_AAAA, true);
}

enum err balance_failback(struct balance *balance, const uint8_t *owner, size_t *cnt)
{
    uint8_t lower[NAME_MAX_LEN];
    bool found = false;
    name_to_lower(lower, owner);
    *cnt = 0;
    for (unsigned d = 0, depth = name_depth(lower); d <= depth; d++) {
        const struct balance_zone *zone = balance_find_zone(balance, name_suffix(lower, d));
        struct balance_pool *pool = zone ? balance_find_pool(balance, zone, lower) : NULL;
        for (unsigned i = 0; pool && i < 2; i++) {
            found |= pool->families[i].group != NULL;
            if (ring_is_empty(&pool->families[i].staying))
                continue;
            go(&pool->families[i]);
            (*cnt)++;
        }
    }
    work_post(balance);
    return found ? ERR_OK : ERR_NOT_FOUND;
}

/* A hundred thousand are more than the control thread may be away for: those that stay now are let go in slices. */
size_t balance_failback_all(struct balance *balance)
{
    balance->return_mark = balance->staying_mark;
    work_post(balance);
    return balance->staying_cnt;
}

bool failback_one(struct balance *balance)
{
    struct balance_family *first = container_of(balance->staying.after, struct balance_family, staying);
    if (ring_is_empty(&balance->staying) || first->staying_mark > balance->return_mark)
        return false;
    go(first);
    return true;
}
