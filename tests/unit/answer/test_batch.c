/* Batches of everything, and what is counted of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char zone_text[] =
    "www A 192.0.2.1\nalias CNAME www\nsub NS ns.sub\nns.sub A 192.0.2.2\n*.wild A 192.0.2.3\ndn DNAME sub\n"
    "long DNAME " A40 "." A40 ".long\nbig TXT " A40 A40 A40 "\nbig TXT b" A40 A40 A40 "\nbig TXT c" A40 A40 A40 "\n"
    "big TXT d" A40 A40 A40 "\n";

/* What is asked, and the counter (besides queries_*) that must have moved; the second may be the same. */
static const struct {
    struct ask ask;
    size_t counter, also;
} cases[] = {
#define AT(name) (offsetof(struct answer_counters, name) / sizeof(uint64_t))
    {{.name = "www.example", .type = RR_A}, AT(noerror), AT(noerror)},
    {{.name = "alias.example", .type = RR_A, .payload = 1232}, AT(noerror), AT(edns)},
    {{.name = "x.wild.example", .type = RR_A}, AT(noerror), AT(noerror)},
    {{.name = "www.example", .type = RR_MX}, AT(noerror), AT(nodata)},
    {{.name = "a.sub.example", .type = RR_A}, AT(noerror), AT(referral)},
    {{.name = "x.dn.example", .type = RR_A}, AT(noerror), AT(referral)},
    {{.name = "nope.example", .type = RR_A}, AT(nxdomain), AT(nxdomain)},
    {{.name = "broken", .type = RR_A}, AT(servfail), AT(servfail)},
    {{.name = "other", .type = RR_A}, AT(refused), AT(refused)},
    {{.name = "www.example", .type = RR_OPT}, AT(formerr), AT(formerr)},
    {{.name = "www.example", .type = RR_A, .flags = 0x1000}, AT(notimp), AT(notimp)},
    {{.name = "x." A40 "." A40 ".long.example", .type = RR_A}, AT(other_rcode), AT(other_rcode)},
    {{.name = "big.example", .type = RR_TXT}, AT(noerror), AT(truncated)},
    {{.name = "www.example", .type = RR_A, .flags = 0x8000}, AT(dropped), AT(dropped)},
};
enum { CASE_CNT = sizeof cases / sizeof *cases };

static struct world world;

static int start(void **state)
{
    (void)state;
    world_init(&world, 1232);
    world_add(&world, "example", zone_text);
    world_add(&world, "broken", NULL);
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

static void test_counters(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CASE_CNT; i++) {
        struct answer_counters before = {0}, after = {0};
        uint8_t in[512], out[1232];
        answer_counters_add(&before, answer_worker_counters(world.worker));
        size_t len = world_ask(in, &cases[i].ask);
        enum answer_proto proto = i & 1 && cases[i].also != AT(truncated) ? ANSWER_TCP : ANSWER_UDP;
        world_answer(&world, out, sizeof out, in, len, proto);
        answer_counters_add(&after, answer_worker_counters(world.worker));
        for (size_t c = 0; c < ANSWER_COUNTER_CNT; c++) {
            uint64_t moved = ((uint64_t *)&after)[c] - ((uint64_t *)&before)[c];
            size_t proto_counter = proto == ANSWER_UDP ? AT(queries_udp) : AT(queries_tcp);
            assert_int_equal(moved, c == cases[i].counter || c == cases[i].also || c == proto_counter);
        }
    }
    for (size_t c = 0; c < ANSWER_COUNTER_CNT; c++) {
        assert_non_null(answer_counter_names[c]);
        assert_true(strlen(answer_counter_help[c]) > 0);
    }
    assert_string_equal(answer_counter_names[0], "queries_udp");
}

/* Random batches of all sizes say what each query alone is told. */
static void test_together_as_alone(void **state)
{
    (void)state;
    static uint8_t in[ANSWER_BATCH_MAX][512], out[ANSWER_BATCH_MAX][1232], alone[1232];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    struct random_state rng = {{1, 2}};
    for (unsigned round = 0; round < 500; round++) {
        unsigned cnt = random_below(&rng, ANSWER_BATCH_MAX + 1);
        for (unsigned i = 0; i < cnt; i++) {
            size_t len = world_ask(in[i], &cases[random_below(&rng, CASE_CNT)].ask);
            packets[i] = (struct answer_packet){.in = in[i], .in_len = (uint32_t)len, .out = out[i],
                .out_cap = sizeof out[i]};
        }
        answer_batch(world.worker, packets, cnt);
        for (unsigned i = 0; i < cnt; i++) {
            size_t len = world_answer(&world, alone, sizeof alone, in[i], packets[i].in_len, ANSWER_UDP);
            assert_int_equal(packets[i].outcome, len ? ANSWER_SEND : ANSWER_DROP);
            assert_int_equal(packets[i].out_len, len);
            assert_memory_equal(out[i], alone, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_together_as_alone),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
