/* Searches over depths: closest enclosers, wildcards and cuts at every depth of deep names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

enum { DEPTH_MAX = 110 };

static char text[1 << 16], zone[1 << 17];

/* "a.a.….a." of `cnt` labels. */
static const char *labels(unsigned cnt)
{
    static char out[2 * DEPTH_MAX + 1];
    for (unsigned i = 0; i < cnt; i++)
        memcpy(out + 2 * i, "a.", 2);
    out[2 * cnt] = 0;
    return out;
}

static const char *ask(struct world *world, const char *name)
{
    uint8_t in[512], out[1232];
    size_t len = world_ask(in, &(struct ask){.name = name, .type = RR_A, .payload = 1232});
    len = world_answer(world, out, sizeof out, in, len, ANSWER_UDP);
    assert_null(decode_answer(text, sizeof text, out, len));
    return text;
}

/* One name of DEPTH_MAX labels below the apex, and at every depth a wildcard of its own. */
static void test_wildcards_at_every_depth(void **state)
{
    (void)state;
    size_t at = (size_t)snprintf(zone, sizeof zone, "%.*s A 192.0.2.1\n", 2 * DEPTH_MAX - 1, labels(DEPTH_MAX));
    for (unsigned d = 1; d < DEPTH_MAX; d++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "*.%.*s A 10.0.0.%u\n", (int)(2 * d - 1), labels(d), d);
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "e", zone);
    world_start(&world);
    for (unsigned d = 1; d < DEPTH_MAX; d++) {
        char name[300], expected[32];
        snprintf(expected, sizeof expected, " 60 1 10.0.0.%u\n", d);
        snprintf(name, sizeof name, "x.%se", labels(d));
        assert_non_null(strstr(ask(&world, name), expected));
        snprintf(name, sizeof name, "y.x.%se", labels(d));
        assert_non_null(strstr(ask(&world, name), expected));
        snprintf(name, sizeof name, "%se", labels(d));
        assert_memory_equal(ask(&world, name), "noerror aa\nqu", 13); /* an empty non-terminal */
        assert_null(strstr(text, "\nan "));
    }
    assert_memory_equal(ask(&world, "x.e"), "nxdomain aa\n", 12);
    world_fini(&world);
}

/* A cut, and as many below it: the topmost one answers, whatever depth it has and whatever is asked. */
static void test_cuts_at_every_depth(void **state)
{
    (void)state;
    for (unsigned top = 1; top < DEPTH_MAX; top += 9) {
        size_t at = 0;
        for (unsigned d = top; d < DEPTH_MAX; d++)
            at += (size_t)snprintf(zone + at, sizeof zone - at, "%.*s NS ns.%u.\n", (int)(2 * d - 1), labels(d), d);
        snprintf(zone + at, sizeof zone - at, "b.%.*s A 192.0.2.1\n", (int)(2 * top - 1),
            labels(top - 1 ? top - 1 : 1));
        struct world world;
        world_init(&world, 1232);
        world_add(&world, "e", zone);
        world_start(&world);
        char name[300], expected[600];
        snprintf(expected, sizeof expected, "\nns %se. 60 2 ns.%u.\n", labels(top), top);
        for (unsigned d = top; d < DEPTH_MAX; d++) {
            snprintf(name, sizeof name, "%se", labels(d));
            assert_non_null(strstr(ask(&world, name), expected));
            snprintf(name, sizeof name, "x.y.%se", labels(d));
            assert_non_null(strstr(ask(&world, name), expected));
        }
        for (unsigned d = 1; d < top; d++) {
            snprintf(name, sizeof name, "x.y.%se", labels(d));
            assert_memory_equal(ask(&world, name), "nxdomain aa\n", 12);
        }
        world_fini(&world);
    }
}

/* A version that is published answers from then on. */
static void test_new_version(void **state)
{
    (void)state;
    static const char second[] = "@ SOA ns host 2 1 1 1 1\n@ NS ns\nwww A 192.0.2.2\n";
    struct world world, other;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\n");
    world_start(&world);
    assert_non_null(strstr(ask(&world, "www.example"), "192.0.2.1"));
    world_init(&other, 1232);
    other.shared.key = world.shared.key;
    world_add_whole(&other, "example", second, sizeof second - 1);
    world_start(&other);
    struct zone_version *first = world.zones[0]->current;
    rcu_publish(world.zones[0]->current, other.zones[0]->current);
    assert_non_null(strstr(ask(&world, "www.example"), "192.0.2.2"));
    rcu_publish(world.zones[0]->current, NULL);
    assert_memory_equal(ask(&world, "www.example"), "servfail\n", 9);
    rcu_publish(world.zones[0]->current, first);
    world_fini(&other);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wildcards_at_every_depth),
        cmocka_unit_test(test_cuts_at_every_depth),
        cmocka_unit_test(test_new_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
