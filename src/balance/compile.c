/* From members to tables in the directory. */
#include <stdlib.h>

#include "balance/private.h"
#include "base/mem.h"

struct balance_build {
    struct job job;
    struct balance *balance;
    struct balance_family *family; /* NULL: nobody wants it any more */
    bool stale;                    /* something changed since it began */
    struct pool_source source;     /* a copy */
    struct pool_table *table;
};

static void free_table(struct rcu_deferred *deferred)
{
    pool_table_free(container_of(deferred, struct pool_table, deferred));
}

/* A table, or the root of those of all classes; NULL: none. */
const struct pool_table *compile_published(const struct balance_family *family)
{
    return family->pool->balance->directory->entries[family->pool->handle].tables[family->index];
}

const struct pool_table *compile_present(const struct balance_family *family)
{
    return pool_classes_table(compile_published(family), 0);
}

struct pool_source compile_source(const struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    return (struct pool_source){
        .settings = &family->settings,
        .family = balance_families[family->index],
        .members = family->members,
        .cnt = family->cnt,
        .fallback = family->group->fallback,
        .fallback_cnt = family->group->fallback_cnt,
        .classes = pool->classes,
        .class_cnt = pool->class_cnt,
        .handle = pool->handle,
    };
}

static void put_table(struct balance_family *family, struct pool_table *table)
{
    const struct balance_pool *pool = family->pool;
    operate_note_ttls(family, table);
    struct pool_table *was = pool_directory_set(pool->balance->directory, pool->handle, family->index, table);
    if (was)
        rcu_defer(&was->deferred, free_table);
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
    later_forget(family);
    if (!family->pool->group || !family->pool->group->is_together)
        failback_forget(family);
    family->state = POOL_LIVE;
    family->all_drained = family->all_down = false;
    count_update(family);
    if (compile_published(family))
        put_table(family, NULL);
}

/* So many members never have more than POOL_SCORES_INLINE. */
enum { FEW_MEMBERS = 64 };
_Static_assert(FEW_MEMBERS *POOL_SLOTS_MAX <= POOL_SCORES_INLINE, "a score for each slot and member");

/* Scores take all the time of a hash table; other tables never take long, but those of many classes do. Nobody waits
 * while a plan is validated. */
static bool wants_job(const struct balance_family *family, const struct pool_source *source,
                      const struct pool_choice *choice)
{
    bool may_be_long = source->class_cnt || (family->settings.policy == POOL_HASH && choice->cnt > FEW_MEMBERS);
    return family->pool->balance->probe && may_be_long &&
           pool_classes_compile_scores(source, compile_published(family)) > POOL_SCORES_INLINE;
}

/* What clients of no site get decides what is told. Who waits for verdicts waits for those of all classes: any member
 * that has a site may be given without one. */
static void tell_state(struct balance_family *family, const struct pool_choice *choice)
{
    bool waits = false;
    verdict_tell_state(family, choice);
    for (uint32_t i = 0; i < family->cnt && !waits; i++)
        waits = family->members[i].site && pool_member_verdict(&family->members[i]) == HEALTH_UNKNOWN &&
                pool_member_live(family->members, family->cnt, i);
    if (waits)
        settle_wait(family, true);
}

static void end_compile(struct balance_family *family, const struct pool_choice *choice)
{
    tell_state(family, choice);
    operate_published(family);
}

/* ---- jobs */

static void build_work(struct job *job)
{
    struct balance_build *build = container_of(job, struct balance_build, job);
    build->table = pool_classes_compile(&build->source, NULL);
}

static void free_build(struct balance_build *build)
{
    pool_table_free(build->table);
    pool_source_drop(&build->source);
    free(build);
}

/* What is queued will make another table: this one is not what anybody waits for, and tells nothing. */
static bool is_outdated(const struct balance_build *build)
{
    const struct balance_family *family = build->family;
    return build->stale || family->pool->todo & (TODO_REBUILD | TODO_COMPILE_A << family->index);
}

static void build_done(struct job *job)
{
    struct balance_build *build = container_of(job, struct balance_build, job);
    struct balance *balance = build->balance;
    struct balance_family *family = build->family;
    if (family) {
        struct pool_choice choice;
        pool_choose(&choice, build->source.settings, build->source.members, build->source.cnt);
        family->build = NULL;
        put_table(family, build->table);
        build->table = NULL;
        if (is_outdated(build))
            work_queue(family->pool, TODO_COMPILE_A << family->index, true);
        else
            end_compile(family, &choice);
    }
    balance->job_cnt--;
    free_build(build);
    work_post(balance); /* not now: many jobs may end in one turn of the loop */
}

static void start_build(struct balance_family *family, const struct pool_source *source)
{
    struct balance_build *build = mem_zalloc(1, sizeof *build);
    build->balance = family->pool->balance;
    build->family = family;
    pool_source_keep(&build->source, source);
    family->build = build;
    build->balance->job_cnt++;
    job_run(build->balance->loop, &build->job, build_work, build_done);
}

/* ---- */

static void choose(struct balance_family *family, struct pool_choice *choice)
{
    failback_follow(family);
    family->settings.turn = family->trickle_turn++;
    pool_choose(choice, &family->settings, family->members, family->cnt);
    if (choice->state != POOL_ALL_DOWN || !later_let_in(family))
        return;
    failback_follow(family);
    pool_choose(choice, &family->settings, family->members, family->cnt);
}

void compile_family(struct balance_family *family)
{
    struct pool_choice choice;
    if (!family->group) {
        compile_clear(family);
        operate_published(family);
        return;
    }
    if (family->build) {
        family->build->stale = true;
        return;
    }
    choose(family, &choice);
    later_arm(family, &choice);
    struct pool_source source = compile_source(family);
    if (wants_job(family, &source, &choice)) {
        start_build(family, &source);
        return;
    }
    put_table(family, pool_classes_compile(&source, compile_published(family)));
    end_compile(family, &choice);
}
