/* The members of a site are put through the rest of the pipeline by themselves, as a pool of their own. */
#include "pool/near.h"

#include <stdlib.h>

#include "base/mem.h"

struct near {
    size_t cnt;
    struct pool_member *members;
    uint16_t *index; /* among all */
    struct pool_choice choice;
};

/* Who is live is decided among all: an unknown member that is not, since somebody of its tier is up, may be the best of
 * its site, but is no reason to leave the one that is up. */
static struct pool_member seen_by_all(const struct pool_member *members, size_t cnt, size_t index)
{
    struct pool_member member = members[index];
    if (pool_member_verdict(&member) == HEALTH_UNKNOWN && !pool_member_live(members, cnt, index))
        member.forced = HEALTH_DOWN;
    return member;
}

static void gather(struct near *near, uint16_t site, const struct pool_member *members, size_t cnt)
{
    near->members = mem_zalloc(cnt, sizeof *near->members);
    near->index = mem_zalloc(cnt, sizeof *near->index);
    for (size_t i = 0; i < cnt; i++) {
        if (members[i].site != site)
            continue;
        near->index[near->cnt] = (uint16_t)i;
        near->members[near->cnt++] = seen_by_all(members, cnt, i);
    }
}

/* By its own tiers: where the whole pool has left one, a site may not have, and the other way round. That the pool
 * stays on a tier binds a site where it would go back to a better one. */
static void choose_own(struct near *near, const struct pool_settings *of_all)
{
    struct pool_settings own = *of_all;
    own.tier = 0;
    pool_choose(&near->choice, &own, near->members, near->cnt);
    if (near->choice.state == POOL_LIVE && near->choice.tier < of_all->tier)
        pool_choose(&near->choice, of_all, near->members, near->cnt);
}

/* Only what is true of the whole pool too: that drains are ignored, or that who is down is served all the same. */
static bool is_good(const struct pool_choice *choice, const struct pool_choice *of_all)
{
    return choice->cnt && choice->state == of_all->state && choice->all_drained == of_all->all_drained;
}

void pool_near_choose(struct pool_choice *choice, const struct pool_settings *settings,
                      const struct pool_member *members, size_t cnt)
{
    struct pool_settings any = *settings;
    any.site = 0;
    pool_choose(choice, &any, members, cnt);
    struct near *near = mem_zalloc(1, sizeof *near);
    gather(near, settings->site, members, cnt);
    choose_own(near, &any);
    if (is_good(&near->choice, choice)) {
        *choice = near->choice;
        choice->site = settings->site;
        for (unsigned i = 0; i < choice->cnt; i++)
            choice->member[i] = near->index[choice->member[i]];
    }
    free(near->members);
    free(near->index);
    free(near);
}
