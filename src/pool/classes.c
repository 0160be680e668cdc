#include "pool/classes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- sources */

void pool_source_keep(struct pool_source *kept, const struct pool_source *source)
{
    *kept = *source;
    kept->settings = mem_dup(source->settings, sizeof *source->settings);
    kept->members = mem_dup(source->members, source->cnt * sizeof *source->members);
    kept->fallback = mem_dup(source->fallback, source->fallback_cnt * sizeof *source->fallback);
    kept->classes = mem_dup(source->classes, source->class_cnt * sizeof *source->classes);
}

static void drop(const void *copy) { free((void *)(uintptr_t)copy); }

void pool_source_drop(struct pool_source *kept)
{
    drop(kept->settings);
    drop(kept->members);
    drop(kept->fallback);
    drop(kept->classes);
    *kept = (struct pool_source){0};
}

/* ---- the root */

static struct pool_classes *root_new(const struct pool_source *source, const struct pool_table *of_all)
{
    size_t cnt = source->class_cnt + 1;
    assert(cnt <= POOL_CLASSES_MAX);
    size_t bytes = sizeof(struct pool_classes) + cnt * sizeof(struct pool_class_table);
    struct pool_classes *classes = mem_zalloc(1, bytes);
    classes->root.outcome = POOL_BY_CLASS;
    classes->root.rr_len = of_all->rr_len;
    classes->root.total_bytes = bytes;
    classes->cnt = (uint16_t)cnt;
    classes->owned = mem_zalloc(cnt, sizeof *classes->owned);
    classes->by_class[0] = (struct pool_class_table){of_all, source->handle, 0};
    for (size_t i = 0; i < source->class_cnt; i++)
        classes->by_class[i + 1] =
            (struct pool_class_table){of_all, source->classes[i].handle, source->classes[i].site};
    return classes;
}

void pool_classes_end(struct pool_table *root)
{
    struct pool_classes *classes = (struct pool_classes *)(void *)root;
    for (unsigned i = 0; i < classes->owned_cnt; i++)
        pool_table_free(classes->owned[i]);
    free(classes->owned);
}

static const struct pool_table *own(struct pool_classes *classes, struct pool_table *table)
{
    return classes->owned[classes->owned_cnt++] = table;
}

/* ---- compiling */

static struct pool_table *compile(const struct pool_source *source, const struct pool_settings *settings,
                                  const struct pool_table *previous)
{
    return pool_table_compile(settings, source->family, source->members, source->cnt, source->fallback,
                              source->fallback_cnt, previous);
}

static bool same_choice(const struct pool_choice *a, const struct pool_choice *b)
{
    return a->state == b->state && a->unsettled == b->unsettled && a->cnt == b->cnt && a->own_cnt == b->own_cnt &&
           !memcmp(a->member, b->member, a->cnt * sizeof *a->member) &&
           !memcmp(a->weight, b->weight, a->cnt * sizeof *a->weight);
}

struct pool_table *pool_classes_compile(const struct pool_source *source, const struct pool_table *previous)
{
    struct pool_table *of_all = compile(source, source->settings, pool_classes_table(previous, 0));
    if (!source->class_cnt)
        return of_all;
    struct pool_classes *classes = root_new(source, of_all);
    struct pool_settings settings = *source->settings;
    struct pool_choice choice, choice_of_all;
    own(classes, of_all);
    pool_choose(&choice_of_all, &settings, source->members, source->cnt);
    for (size_t i = 0; i < source->class_cnt; i++) {
        settings.site = source->classes[i].site;
        pool_choose(&choice, &settings, source->members, source->cnt);
        if (!same_choice(&choice, &choice_of_all))
            classes->by_class[i + 1].table =
                own(classes, compile(source, &settings, pool_classes_table(previous, settings.site)));
    }
    return &classes->root;
}

/* ---- what it would take: by tests/unit/pool/test_classes, which prints it */

/* Of what a score takes. A member is looked at some ten times for a class; a slot is put into its order, or, with the
 * hash policy, copied. */
enum { SCORES_A_MEMBER = 20, SCORES_A_SLOT = 25, SCORES_A_COPY = 10000, LOOKS_MOST = 1 << 14 };

/* Of the slots of a class, at most. */
static uint64_t slot_scores(const struct pool_source *source)
{
    uint64_t slots = source->settings->trickle ? POOL_SLOTS_MAX : 0;
    if (source->settings->policy == POOL_ROUND_ROBIN)
        return 0;
    if (source->settings->policy == POOL_HASH)
        return SCORES_A_COPY;
    for (size_t i = 0; i < source->cnt && slots < POOL_SLOTS_MAX; i++)
        slots += source->members[i].withheld ? POOL_SLOTS_MAX : source->members[i].weight;
    return (slots < POOL_SLOTS_MAX ? slots : POOL_SLOTS_MAX) * SCORES_A_SLOT;
}

static uint64_t table_scores(const struct pool_source *source, const struct pool_settings *settings,
                             const struct pool_table *previous)
{
    return pool_table_compile_scores(settings, source->family, source->members, source->cnt, previous);
}

uint64_t pool_classes_compile_scores(const struct pool_source *source, const struct pool_table *previous)
{
    uint64_t scores = table_scores(source, source->settings, pool_classes_table(previous, 0));
    uint64_t looks = source->class_cnt * (uint64_t)source->cnt;
    struct pool_settings settings = *source->settings;
    if (!source->class_cnt)
        return scores;
    if (looks > LOOKS_MOST) /* to say it precisely would take long too */
        return UINT64_MAX;
    for (size_t i = 0; i < source->class_cnt; i++) {
        settings.site = source->classes[i].site;
        scores += table_scores(source, &settings, pool_classes_table(previous, settings.site));
    }
    return scores + looks * SCORES_A_MEMBER + source->class_cnt * slot_scores(source);
}
