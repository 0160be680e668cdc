#include "balance/look.h"

#include <stdlib.h>

#include "balance/private.h"
#include "base/mem.h"
#include "probe/kind.h"

/* Somebody waits. */
struct looking {
    struct ring ring; /* in balance.looks */
    struct look_check *checks;
    uint32_t *targets;
    size_t cnt, left;
    void (*fn)(void *arg, const struct look *look);
    void *arg;
};

static void end(struct looking *looking)
{
    const struct look look = {looking->checks, looking->cnt};
    ring_remove(&looking->ring);
    looking->fn(looking->arg, &look);
    for (size_t i = 0; i < looking->cnt; i++)
        free(looking->checks[i].probe);
    free(looking->checks);
    free(looking->targets);
    free(looking);
}

/* `trace` NULL: there will be none. */
static void tell(struct balance *balance, uint32_t target, const struct probe_trace *trace)
{
    for (struct ring *at = balance->looks.after, *next; at != &balance->looks; at = next) {
        struct looking *looking = container_of(at, struct looking, ring);
        next = at->after;
        for (size_t i = 0; i < looking->cnt; i++) {
            if (looking->targets[i] != target)
                continue;
            looking->targets[i] = 0;
            looking->left--;
            looking->checks[i].ended = trace != NULL;
            if (trace)
                looking->checks[i].trace = *trace;
        }
        if (!looking->left)
            end(looking);
    }
}

bool look_take(struct balance *balance)
{
    struct probe_trace trace;
    if (!balance->probe || !probe_next_trace(balance->probe, &trace))
        return false;
    tell(balance, trace.target, &trace);
    return true;
}

void look_end_target(struct balance *balance, uint32_t target) { tell(balance, target, NULL); }

void look_fini(struct balance *balance)
{
    while (!ring_is_empty(&balance->looks))
        end(container_of(balance->looks.after, struct looking, ring));
}

static void fill(struct look_check *check, const struct balance_family *family, uint32_t index,
                 const struct probe_options *row)
{
    struct probe_spec spec;
    checks_fill_spec(&spec, family, family->sides[index].note, row, &family->members[index].address, "");
    *check = (struct look_check){
        .probe = mem_strdup(row->name),
        .type = kinds[row->type]->name,
        .address = spec.address,
        .has_port = kinds[row->type]->has_port,
    };
}

static void start(struct balance *balance, const struct balance_family *family, uint32_t index,
                  void (*fn)(void *arg, const struct look *look), void *arg)
{
    const struct balance_side *side = &family->sides[index];
    const struct plan_probes *probes = plan_probes_of(family->group, side->note);
    struct looking *looking = mem_zalloc(1, sizeof *looking);
    looking->fn = fn;
    looking->arg = arg;
    looking->cnt = looking->left = side->check_cnt;
    looking->checks = mem_zalloc(side->check_cnt, sizeof *looking->checks);
    looking->targets = mem_zalloc(side->check_cnt, sizeof *looking->targets);
    ring_add(&balance->looks, &looking->ring);
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        fill(&looking->checks[i], family, index, probes->rows[i]);
        looking->targets[i] = side->checks[i].target->id;
        probe_check_now(balance->probe, looking->targets[i]);
    }
}

enum err look_start(struct balance *balance, const struct operate_member *member,
                    void (*fn)(void *arg, const struct look *look), void *arg)
{
    const struct balance_zone *zone = balance_find_zone(balance, member->apex);
    struct balance_pool *pool = zone ? balance_find_pool(balance, zone, member->owner) : NULL;
    const struct balance_family *family = pool ? &pool->families[member->address.family == ADDR_V6] : NULL;
    uint32_t index;
    if (!family || !family->group || !operate_find_member(family, &member->address, &index))
        return ERR_NOT_FOUND;
    if (family->sides[index].barred != PROBE_MAY)
        return ERR_DENIED;
    if (!balance->probe || !family->sides[index].check_cnt)
        return ERR_INVALID;
    start(balance, family, index, fn, arg);
    return ERR_OK;
}
