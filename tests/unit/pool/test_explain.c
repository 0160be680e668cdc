#include "pool/explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_member members[POOL_MEMBERS_MAX];

static struct pool_source source_of(const struct pool_settings *settings, unsigned cnt)
{
    return (struct pool_source){.settings = settings, .family = ADDR_V4, .members = members, .cnt = cnt};
}

static void tiers_and_members_are_told(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    struct pool_source source = source_of(&settings, 6);
    settings.min_up = POOL_MIN_UP_ONE / 2;
    help_members(members, ADDR_V4, 6);
    members[0].verdict = members[1].verdict = HEALTH_DOWN;
    members[2].weight = 3;
    members[3].weight = 0;
    members[4].tier = members[5].tier = 2;
    members[4].weight = 3;
    struct pool_explained *e = pool_explain(&source, NULL);
    assert_int_equal(e->tier_cnt, 2);
    const struct pool_explained_tier *first = &e->tiers[0], *second = &e->tiers[1];
    assert_int_equal(first->members, 4);
    assert_int_equal(first->undrained, 3);
    assert_int_equal(first->up, 1);
    assert_int_equal(first->live, 1);
    assert_false(first->is_enough || first->used);
    assert_true(second->is_enough && second->used);
    assert_int_equal(e->choice.tier, 2);
    assert_int_equal(e->ttl_sec, 20);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(e->members[i].live, i == 2 || i > 3);
        assert_int_equal(e->members[i].used, i > 3);
    }
    assert_true(e->members[4].weight == 3);
    assert_true(e->members[4].share > 0.74 && e->members[4].share < 0.76);
    assert_int_equal(e->near_cnt, 0);
    pool_explained_free(e);
    pool_explained_free(NULL);
}

static void what_is_withheld_is_told(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_LEAST_LOAD, 1);
    struct pool_source source = source_of(&settings, 2);
    help_members(members, ADDR_V4, 2);
    members[0].weight = 4;
    members[0].withheld = POOL_PART_ONE / 4;
    struct pool_explained *e = pool_explain(&source, NULL);
    assert_true(e->members[0].weight == 3 && e->members[1].weight == 1);
    assert_true(e->members[0].share > 0.74 && e->members[0].share < 0.76);
    pool_explained_free(e);
}

static void a_site_is_told(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_ROUND_ROBIN, 2);
    struct pool_source source = source_of(&settings, 5);
    settings.site = 1;
    help_members(members, ADDR_V4, 5);
    members[0].site = members[1].site = members[2].site = 1;
    members[3].site = 2;
    members[0].verdict = HEALTH_DOWN;
    members[2].tier = 2;
    struct pool_explained *e = pool_explain(&source, NULL);
    assert_int_equal(e->near_cnt, 3);
    assert_int_equal(e->near_live_cnt, 2);
    assert_int_equal(e->choice.site, 1);
    assert_int_equal(e->tier_cnt, 2);
    assert_int_equal(e->tiers[0].members, 2); /* the site's own alone */
    assert_true(e->members[1].used && !e->members[3].used && e->members[3].live);
    pool_explained_free(e);
    members[1].verdict = members[2].verdict = HEALTH_DOWN;
    e = pool_explain(&source, NULL);
    assert_int_equal(e->choice.site, 0);
    assert_int_equal(e->near_live_cnt, 0);
    assert_int_equal(e->tiers[0].members, 4);
    assert_true(e->members[3].used && e->members[4].used);
    pool_explained_free(e);
}

/* As the query path picks it. */
static void a_hash_tells_who_is_given(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_HASH, 2);
    struct pool_source source = source_of(&settings, 9);
    help_members(members, ADDR_V4, 9);
    for (unsigned i = 0; i < 50; i++) {
        struct addr client = help_address(ADDR_V6, i * 777);
        struct random_state rng = {{1, 2}};
        uint32_t position = 0;
        unsigned rr_cnt, given = 0;
        struct pool_table *table = help_compile(&settings, members, 9);
        struct pool_explained *e = pool_explain(&source, &client);
        const uint8_t *rr = pool_table_pick(table, &position, &rng, &client, &rr_cnt);
        assert_int_equal(rr_cnt, 2);
        assert_true(e->members[help_member(table, rr)].given);
        assert_true(e->members[help_member(table, rr + table->rr_len)].given);
        for (unsigned m = 0; m < 9; m++)
            given += e->members[m].given;
        assert_int_equal(given, 2);
        assert_int_equal(table->slots[e->slot] & POOL_SLOT_SET_MASK, help_member(table, rr));
        pool_explained_free(e);
        pool_table_free(table);
    }
}

static void nobody_is_told_too(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_HASH, 1);
    struct pool_source source = source_of(&settings, 0);
    struct addr client = help_address(ADDR_V4, 1);
    struct pool_explained *e = pool_explain(&source, &client);
    assert_int_equal(e->choice.state, POOL_EMPTY);
    assert_int_equal(e->tier_cnt, 0);
    pool_explained_free(e);
    help_members(members, ADDR_V4, 2);
    members[0].verdict = members[1].verdict = HEALTH_DOWN;
    source.cnt = 2;
    settings.all_down = POOL_SERVFAIL;
    e = pool_explain(&source, &client);
    assert_int_equal(e->table->outcome, POOL_FAIL);
    assert_int_equal(e->ttl_sec, 0);
    pool_explained_free(e);
}

static void the_largest_pool(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 16);
    struct pool_source source = source_of(&settings, POOL_MEMBERS_MAX);
    help_members(members, ADDR_V4, POOL_MEMBERS_MAX);
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++) {
        members[i].tier = 1 + i;
        members[i].verdict = HEALTH_UNKNOWN;
    }
    struct pool_explained *e = pool_explain(&source, NULL);
    assert_int_equal(e->tier_cnt, POOL_MEMBERS_MAX);
    assert_true(e->members[0].used && e->members[0].inclusion > 0.99);
    pool_explained_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiers_and_members_are_told), cmocka_unit_test(what_is_withheld_is_told),
        cmocka_unit_test(a_site_is_told),
        cmocka_unit_test(a_hash_tells_who_is_given),  cmocka_unit_test(nobody_is_told_too),
        cmocka_unit_test(the_largest_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
