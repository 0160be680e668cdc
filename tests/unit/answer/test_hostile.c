/* What hostile requests get: the RFCs' answer or none, each kind (helpers/hostile.h) over both protocols, in place and
 * not, alone and among all others, and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/random.h"
#include "helpers/decode.h"
#include "helpers/hostile.h"
#include "helpers/world.h"

enum { RRSET_CNT = 1000 };

static struct world world;

/* With names of 120 and 127 labels, and an rrset of 1,000 records. */
static int start(void **state)
{
    (void)state;
    size_t cap = 1 << 16, len = 0;
    char *zone = malloc(cap);
    len += (size_t)snprintf(zone + len, cap - len, "www A 192.0.2.1\n");
    for (unsigned i = 0; i < RRSET_CNT; i++)
        len += (size_t)snprintf(zone + len, cap - len, "many A 10.0.%u.%u\n", i >> 8, i & 255);
    for (unsigned i = 0; i < 118; i++)
        len += (size_t)snprintf(zone + len, cap - len, "a.");
    (void)snprintf(zone + len, cap - len, "example.com. A 192.0.2.2\n");
    world_init(&world, 1232);
    world_add(&world, "example.com", zone);
    world_start(&world);
    free(zone);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* NULL when `out` is what this kind is to get. */
static const char *judge(const struct hostile *kind, const uint8_t *out, size_t out_len)
{
    static char text[1 << 16];
    if (!out_len || !kind->answer)
        return !out_len == !kind->answer ? NULL : out_len ? "an answer" : "silence";
    const char *wrong = decode_answer(text, sizeof text, out, out_len);
    bool has_question = *kind->answer != '?';
    const char *rcode = kind->answer + !has_question;
    if (wrong)
        return wrong;
    if (be16_get(out) != HOSTILE_ID || (out[2] & 0x79) != (kind->bytes[2] & 0x79))
        return "another ID, opcode or RD";
    if (be16_get(out + 4) != has_question)
        return "a question too many or too few";
    return strncmp(text, rcode, strlen(rcode)) ? text : NULL;
}

/* The request at the very end of its block, so that a sanitizer sees a byte too many. */
static unsigned answer_alone(const struct hostile *kind, enum answer_proto proto, bool in_place)
{
    static uint8_t out[HOSTILE_MAX];
    uint8_t *in = malloc(kind->len ? kind->len : 1);
    memcpy(in, kind->bytes, kind->len);
    memcpy(out, kind->bytes, kind->len);
    size_t out_len = world_answer(&world, out, sizeof out, in_place ? out : in, kind->len, proto);
    const char *wrong = judge(kind, out, out_len);
    if (wrong)
        fprintf(stderr, "%s (%s%s): %s, not %s\n", kind->what, proto == ANSWER_UDP ? "UDP" : "TCP",
                in_place ? ", in place" : "", wrong, kind->answer ? kind->answer : "silence");
    free(in);
    return wrong != NULL;
}

/* The one thing that depends on the protocol. */
static bool is_for(const struct hostile *kind, enum answer_proto proto)
{
    return proto == ANSWER_TCP ? strcmp(kind->what, "type AXFR over UDP") != 0 : kind->proto == ANSWER_UDP;
}

static void test_each_kind(void **state)
{
    (void)state;
    size_t cnt;
    unsigned wrong = 0;
    const struct hostile *kinds = hostile_all(&cnt);
    assert_true(cnt > 80);
    for (size_t i = 0; i < cnt; i++)
        for (unsigned way = 0; way < 4; way++)
            if (is_for(&kinds[i], way & 1 ? ANSWER_TCP : ANSWER_UDP))
                wrong += answer_alone(&kinds[i], way & 1 ? ANSWER_TCP : ANSWER_UDP, way & 2);
    assert_int_equal(wrong, 0);
}

/* No kind changes what its neighbours in a batch get. */
static void test_all_kinds_in_batches(void **state)
{
    (void)state;
    static uint8_t out[ANSWER_BATCH_MAX][HOSTILE_MAX];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    struct random_state rng = {{1, 2}};
    size_t cnt;
    const struct hostile *kinds = hostile_all(&cnt);
    for (unsigned round = 0; round < 200; round++) {
        const struct hostile *chosen[ANSWER_BATCH_MAX];
        for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++) {
            chosen[i] = &kinds[random_below(&rng, (uint32_t)cnt)];
            packets[i] = (struct answer_packet){.in = chosen[i]->bytes, .in_len = (uint32_t)chosen[i]->len,
                .out = out[i], .out_cap = sizeof out[i], .proto = chosen[i]->proto};
        }
        answer_batch(world.worker, packets, ANSWER_BATCH_MAX);
        for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++)
            assert_null(judge(chosen[i], out[i], packets[i].outcome == ANSWER_SEND ? packets[i].out_len : 0));
    }
}

/* Cut anywhere, each gets a well-formed answer or none. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    static uint8_t out[HOSTILE_MAX];
    size_t cnt;
    const struct hostile *kinds = hostile_all(&cnt);
    for (size_t i = 0; i < cnt; i++) {
        for (size_t len = 0; len < kinds[i].len && len < 400; len++) {
            uint8_t *in = malloc(len ? len : 1);
            memcpy(in, kinds[i].bytes, len);
            size_t out_len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
            assert_int_equal(out_len > 0, len >= 12 && !(in[2] & 0x80));
            if (out_len)
                assert_null(decode_answer(NULL, 0, out, out_len));
            free(in);
        }
    }
}

static void expect(const struct ask *ask, enum answer_proto proto, unsigned answers, bool truncated)
{
    static uint8_t out[HOSTILE_MAX];
    uint8_t in[512];
    size_t len = world_ask(in, ask), out_len = world_answer(&world, out, sizeof out, in, len, proto);
    assert_true(out_len > 0);
    assert_null(decode_answer(NULL, 0, out, out_len));
    assert_int_equal(be16_get(out + 6), answers);
    assert_int_equal((out[2] & 2) != 0, truncated);
}

static void test_the_largest_of_what_is_served(void **state)
{
    (void)state;
    char deep[400] = "";
    for (unsigned i = 0; i < 118; i++)
        strcat(deep, "a.");
    strcat(deep, "example.com");
    expect(&(struct ask){.name = deep, .type = 1}, ANSWER_UDP, 1, false);
    expect(&(struct ask){.name = deep, .type = 16}, ANSWER_UDP, 0, false);
    expect(&(struct ask){.name = deep + 2, .type = 1}, ANSWER_UDP, 0, false);
    expect(&(struct ask){.name = "many.example.com", .type = 1, .payload = 4096}, ANSWER_TCP, RRSET_CNT, false);
    uint8_t in[512], out[4096];
    size_t len = world_ask(in, &(struct ask){.name = "many.example.com", .type = 1, .payload = 4096});
    size_t out_len = world_answer(&world, out, sizeof out, in, len, ANSWER_UDP);
    assert_in_range(out_len, 12, 1232);
    assert_null(decode_answer(NULL, 0, out, out_len));
    assert_true(out[2] & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_all_kinds_in_batches),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_the_largest_of_what_is_served),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
