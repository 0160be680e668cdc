/* Hash tables of many members are jobs; what happens meanwhile is not lost. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rcu.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

#define PROBES "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"
#define HASH GROUPS("{ name = \"www\"; policy = \"hash\"; probe = \"tcp\"; }")

enum { CNT = 200 };

static char *many_addresses(unsigned cnt)
{
    char *zone = mem_zalloc(cnt, 64);
    size_t len = 0;
    for (unsigned i = 0; i < cnt; i++)
        len += (size_t)sprintf(zone + len, "www 60 A %u\n", i);
    return zone;
}

static struct balance_family *family_of(const struct rig *rig)
{
    return &rig->balance->by_handle[rig_handle(rig, "www")]->families[0];
}

/* The table as it would be if it had never been another. */
static void expect_as_new(const struct rig *rig)
{
    const struct balance_family *family = family_of(rig);
    const struct pool_table *table = rig_table(rig, "www", ADDR_V4);
    struct pool_table *fresh =
        pool_table_compile(&family->settings, ADDR_V4, family->members, family->cnt, NULL, 0, NULL);
    assert_non_null(table);
    assert_int_equal(table->total_bytes, fresh->total_bytes);
    assert_memory_equal(table->slots, fresh->slots, fresh->slot_cnt * sizeof *fresh->slots);
    pool_table_free(fresh);
}

static void say_all(unsigned from, unsigned to, enum health_verdict verdict)
{
    for (unsigned i = from; i < to; i++) {
        char text[32];
        snprintf(text, sizeof text, "192.0.2.%u", i);
        fake_say(text, verdict, false, "x");
    }
}

static void up(struct rig *rig, unsigned from, unsigned to)
{
    say_all(from, to, HEALTH_UP);
    rig_spin(rig);
}

static struct rig *rig_of_many(void)
{
    struct rig *rig = mem_zalloc(1, sizeof *rig);
    char *zone = many_addresses(CNT);
    rig_init(rig, true);
    rig_plan(rig, HASH);
    rig_zone_now(rig, zone);
    work_slice(rig->balance, 1000000); /* opens checks, which may take more than one slice */
    free(zone);
    return rig;
}

static void end(struct rig *rig)
{
    rig_fini(rig);
    free(rig);
}

static void test_first_build_is_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    assert_int_equal(rig->balance->job_cnt, 1);
    assert_false(balance_settled(rig->balance));
    expect_answer(rig, "www", "whole");
    rig_spin(rig);
    expect_as_new(rig);
    end(rig);
}

static void test_few_members_are_none(void **state)
{
    (void)state;
    struct rig rig;
    char *zone = many_addresses(64);
    rig_init(&rig, true);
    rig_plan(&rig, HASH);
    rig_zone_now(&rig, zone);
    work_slice(rig.balance, 1000000);
    assert_int_equal(rig.balance->job_cnt, 0);
    expect_as_new(&rig);
    rig_fini(&rig);
    free(zone);
}

static void test_a_verdict_is_none(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    up(rig, 0, CNT);
    expect_as_new(rig);
    fake_say("192.0.2.77", HEALTH_DOWN, false, "x");
    work_slice(rig->balance, 1000000);
    assert_int_equal(rig->balance->job_cnt, 0);
    expect_as_new(rig);
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, CNT - 1);
    rig_spin(rig);
    end(rig);
}

static void test_change_during_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    say_all(0, 100, HEALTH_UP);
    work_slice(rig->balance, 1000000);
    assert_true(family_of(rig)->build != NULL);
    rig_spin(rig);
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, 100);
    expect_as_new(rig);
    end(rig);
}

static void test_gone_during_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    rig_zone(rig, "x 60 A 1\n");
    assert_int_equal(rig->directory.free_cnt, 1);
    end(rig);
    rig = rig_of_many();
    rig_plan_now(rig, "");
    expect_answer(rig, "www", "whole");
    rig_spin(rig);
    expect_answer(rig, "www", "whole");
    end(rig);
    end(rig_of_many()); /* and the end of all */
}

/* What is queued of the pool waits until the job has ended. */
static void end_job_first(struct rig *rig, struct balance_pool *pool)
{
    assert_false(ring_is_empty(&pool->queue));
    ring_remove(&pool->queue);
    while (rig->balance->job_cnt) {
        rcu_drain();
        rig_turn(rig);
        usleep(1000);
    }
    for (unsigned i = 0; i < 20; i++) { /* and grace periods */
        rcu_drain();
        rig_turn(rig);
    }
}

static void go_on(struct rig *rig, struct balance_pool *pool)
{
    ring_add(&rig->balance->normal, &pool->queue);
    work_post(rig->balance);
    rig_spin(rig);
}

static const uint8_t www[] = "\3www\7example\3com";
static const struct operate_order drain = {.reason = ""};

static void test_lost_during_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    struct balance_pool *pool = family_of(rig)->pool;
    const struct operate_member other = {test_apex, test_apex, {.family = ADDR_V4, .bytes = {192, 0, 2, 1}}};
    operate_set(rig->balance, &other, OPERATE_DRAIN, &drain); /* orders are looked for, by zone */
    work_lose_pool(pool);
    end_job_first(rig, pool);
    go_on(rig, pool);
    end(rig);
}

static void test_no_group_during_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    struct balance_family *family = family_of(rig);
    rig_plan_now(rig, "");
    while (family->group)
        assert_true(work_one(rig->balance) || (work_slice(rig->balance, 0), true));
    end_job_first(rig, family->pool);
    assert_int_equal(rig->balance->waiting_cnt, 0);
    expect_answer(rig, "www", "whole");
    go_on(rig, family->pool);
    assert_true(balance_settled(rig->balance));
    end(rig);
}

static void on_served(void *arg) { *(bool *)arg = true; }

/* The table of the job does not know of the drain yet. */
static void test_drained_during_a_job(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    const struct operate_member member = {test_apex, www, {.family = ADDR_V4, .bytes = {192, 0, 2, 77}}};
    struct balance_pool *pool = family_of(rig)->pool;
    bool is_served = false;
    operate_set(rig->balance, &member, OPERATE_DRAIN, &drain);
    operate_when_served(rig->balance, &member, on_served, &is_served);
    end_job_first(rig, pool);
    assert_false(is_served);
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, CNT);
    go_on(rig, pool);
    assert_true(is_served);
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, CNT - 1);
    end(rig);
}

/* Many changes at once are a job again, and the table before answers meanwhile. */
static void test_tier_switch(void **state)
{
    (void)state;
    struct rig rig;
    char *zone = many_addresses(CNT), *plan = mem_zalloc(1, 20000);
    size_t len = (size_t)sprintf(
        plan, PROBES "zones = ( { balance = ( { name = \"www\"; policy = \"hash\"; probe = \"tcp\"; members = (");
    for (unsigned i = 0; i < 100; i++)
        len += (size_t)sprintf(plan + len, "%s{ address = \"192.0.2.%u\"; tier = 2; }", i ? "," : "", i);
    strcpy(plan + len, "); } ); } );");
    rig_init(&rig, true);
    rig_plan(&rig, plan);
    rig_zone(&rig, zone);
    up(&rig, 0, CNT);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->set_cnt, 100);
    log_begin();
    say_all(100, CNT, HEALTH_DOWN);
    work_slice(rig.balance, 1000000);
    log_end();
    assert_int_equal(rig.balance->job_cnt, 1);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->set_cnt, 100);
    rig_spin(&rig);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->bytes[15], 0);
    expect_as_new(&rig);
    log_begin();
    rig_fini(&rig);
    log_end();
    free(zone);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_build_is_a_job), cmocka_unit_test(test_few_members_are_none),
        cmocka_unit_test(test_a_verdict_is_none),    cmocka_unit_test(test_change_during_a_job),
        cmocka_unit_test(test_gone_during_a_job),    cmocka_unit_test(test_lost_during_a_job),
        cmocka_unit_test(test_no_group_during_a_job), cmocka_unit_test(test_drained_during_a_job),
        cmocka_unit_test(test_tier_switch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
