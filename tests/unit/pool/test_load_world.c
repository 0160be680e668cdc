/* The policies by load in a small world with caches (load_world.h): shares go the right way, settle, stay, and nobody
 * herds. What is measured is printed; bounds are some twice of what it was, over several seeds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "load_world.h"

/* Of TTLs: until nobody is looked at, and as long as everybody is. */
enum { SETTLE = 40, WATCH = 60, SEEDS = 3 };

static const enum pool_policy policies[] = {POOL_FASTEST, POOL_LEAST_CONNECTIONS, POOL_LEAST_LOAD};
static const char *const names[] = {"fastest", "least_connections", "least_load"};

static void init(struct world *world, enum pool_policy policy, uint64_t seed)
{
    world_init(world, policy, seed);
    for (unsigned i = 0; i < WORLD_SERVERS; i++)
        world->servers[i].reports =
            policy == POOL_LEAST_CONNECTIONS ? HEALTH_LOAD_CONNECTIONS : HEALTH_LOAD_UTILIZATION;
}

static void make_slow(struct world_server *server)
{
    server->capacity = 40;
    server->base_ms = 50;
}

/* Within a band, over the last WATCH TTLs; returns the widest deviation. */
static double assert_steady(const struct world *world, double most)
{
    double widest = 0;
    for (unsigned i = 0; i < world->server_cnt; i++)
        widest = fmax(widest, world_share(world, i, WATCH).deviation);
    if (widest > most)
        fail_msg("a share deviates by %.1f %% from its mean, %.1f %% may be", widest * 100, most * 100);
    return widest;
}

static void tell(const char *what, const struct world *world, double deviation)
{
    print_message("%-34s", what);
    for (unsigned i = 0; i < world->server_cnt; i++)
        print_message(" %4.1f%% (u %.2f)", world_share(world, i, WATCH).mean * 100,
                      world_utilization(world, i, WATCH).mean);
    print_message(", widest deviation %.1f%%, steepest x%.3f, %u tables in %u TTLs\n", deviation * 100, world->steepest,
                  world->nameservers[0].made_cnt - 1, world->ttl_cnt);
}

/* ---- one nameserver ---- */

/* At half, two thirds, nine tenths of what there is: the steeper the servers' curves, the more it tempts to swing. */
static void a_slow_server_gets_less_and_that_is_that(void **unused)
{
    (void)unused;
    static const double demands[] = {170, 230, 306};
    for (unsigned p = 0; p < 3; p++)
        for (unsigned d = 0; d < 3; d++)
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct world world;
                char what[64];
                init(&world, policies[p], seed);
                world.demand = demands[d];
                make_slow(&world.servers[0]);
                world_start(&world);
                world_run(&world, SETTLE + WATCH);
                double deviation = assert_steady(&world, 0.12), slow = world_share(&world, 0, WATCH).mean;
                snprintf(what, sizeof what, "%s, %.0f of 340 a second", names[p], world.demand);
                if (seed == 1)
                    tell(what, &world, deviation);
                assert_true(world.steepest <= POOL_LOAD_STEP + 0.02); /* slots round */
                assert_true(slow > 0.085 && slow < 0.16);             /* 40 of 340 are 0.118 */
                for (unsigned i = 1; i < 4; i++)
                    assert_true(world_share(&world, i, WATCH).mean > 0.24);
                world_fini(&world);
            }
}

/* What makes the bounds above worth something: the same world, with a nameserver that gives weights by the reports of
 * the moment. */
static void who_chases_reports_swings(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) {
        double deviations[2];
        for (unsigned chases = 0; chases < 2; chases++) {
            struct world world;
            init(&world, policies[p], 1);
            world.demand = 230;
            world.chases = chases;
            make_slow(&world.servers[0]);
            world_start(&world);
            world_run(&world, SETTLE + WATCH);
            deviations[chases] = assert_steady(&world, INFINITY);
            world_fini(&world);
        }
        print_message("%-18s deviates by %.1f%%, chasing by %.1f%%\n", names[p], deviations[0] * 100,
                      deviations[1] * 100);
        assert_true(deviations[1] > 2 * deviations[0]);
    }
}

static void goes_down_and_comes_back(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct world world;
            init(&world, policies[p], seed);
            world.demand = 230;
            world_start(&world);
            world_run(&world, SETTLE);
            make_slow(&world.servers[0]);
            world_run(&world, SETTLE + WATCH);
            unsigned down = world_settled(&world, SETTLE, WATCH, 0.4) - SETTLE;
            assert_true(world_share(&world, 0, WATCH).mean < 0.16);
            world.servers[0].capacity = 100;
            world.servers[0].base_ms = 20;
            unsigned since = world.ttl_cnt;
            world_run(&world, SETTLE + WATCH);
            unsigned back = world_settled(&world, since, WATCH, 0.4) - since;
            double share = world_share(&world, 0, WATCH).mean;
            if (seed == 1)
                print_message("%-18s slow: settled after %u TTLs, well again: after %u, at %.1f%%\n", names[p], down,
                              back, share * 100);
            assert_true(down <= SETTLE && back <= SETTLE);
            assert_true(share > 0.21 && share < 0.29);
            assert_steady(&world, 0.12);
            world_fini(&world);
        }
}

static void the_floor_holds(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) {
        struct world world;
        init(&world, policies[p], 1);
        world.servers[0].capacity = 0.1; /* always as busy as can be, and two thousand times as slow */
        world.servers[0].base_ms = 40000;
        world_start(&world);
        world_run(&world, SETTLE + WATCH);
        struct world_band band = world_share(&world, 0, WATCH);
        print_message("%-18s hopeless: %.2f%%\n", names[p], band.mean * 100);
        assert_true(band.mean > 0.9 * POOL_LOAD_FLOOR / 4);
        assert_true(band.mean < 2.5 * POOL_LOAD_FLOOR / 4);
        world_fini(&world);
    }
}

static void who_falls_silent_gets_its_weight(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) {
        struct world world;
        init(&world, policies[p], 1);
        make_slow(&world.servers[0]);
        world_start(&world);
        world_run(&world, SETTLE);
        assert_true(world.share[world.ttl_cnt - 1][0] < 0.2);
        world.servers[0].is_mute = true;
        world_run(&world, SETTLE);
        assert_true(fabs(world.share[world.ttl_cnt - 1][0] - 0.25) < 0.01);
        world.servers[0].is_mute = false;
        world_run(&world, SETTLE);
        assert_true(world.share[world.ttl_cnt - 1][0] < 0.2);
        world_fini(&world);
    }
}

/* Bigger resolvers, longer intervals than TTLs, TTLs longer than all else, everybody overloaded. */
static void other_worlds(void **unused)
{
    (void)unused;
    static const struct {
        const char *what;
        double skew, demand;
        uint32_t interval_sec, ttl_sec;
    } rows[] = {
        {"all resolvers alike", 0, 230, 5, 20},
        {"a tenth has two thirds of clients", 1.2, 230, 5, 20},
        {"checked every 60 s", 0.8, 230, 60, 20},
        {"a TTL of 5 s, checked every 20 s", 0.8, 230, 20, 5},
        {"a TTL of 60 s, checked every s", 0.8, 230, 1, 60},
        {"more than all can do", 0.8, 400, 5, 20},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (unsigned p = 0; p < 3; p++) {
            struct world world;
            char what[64];
            init(&world, policies[p], 1);
            world.skew = rows[r].skew;
            world.demand = rows[r].demand;
            world.interval_sec = rows[r].interval_sec;
            world.ttl_sec = rows[r].ttl_sec;
            make_slow(&world.servers[0]);
            world_start(&world);
            world_run(&world, 3 * SETTLE + WATCH);
            snprintf(what, sizeof what, "%.12s, %s", names[p], rows[r].what);
            tell(what, &world, assert_steady(&world, 0.25));
            double slow = world_share(&world, 0, WATCH).mean;
            assert_true(slow > 0.07 && slow < 0.2);
            world_fini(&world);
        }
}

/* ---- two nameservers, two workers each ---- */

static void two_nameservers_do_not_herd(void **unused)
{
    (void)unused;
    for (unsigned p = 0; p < 3; p++) {
        double widest = 0, apart = 1;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct world world;
            init(&world, policies[p], seed);
            world.nameserver_cnt = 2;
            world.demand = 270;
            make_slow(&world.servers[0]);
            world_start(&world);
            world_run(&world, SETTLE + 3 * WATCH);
            widest = fmax(widest, assert_steady(&world, 0.12));
            for (unsigned t = SETTLE; t < world.ttl_cnt; t++)
                apart = fmax(apart, world.apart[t]);
            assert_true(world_share(&world, 0, WATCH).mean < 0.16);
            world_fini(&world);
        }
        print_message("%-18s two nameservers: deviation %.1f%%, at most x%.2f apart\n", names[p], widest * 100, apart);
        assert_true(apart < 2);
    }
}

static void wishes_are_granted(void **unused)
{
    (void)unused;
    static const enum health_load kinds[] = {HEALTH_LOAD_WEIGHT, HEALTH_LOAD_PERCENT};
    for (unsigned k = 0; k < 2; k++) {
        struct world world;
        world_init(&world, POOL_LEAST_LOAD, 1);
        for (unsigned i = 0; i < 4; i++) {
            world.servers[i].reports = kinds[k];
            world.servers[i].wish = i ? 100 : 20;
        }
        world_start(&world);
        world_run(&world, 12);
        assert_true(fabs(world.share[11][0] - 0.2 / 3.2) < 0.01);
        world_fini(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_server_gets_less_and_that_is_that),
        cmocka_unit_test(who_chases_reports_swings),
        cmocka_unit_test(goes_down_and_comes_back),
        cmocka_unit_test(the_floor_holds),
        cmocka_unit_test(who_falls_silent_gets_its_weight),
        cmocka_unit_test(other_worlds),
        cmocka_unit_test(two_nameservers_do_not_herd),
        cmocka_unit_test(wishes_are_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
