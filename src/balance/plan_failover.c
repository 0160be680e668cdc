/* What of a group's failover does not what one may think. */
#include "balance/plan.h"

static const struct plan_member *member_at(const struct plan_group *group, size_t index)
{
    return index < group->member_cnt ? &group->members[index] : &group->hosts[index - group->member_cnt].member;
}

size_t plan_failover_doubts(const char *doubts[PLAN_DOUBTS_MAX], const struct plan_group *group)
{
    bool has_tiers = false, has_sites = false, has_probes = group->probes.cnt;
    size_t cnt = 0;
    for (size_t i = 0; i < group->member_cnt + group->host_cnt; i++) {
        const struct plan_member *member = member_at(group, i);
        has_tiers |= member->tier > 1;
        has_sites |= member->site != 0;
        has_probes |= member->probes.cnt > 0;
    }
    if (group->failback_ms && !has_tiers)
        doubts[cnt++] = "\"failback\" has no effect, as no member has a tier beyond the first";
    if (group->failback_ms && has_tiers && has_sites)
        doubts[cnt++] = "\"failback\" goes by all members together: clients of a site go back to a better tier of it "
                        "at once, unless the whole pool stays on a worse one, where they stay too";
    if (group->trickle && !has_tiers)
        doubts[cnt++] = "\"trickle\" has no effect, as no member has a tier beyond the first";
    if (group->flap_hold_ms && !has_probes)
        doubts[cnt++] = "\"flap_hold\" has no effect, as no member is checked";
    return cnt;
}
