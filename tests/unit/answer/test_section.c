/* Sections: rotation, what fits and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

static char text[1 << 18];
static uint8_t out[65535];

static size_t ask(struct world *world, const struct ask *ask, size_t cap, enum answer_proto proto)
{
    uint8_t in[512];
    size_t len = world_ask(in, ask);
    len = world_answer(world, out, cap, in, len, proto);
    assert_null(decode_answer(text, sizeof text, out, len));
    return len;
}

static unsigned lines_of(const char *start)
{
    unsigned cnt = 0;
    for (const char *p = text; (p = strstr(p, start)) != NULL; p++)
        cnt++;
    return cnt;
}

/* Each of n rotations about as often as the others, each a rotation of the same circle; behind an alias too. */
static void rotates(struct world *world, const char *name, uint16_t type, unsigned record_len)
{
    enum { ROUNDS = 4000, MEMBERS = 4 };
    unsigned first[MEMBERS] = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t len = ask(world, &(struct ask){.name = name, .type = type}, sizeof out, ANSWER_UDP);
        unsigned start = out[len - 3 * record_len - 1] - 1u;
        assert_true(start < MEMBERS);
        for (unsigned k = 0; k < MEMBERS; k++)
            assert_int_equal(out[len - (MEMBERS - 1 - k) * record_len - 1], (start + k) % MEMBERS + 1);
        first[start]++;
    }
    for (unsigned k = 0; k < MEMBERS; k++)
        assert_in_range(first[k], ROUNDS / MEMBERS - 200, ROUNDS / MEMBERS + 200); /* over seven standard deviations */
}

static void test_rotation(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.3\nwww A 192.0.2.4\n"
        "www AAAA ::1\nwww AAAA ::2\nwww AAAA ::3\nwww AAAA ::4\nalias CNAME www\n"
        "*.wild A 192.0.2.1\n*.wild A 192.0.2.2\n*.wild A 192.0.2.3\n*.wild A 192.0.2.4\n");
    world_start(&world);
    rotates(&world, "www.example", RR_A, 16);
    rotates(&world, "www.example", RR_AAAA, 28);
    rotates(&world, "alias.example", RR_A, 16);
    rotates(&world, "x.wild.example", RR_A, 16);
    world_fini(&world);
}

/* Whatever its size, an rrset is sent whole or not at all; the OPT always is. */
static void test_every_payload(void **state)
{
    (void)state;
    static char zone[32768];
    size_t at = 0;
    for (unsigned i = 0; i < 100; i++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "a%u A 192.0.2.1\nmany A 10.0.0.%u\nmx MX %u a%u\n", i, i,
            i, i);
    snprintf(zone + at, sizeof zone - at, "alias CNAME many\n");
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", zone);
    world_start(&world);
    static const struct {
        const char *name;
        uint16_t type;
        unsigned links;
    } cases[] = {{"many.example", RR_A, 0}, {"alias.example", RR_A, 1}, {"mx.example", RR_MX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ask query = {.name = cases[i].name, .type = cases[i].type, .payload = 4096};
        size_t whole = ask(&world, &query, sizeof out, ANSWER_UDP);
        assert_int_equal(lines_of("\nan "), 100 + cases[i].links);
        for (uint16_t payload = 0; payload < 2400; payload = payload ? (uint16_t)(payload + 1) : 400) {
            query.payload = payload;
            size_t limit = payload < 512 ? 512 : payload, needed = payload ? whole : whole - 11;
            size_t len = ask(&world, &query, sizeof out, ANSWER_UDP);
            assert_true(len <= limit);
            assert_int_equal(lines_of("\nopt 4096"), payload > 0);
            assert_int_equal(strstr(text, "noerror aa tc") != NULL, needed > limit);
            assert_int_equal(lines_of("\nan "), cases[i].links + (needed > limit ? 0 : 100));
        }
        /* Our own payload size and the buffer count too; TCP knows neither of the sizes. */
        query.payload = 65535;
        world.settings.udp_payload = 600;
        assert_true(ask(&world, &query, sizeof out, ANSWER_UDP) <= 600);
        assert_non_null(strstr(text, "noerror aa tc"));
        world.settings.udp_payload = 4096;
        assert_true(ask(&world, &query, 700, ANSWER_UDP) <= 700);
        assert_non_null(strstr(text, "noerror aa tc"));
        query.payload = 512;
        assert_int_equal(ask(&world, &query, sizeof out, ANSWER_TCP), whole);
    }
    world_fini(&world);
}

static void add_long_soa(struct world *world, const char *apex, const char *mname, const char *rname)
{
    char zone[1024];
    int len = snprintf(zone, sizeof zone, "@ 60 SOA %s %s 1 2 3 4 5\n@ 60 NS ns\n", mname, rname);
    world_add_whole(world, apex, zone, (size_t)len);
}

/* A negative answer whose SOA does not fit: TC, and the RCODE stays. */
static void test_soa_that_does_not_fit(void **state)
{
    (void)state;
    char first[256], second[256], name[300];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(first + 64 * i, sizeof first - 64 * i, "%063u.", i);
        snprintf(second + 64 * i, sizeof second - 64 * i, "%063u.", i + 5);
    }
    first[190] = second[190] = 0;
    struct world world;
    world_init(&world, 1232);
    add_long_soa(&world, "short", first, first);
    add_long_soa(&world, "long", first, second);
    world_start(&world);
    snprintf(name, sizeof name, "x%s.short", first + 1);
    ask(&world, &(struct ask){.name = name, .type = RR_A}, sizeof out, ANSWER_UDP);
    assert_memory_equal(text, "nxdomain aa\n", 12);
    snprintf(name, sizeof name, "x%s.long", first + 1);
    ask(&world, &(struct ask){.name = name, .type = RR_A}, sizeof out, ANSWER_UDP);
    assert_memory_equal(text, "nxdomain aa tc\n", 15);
    assert_int_equal(lines_of("\nns "), 0);
    world_fini(&world);
}

/* 65,535 bytes are an answer over TCP. */
static void test_largest_over_tcp(void **state)
{
    (void)state;
    static char zone[1 << 20];
    size_t at = 0;
    /* 4,093 records of 16 bytes, header and question: 65,517 bytes. */
    for (unsigned i = 0; i < 4093; i++)
        at += (size_t)snprintf(zone + at, sizeof zone - at, "w A 10.0.%u.%u\n", i >> 8, i & 255);
    struct world world;
    world_init(&world, 1232);
    world_add(&world, "example", zone);
    world_start(&world);
    size_t len = ask(&world, &(struct ask){.name = "w.example", .type = RR_A, .payload = 512}, sizeof out, ANSWER_TCP);
    assert_int_equal(be16_get(out + 6), 4093);
    assert_int_equal(len, 12 + 11 + 4 + 4093 * 16 + 11);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_every_payload),
        cmocka_unit_test(test_soa_that_does_not_fit),
        cmocka_unit_test(test_largest_over_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
