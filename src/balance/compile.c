/* From members to tables in the directory. */
#include <stdlib.h>

#include "balance/private.h"
#include "base/mem.h"

struct balance_build {
    struct job job;
    struct balance *balance;
    struct balance_family *family; /* NULL: nobody wants it any more */
    bool stale;                    /* something changed since it began */
    struct pool_settings settings;
    unsigned index;
    struct pool_member *members;
    size_t cnt;
    struct addr *fallback;
    size_t fallback_cnt;
    struct pool_table *table;
};

static void free_table(struct rcu_deferred *deferred)
{
    pool_table_free(MAP_ITEM(deferred, struct pool_table, deferred));
}

static void put_table(const struct balance_family *family, struct pool_table *table)
{
    const struct balance_pool *pool = family->pool;
    struct pool_table *was = pool_directory_set(pool->balance->directory, pool->handle, family->index, table);
    if (was)
        rcu_defer(&was->deferred, free_table);
}

const struct pool_table *compile_present(const struct balance_family *family)
{
    return family->pool->balance->directory->entries[family->pool->handle].tables[family->index];
}

void compile_detach(struct balance_family *family)
{
    if (family->build)
        family->build->family = NULL;
    family->build = NULL;
}

void compile_clear(struct balance_family *family)
{
    compile_detach(family);
    family->state = POOL_LIVE;
    family->all_drained = family->all_down = false;
    count_update(family);
    if (compile_present(family))
        put_table(family, NULL);
}

/* So many members never have more than POOL_SCORES_INLINE. */
enum { FEW_MEMBERS = 64 };
_Static_assert(FEW_MEMBERS *POOL_SLOTS_MAX <= POOL_SCORES_INLINE, "a score for each slot and member");

/* Scores take all the time of a hash table; other tables never take long. Nobody waits while a plan is validated. */
static bool wants_job(const struct balance_family *family, const struct pool_choice *choice)
{
    return family->pool->balance->probe && family->settings.policy == POOL_HASH && choice->cnt > FEW_MEMBERS &&
           pool_table_compile_scores(&family->settings, balance_families[family->index], family->members, family->cnt,
                                     compile_present(family)) > POOL_SCORES_INLINE;
}

/* ---- jobs */

static void build_work(struct job *job)
{
    struct balance_build *build = MAP_ITEM(job, struct balance_build, job);
    build->table = pool_table_compile(&build->settings, balance_families[build->index], build->members, build->cnt,
                                      build->fallback, build->fallback_cnt, NULL);
}

static void free_build(struct balance_build *build)
{
    pool_table_free(build->table);
    free(build->members);
    free(build->fallback);
    free(build);
}

static void build_done(struct job *job)
{
    struct balance_build *build = MAP_ITEM(job, struct balance_build, job);
    struct balance *balance = build->balance;
    struct balance_family *family = build->family;
    if (family) {
        struct pool_choice choice;
        pool_choose(&choice, &build->settings, build->members, build->cnt);
        family->build = NULL;
        put_table(family, build->table);
        build->table = NULL;
        if (build->stale)
            work_queue(family->pool, TODO_COMPILE_A << family->index, true);
        else
            verdict_tell_state(family, &choice);
    }
    balance->job_cnt--;
    free_build(build);
    work_post(balance); /* not now: many jobs may end in one turn of the loop */
}

static void start_build(struct balance_family *family)
{
    struct balance_build *build = mem_zalloc(1, sizeof *build);
    const struct plan_group *group = family->group;
    build->balance = family->pool->balance;
    build->family = family;
    build->settings = family->settings;
    build->index = family->index;
    build->members = mem_dup(family->members, family->cnt * sizeof *family->members);
    build->cnt = family->cnt;
    build->fallback = mem_dup(group->fallback, group->fallback_cnt * sizeof *group->fallback);
    build->fallback_cnt = group->fallback_cnt;
    family->build = build;
    build->balance->job_cnt++;
    job_run(build->balance->loop, &build->job, build_work, build_done);
}

/* ---- */

void compile_family(struct balance_family *family)
{
    const struct plan_group *group = family->group;
    struct pool_choice choice;
    if (!group) {
        compile_clear(family);
        return;
    }
    if (family->build) {
        family->build->stale = true;
        return;
    }
    pool_choose(&choice, &family->settings, family->members, family->cnt);
    if (wants_job(family, &choice)) {
        start_build(family);
        return;
    }
    put_table(family, pool_table_compile(&family->settings, balance_families[family->index], family->members,
                                         family->cnt, group->fallback, group->fallback_cnt, compile_present(family)));
    verdict_tell_state(family, &choice);
}
