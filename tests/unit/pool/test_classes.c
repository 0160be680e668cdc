#include "pool/classes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_member members[POOL_MEMBERS_MAX];
static struct pool_class classes[POOL_CLASSES_MAX];

static void name_classes(unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        classes[i] = (struct pool_class){(uint16_t)(i + 1), 100 + i};
}

static struct pool_source source_of(const struct pool_settings *settings, unsigned cnt, unsigned class_cnt)
{
    return (struct pool_source){.settings = settings,
                                .family = ADDR_V4,
                                .members = members,
                                .cnt = cnt,
                                .classes = classes,
                                .class_cnt = class_cnt,
                                .handle = 7};
}

/* The two are the same to whoever asks. */
static void expect_same(const struct pool_table *a, const struct pool_table *b)
{
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->pick, b->pick);
    assert_int_equal(a->slot_cnt, b->slot_cnt);
    assert_int_equal(a->total_bytes, b->total_bytes);
    assert_memory_equal(a->slots, b->slots, a->slot_cnt * sizeof *a->slots);
    assert_memory_equal(a->sets, b->sets, a->set_cnt * sizeof *a->sets);
}

/* Each class has what its settings alone would give. */
static void expect_all(const struct pool_table *root, const struct pool_source *source)
{
    for (unsigned class = 0; class <= source->class_cnt; class++) {
        struct pool_settings settings = *source->settings;
        settings.site = (uint16_t)class;
        struct pool_table *alone = help_compile(&settings, source->members, (unsigned)source->cnt);
        expect_same(pool_classes_table(root, class), alone);
        pool_table_free(alone);
    }
}

static void without_classes_there_is_a_table_alone(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V4, 3);
    struct pool_source source = source_of(&settings, 3, 0);
    struct pool_table *table = pool_classes_compile(&source, NULL);
    assert_int_equal(table->outcome, POOL_ANSWER);
    assert_ptr_equal(pool_classes_table(table, 0), table);
    assert_ptr_equal(pool_classes_table(table, 9), table);
    assert_null(pool_classes_table(NULL, 1));
    assert_int_equal(pool_classes_compile_scores(&source, NULL), 0);
    pool_table_free(table);
    pool_table_free(NULL);
}

static void classes_have_tables_and_handles(void **state)
{
    (void)state;
    static const enum pool_policy policies[] = {POOL_ROUND_ROBIN, POOL_WEIGHTED, POOL_RANDOM, POOL_HASH};
    for (unsigned p = 0; p < 4; p++) {
        struct pool_settings settings = help_settings(policies[p], 2);
        help_members(members, ADDR_V4, 9);
        for (unsigned i = 0; i < 9; i++) {
            members[i].weight = 1 + i;
            members[i].site = (uint16_t)(i % 4);
        }
        name_classes(3);
        struct pool_source source = source_of(&settings, 9, 3);
        struct pool_table *root = pool_classes_compile(&source, NULL);
        assert_int_equal(root->outcome, POOL_BY_CLASS);
        expect_all(root, &source);
        assert_int_equal(pool_classes_find(root, 0)->handle, 7);
        for (unsigned class = 1; class <= 3; class++)
            assert_int_equal(pool_classes_find(root, class)->handle, 99 + class);
        assert_ptr_equal(pool_classes_find(root, 4), pool_classes_find(root, 0));
        assert_ptr_equal(pool_classes_find(root, 65535), pool_classes_find(root, 0));
        pool_table_free(root);
    }
}

/* What a pool takes goes by the sites that it has, not by their numbers. */
static void sites_of_any_number_take_no_more(void **state)
{
    (void)state;
    static const uint16_t sites[] = {5, 700, 1023};
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V4, 3);
    name_classes(3);
    for (unsigned i = 0; i < 3; i++)
        classes[i].site = members[i].site = sites[i];
    struct pool_source source = source_of(&settings, 3, 3);
    struct pool_table *root = pool_classes_compile(&source, NULL);
    assert_true(root->total_bytes <= sizeof(struct pool_classes) + 4 * 16);
    for (unsigned class = 0, next = 0; class < 2000; class++) {
        bool has = next < 3 && class == sites[next];
        const struct pool_class_table *found = pool_classes_find(root, class);
        assert_int_equal(found->handle, has ? 100 + next : 7);
        if (has)
            assert_true(pool_table_share(found->table, &members[next++].address) == 1);
    }
    pool_table_free(root);
}

static void a_class_that_is_like_all_has_their_table(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V4, 4);
    members[0].site = members[1].site = 1;
    members[2].site = members[3].site = 2;
    members[0].verdict = members[1].verdict = HEALTH_DOWN;
    name_classes(3);
    struct pool_source source = source_of(&settings, 4, 3);
    struct pool_table *root = pool_classes_compile(&source, NULL);
    const struct pool_table *of_all = pool_classes_table(root, 0);
    for (unsigned class = 1; class <= 3; class++)
        assert_ptr_equal(pool_classes_table(root, class), of_all); /* site 2's members are all there are */
    assert_int_equal(pool_classes_of(root)->owned_cnt, 1);
    assert_int_equal(pool_classes_find(root, 2)->handle, 101); /* positions are its own all the same */
    members[0].verdict = HEALTH_UP;
    struct pool_table *next = pool_classes_compile(&source, root);
    pool_table_free(root);
    expect_all(next, &source);
    assert_int_equal(pool_classes_of(next)->owned_cnt, 3);
    assert_ptr_equal(pool_classes_table(next, 3), pool_classes_table(next, 0));
    pool_table_free(next);
}

/* Also where a pool had no classes before, or has none any more. */
static void a_change_is_as_if_made_anew(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_HASH, 2);
    struct pool_table *now = NULL;
    uint64_t seed = 3;
    help_members(members, ADDR_V4, 40);
    name_classes(4);
    for (unsigned i = 0; i < 40; i++)
        members[i].site = (uint16_t)(i % 5);
    for (unsigned round = 0; round < 60; round++) {
        members[help_random(&seed, 40)].verdict = help_random(&seed, 3) ? HEALTH_DOWN : HEALTH_UP;
        struct pool_source source = source_of(&settings, 40, help_random(&seed, 4) ? 4 : 0);
        struct pool_table *next = pool_classes_compile(&source, now);
        pool_table_free(now);
        now = next;
        expect_all(now, &source);
    }
    pool_table_free(now);
}

/* ---- how long it takes */

static uint64_t least_us(const struct pool_source *source, const struct pool_table *previous)
{
    uint64_t least = UINT64_MAX;
    for (unsigned n = 0; n < (HELP_SLOW ? 1 : 5); n++) {
        uint64_t begin = help_worked_us();
        struct pool_table *table = pool_classes_compile(source, previous);
        uint64_t us = help_worked_us() - begin;
        pool_table_free(table);
        least = us < least ? us : least;
    }
    return least;
}

/* Twice the aim of a millisecond, as with tables. */
/* Members in turns of `site_cnt` sites, weights up to `weight_most`; returns how many classes that makes. */
static unsigned arrange(unsigned cnt, unsigned site_cnt, unsigned weight_most, uint64_t *seed)
{
    help_members(members, ADDR_V4, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        members[i].weight = 1 + help_random(seed, weight_most);
        members[i].site = (uint16_t)(1 + i % site_cnt);
    }
    name_classes(site_cnt < cnt ? site_cnt : cnt);
    return site_cnt < cnt ? site_cnt : cnt;
}

/* Compiles, if that is no job; the time of whatever the control thread does. */
static uint64_t time_it(const struct pool_source *source, const struct pool_table *before)
{
    uint64_t begin = help_worked_us(), scores = pool_classes_compile_scores(source, before);
    uint64_t judged_us = help_worked_us() - begin;
    if (scores > POOL_SCORES_INLINE)
        return judged_us;
    uint64_t us = least_us(source, before);
    print_message("policy %d, %4zu members, %3zu classes: %6lu scores, %4lu us, judged in %3lu us\n",
                  source->settings->policy, source->cnt, source->class_cnt, (unsigned long)scores, (unsigned long)us,
                  (unsigned long)judged_us);
    return us + judged_us;
}

/* Twice the aim of a millisecond, as with tables; a hash's first build is not looked at here. */
static void what_is_no_job_takes_a_millisecond(void **state)
{
    (void)state;
    static const enum pool_policy policies[] = {POOL_ROUND_ROBIN, POOL_WEIGHTED, POOL_RANDOM, POOL_HASH};
    static const unsigned counts[] = {4, 40, 200, 1000}, sites[] = {2, 4, 16, 64, 400}, most_weights[] = {1, 60000};
    uint64_t seed = 5, longest = 0;
    for (unsigned n = 0; n < 4 * 4 * 5 * 2; n++) {
        struct pool_settings settings = help_settings(policies[n % 4], 1);
        unsigned cnt = counts[n / 4 % 4];
        unsigned class_cnt = arrange(cnt, sites[n / 16 % 5], most_weights[n / 80], &seed);
        struct pool_source source = source_of(&settings, cnt, class_cnt);
        struct pool_table *before = settings.policy == POOL_HASH ? pool_classes_compile(&source, NULL) : NULL;
        members[1].verdict = HEALTH_DOWN;
        uint64_t us = time_it(&source, before);
        longest = us > longest ? us : longest;
        pool_table_free(before);
    }
    assert_true(longest > 0);
    if (!HELP_SLOW)
        assert_in_range(longest, 0, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_classes_there_is_a_table_alone),
        cmocka_unit_test(classes_have_tables_and_handles),
        cmocka_unit_test(sites_of_any_number_take_no_more),
        cmocka_unit_test(a_class_that_is_like_all_has_their_table),
        cmocka_unit_test(a_change_is_as_if_made_anew),
        cmocka_unit_test(what_is_no_job_takes_a_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
