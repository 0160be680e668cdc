/* Policies by load between a made-up prober and real tables: whose turn it is when, and what stays over reloads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "unit/balance/rig.h"

#define PLAN(keys)                                                                                                     \
    "probes = ( { name = \"web\"; type = \"http\"; load = \"orca\"; interval = 5; } );\n"                         \
    "zones = ( { balance = ( { name = \"www\"; probe = \"web\"; ttl = 1; " keys " } ); } );"
#define FASTEST PLAN("policy = \"fastest\";")

static const char three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n";

/* Every test's; the clock is moved by hand, but the loop's timers run by the real one. */
static uint64_t now_us;

static void rig_three(struct rig *rig, const char *plan)
{
    clock_fake_us(now_us = UINT64_C(1000000000));
    rig_init(rig, true);
    rig_plan(rig, plan);
    rig_zone(rig, three);
    for (unsigned i = 1; i <= 3; i++) {
        char address[16];
        snprintf(address, sizeof address, "192.0.2.%u", i);
        fake_say(address, HEALTH_UP, false, "status 200");
    }
    rig_spin(rig);
}

static void end(struct rig *rig)
{
    rig_fini(rig);
    clock_fake_us(UINT64_MAX);
}

static const struct balance_family *family_of(const struct rig *rig)
{
    return &rig->balance->by_handle[rig_handle(rig, "www")]->families[0];
}

static void report(const char *address, uint32_t response_us, enum health_load kind, uint32_t load)
{
    struct fake_target *target = fake_find(address);
    assert_non_null(target);
    target->measure = (struct health_measure){.response_us = response_us,
                                              .response_wall_ms = clock_wall_ms() - 1000,
                                              .load = load,
                                              .load_kind = (uint8_t)kind,
                                              .load_wall_ms = clock_wall_ms() - 1000};
}

/* A second goes by, and whoever is due has had its turn. */
static void second(struct rig *rig)
{
    const struct balance_pool *pool = family_of(rig)->pool;
    uint64_t was = pool->load_tick;
    clock_fake_us(now_us += 1000000);
    for (unsigned i = 0; pool->load_tick == was; i++) {
        assert_true(i < 2000);
        usleep(5000);
        rig_turn(rig);
    }
    rig_spin(rig);
}

/* With reports that are always news. */
static void seconds(struct rig *rig, unsigned cnt)
{
    while (cnt--) {
        for (unsigned i = 1; i <= 3; i++) {
            char address[16];
            snprintf(address, sizeof address, "192.0.2.%u", i);
            fake_find(address)->measure.response_wall_ms++;
            fake_find(address)->measure.load_wall_ms++;
        }
        second(rig);
    }
}

static double share(const struct rig *rig, unsigned byte)
{
    struct addr address;
    char text[16];
    snprintf(text, sizeof text, "192.0.2.%u", byte);
    assert_int_equal(addr_from_text(&address, text), ERR_OK);
    return pool_table_share(rig_table(rig, "www", ADDR_V4), &address);
}

static void the_slow_one_gets_less(void **state)
{
    (void)state;
    struct rig rig;
    rig_three(&rig, FASTEST);
    report("192.0.2.1", 8000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.2", 1000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.3", 1000, HEALTH_LOAD_NONE, 0);
    assert_int_equal(family_of(&rig)->members[0].withheld, 0);
    seconds(&rig, 4); /* the first two reports are not believed */
    double once = share(&rig, 1);
    assert_true(once < 0.31);
    seconds(&rig, 8);
    assert_true(share(&rig, 1) < 0.7 * once);
    assert_true(share(&rig, 2) > 0.38 && share(&rig, 3) > 0.38);
    assert_true(family_of(&rig)->members[0].withheld > POOL_PART_ONE / 4);
    end(&rig);
}

static void by_load_and_by_connections(void **state)
{
    (void)state;
    static const char *const plans[] = {
        PLAN("policy = \"least_load\";"),
        "probes = ( { name = \"web\"; type = \"http\"; load = \"body\"; load_pattern = \"n=([0-9]+)\"; interval = 5; } "
        ");\nzones = ( { balance = ( { name = \"www\"; probe = \"web\"; ttl = 1; policy = \"least_connections\"; } ); "
        "} );"};
    static const enum health_load kinds[] = {HEALTH_LOAD_UTILIZATION, HEALTH_LOAD_CONNECTIONS};
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        rig_three(&rig, plans[i]);
        report("192.0.2.1", 1000, kinds[i], 60000);
        report("192.0.2.2", 9000, kinds[i], 20000);
        report("192.0.2.3", 9000, kinds[i], 20000);
        seconds(&rig, 6);
        assert_true(share(&rig, 1) < 0.28);
        assert_true(share(&rig, 2) > 0.35);
        end(&rig);
    }
}

/* What is felt at one site is no matter of another's, and members that class 0 does not give are steered too. */
static void sites_are_steered_by_themselves(void **state)
{
    (void)state;
    struct rig rig;
    rig_three(&rig, "sites = ( { name = \"eu\"; networks = \"10.0.0.0/8\"; },\n"
                    "{ name = \"us\"; networks = \"11.0.0.0/8\"; } );\n" PLAN("policy = \"least_load\"; members = (\n"
                    "{ address = \"192.0.2.1\"; site = \"eu\"; },\n"
                    "{ address = \"192.0.2.2\"; site = \"us\"; tier = 2; },\n"
                    "{ address = \"192.0.2.3\"; site = \"us\"; tier = 2; } );"));
    report("192.0.2.1", 1000, HEALTH_LOAD_UTILIZATION, 65000);
    report("192.0.2.2", 1000, HEALTH_LOAD_UTILIZATION, 60000);
    report("192.0.2.3", 1000, HEALTH_LOAD_UTILIZATION, 20000);
    seconds(&rig, 6);
    const struct pool_table *us = pool_classes_table(rig_table(&rig, "www", ADDR_V4), 2);
    assert_int_equal(family_of(&rig)->members[0].withheld, 0);
    assert_true(pool_table_share(us, &family_of(&rig)->members[1].address) < 0.42);
    assert_true(pool_table_share(us, &family_of(&rig)->members[2].address) > 0.58);
    assert_true(pool_table_share(us, &family_of(&rig)->members[0].address) == 0);
    end(&rig);
}

static void stale_reports_count_for_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_three(&rig, FASTEST);
    report("192.0.2.1", 8000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.2", 1000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.3", 1000, HEALTH_LOAD_NONE, 0);
    seconds(&rig, 8);
    double before = share(&rig, 1);
    for (unsigned i = 1; i <= 3; i++) { /* three intervals of five seconds, and their jitter, are over */
        char address[16];
        snprintf(address, sizeof address, "192.0.2.%u", i);
        fake_find(address)->measure.response_wall_ms = clock_wall_ms() - 17000;
    }
    second(&rig);
    assert_true(share(&rig, 1) > before);
    for (unsigned i = 0; i < 12; i++)
        second(&rig);
    assert_int_equal(family_of(&rig)->members[0].withheld, 0);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->slot_cnt, 3);
    end(&rig);
}

/* Reloads that leave the policy, with the same group or another, go on where it was; other policies start clean. */
static void reloads_go_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_three(&rig, FASTEST);
    report("192.0.2.1", 8000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.2", 1000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.3", 1000, HEALTH_LOAD_NONE, 0);
    seconds(&rig, 8);
    double before = share(&rig, 1);
    assert_true(before < 0.25);
    rig_plan(&rig, FASTEST);
    assert_true(share(&rig, 1) == before);
    rig_plan(&rig, PLAN("policy = \"fastest\"; min_up = 0.5;"));
    assert_true(share(&rig, 1) == before);
    rig_zone(&rig, "www 60 A 1\nwww 60 A 2\nwww 60 A 3\nwww 60 A 4\n");
    fake_say("192.0.2.4", HEALTH_UP, false, "status 200");
    rig_spin(&rig);
    assert_true(share(&rig, 1) < before && share(&rig, 4) > share(&rig, 1));
    rig_plan(&rig, PLAN("policy = \"weighted\";"));
    assert_true(share(&rig, 1) == 0.25);
    assert_true(ring_is_empty(&family_of(&rig)->pool->load));
    rig_plan(&rig, FASTEST);
    assert_true(share(&rig, 1) == 0.25);
    assert_false(ring_is_empty(&family_of(&rig)->pool->load));
    end(&rig);
}

static void who_is_down_does_not_count(void **state)
{
    (void)state;
    struct rig rig;
    rig_three(&rig, FASTEST);
    report("192.0.2.1", 1, HEALTH_LOAD_NONE, 0); /* it answers at once that it does not want to */
    report("192.0.2.2", 1000, HEALTH_LOAD_NONE, 0);
    report("192.0.2.3", 1000, HEALTH_LOAD_NONE, 0);
    fake_say("192.0.2.1", HEALTH_DOWN, false, "status 503");
    rig_spin(&rig);
    seconds(&rig, 8);
    assert_int_equal(family_of(&rig)->members[1].withheld, 0);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->slot_cnt, 2);
    end(&rig);
}

/* A pool's turns come once a TTL, each at a time of its own. */
static void turns_are_spread(void **state)
{
    (void)state;
    enum { POOLS = 200 };
    struct rig rig;
    unsigned of_second[20] = {0};
    char *lines = mem_printf("%s", "");
    clock_fake_us(now_us = UINT64_C(1000000000));
    rig_init(&rig, true);
    rig_plan(&rig, "probes = ( { name = \"web\"; type = \"tcp\"; port = 80; } );\nzones = ( { balance = ( { below = "
                   "\"@\"; probe = \"web\"; ttl = 20; policy = \"fastest\"; } ); } );");
    for (unsigned i = 0; i < POOLS; i++) {
        char *more = mem_printf("%sp%u 60 A 1\n", lines, i);
        free(lines);
        lines = more;
    }
    rig_zone(&rig, lines);
    free(lines);
    for (const struct ring *at = rig.balance->all.after; at != &rig.balance->all; at = at->after) {
        uint64_t tick = container_of(at, const struct balance_pool, all)->load_tick - now_us / 100000;
        assert_true(tick >= 1 && tick <= 200);
        of_second[(tick - 1) / 10]++;
    }
    for (unsigned i = 0; i < 20; i++)
        assert_true(of_second[i] < POOLS / 4); /* ten are expected */
    rig_plan(&rig, "zones = ( { balance = ( ); } );");
    end(&rig);
}

static uint64_t worked_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A family of a thousand, its step and its table, is less than the control thread may be away. */
static void a_thousand_members(void **state)
{
    (void)state;
    enum { CNT = POOL_MEMBERS_MAX };
    struct rig rig;
    clock_fake_us(now_us = UINT64_C(1000000000));
    rig_init(&rig, true);
    rig_plan(&rig, FASTEST);
    rig_zone(&rig, "www 60 A 1\n");
    struct balance_pool *pool = rig.balance->by_handle[rig_handle(&rig, "www")];
    struct balance_family *family = &pool->families[0];
    free(family->records.addresses);
    family->records.addresses = mem_zalloc(CNT, sizeof *family->records.addresses);
    family->records.cnt = CNT;
    for (unsigned i = 0; i < CNT; i++)
        family->records.addresses[i] =
            (struct addr){.bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}, .family = ADDR_V4};
    work_queue(pool, TODO_REBUILD, false);
    work_slice(rig.balance, 0);
    rig_spin(&rig);
    assert_int_equal(family->cnt, CNT);
    uint64_t longest_us = 0;
    for (unsigned n = 0; n < 6; n++) {
        for (unsigned i = 0; i < CNT; i++) {
            char address[ADDR_TEXT_MAX];
            report(addr_to_text(address, &family->members[i].address), 1000 + 10 * i, HEALTH_LOAD_NONE, n);
            fake_find(address)->measure.response_wall_ms += n;
        }
        uint64_t begin_us = worked_us();
        second(&rig);
        uint64_t took_us = worked_us() - begin_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    assert_true(family->members[CNT - 1].withheld > family->members[0].withheld);
    print_message("a turn of %d members, with the table: at most %llu us\n", CNT, (unsigned long long)longest_us);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
    assert_true(longest_us < 5000);
#endif
    end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slow_one_gets_less),
        cmocka_unit_test(by_load_and_by_connections),
        cmocka_unit_test(sites_are_steered_by_themselves),
        cmocka_unit_test(stale_reports_count_for_nothing),
        cmocka_unit_test(reloads_go_on),
        cmocka_unit_test(who_is_down_does_not_count),
        cmocka_unit_test(turns_are_spread),
        cmocka_unit_test(a_thousand_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
