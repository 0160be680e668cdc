/* What signed requests get (RFC 8945). */
#include "answer/signing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dns/tsig.h"
#include "helpers/decode.h"
#include "helpers/world.h"

/* The TSIG of a good answer, and of others by their errors. */
#define TSIG_GOOD "tsig key.example. hmac-sha256. 0 mac 32 other 0\n"
#define TSIG_16 "tsig key.example. hmac-sha256. 16 mac 0 other 0\n"
#define TSIG_17 "tsig stranger. hmac-sha256. 17 mac 0 other 0\n"
#define TSIG_18 "tsig key.example. hmac-sha256. 18 mac 32 other 6\n"

/* A TXT record of 71 characters. */
#define BIG(c) "big TXT " c "123456789012345678901234567890123456789012345678901234567890123456789x\n"

enum { MESSAGE_MAX = 4096, OLD_SEC = 4000 };

static struct world world;
static struct tsig_key key, stranger;
static char long_name[253 + 1];

static void make_key(struct tsig_key *out, const char *name, unsigned secret)
{
    uint8_t wire[NAME_MAX_LEN], bytes[32] = {(uint8_t)secret};
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), NULL), ERR_OK);
    tsig_key_init(out, wire, TSIG_HMAC_SHA256, bytes, sizeof bytes);
}

static int start(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof long_name - 1; i++)
        long_name[i] = i % 64 == 63 ? '.' : 'a';
    make_key(&key, "key.example.", 1);
    make_key(&stranger, "stranger.", 1);
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\n" BIG("0") BIG("1") BIG("2") BIG("3") BIG("4"));
    world.settings.keys = tsig_keys_new(&key, 1);
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tsig_keys_free(world.settings.keys);
    world_fini(&world);
    return 0;
}

static uint64_t now(void)
{
    return clock_wall_ms() / 1000;
}

struct exchange {
    uint8_t request[MESSAGE_MAX], answer[MESSAGE_MAX];
    size_t request_len, answer_len;
    struct tsig_state client;
    char text[8192]; /* of the answer, without the question */
};

static void sign(struct exchange *x, const struct tsig_key *with, uint64_t now_sec)
{
    struct writer w = writer_over(x->request, sizeof x->request);
    w.at += x->request_len;
    tsig_start(&x->client, with);
    assert_true(tsig_sign(&x->client, &w, now_sec));
    x->request_len = writer_len(&w);
}

static void prepare(struct exchange *x, const struct ask *ask)
{
    memset(x, 0, sizeof *x);
    x->request_len = world_ask(x->request, ask);
}

/* Into another buffer, then in place: both are the same but for the time. */
static void answer(struct exchange *x, enum answer_proto proto, size_t cap)
{
    uint8_t *in = malloc(x->request_len), in_place[MESSAGE_MAX];
    memcpy(in, x->request, x->request_len);
    memcpy(in_place, x->request, x->request_len);
    x->answer_len = world_answer(&world, x->answer, cap, in, x->request_len, proto);
    size_t len = world_answer(&world, in_place, cap, in_place, x->request_len, proto);
    free(in);
    assert_true(x->answer_len > 0);
    assert_int_equal(len, x->answer_len);
    assert_int_equal(be16_get(in_place + 2), be16_get(x->answer + 2));
    const char *wrong = decode_answer(x->text, sizeof x->text, x->answer, x->answer_len);
    if (wrong)
        fail_msg("%s", wrong);
    char *line = strstr(x->text, "\nqu ");
    if (line)
        memmove(line, strchr(line + 1, '\n'), strlen(strchr(line + 1, '\n')) + 1);
}

static enum tsig_verdict verify(struct exchange *x)
{
    return tsig_verify_answer(&x->client, x->answer, x->answer_len, now());
}

/* Signed whatever they say: zones that we lack, names that are not there, types and opcodes that we don't answer. */
static void test_answers_are_signed(void **state)
{
    (void)state;
    static const struct {
        struct ask ask;
        const char *answer;
    } rows[] = {
        {{.name = "www.example", .type = RR_A}, "noerror aa\nan www.example. 60 1 192.0.2.1\n" TSIG_GOOD},
        {{.name = "www.example", .type = RR_A, .payload = 1232},
         "noerror aa\nan www.example. 60 1 192.0.2.1\n" TSIG_GOOD "opt 1232\n"},
        {{.name = "www.example.net", .type = RR_A}, "refused\n" TSIG_GOOD},
        {{.name = "www.example.net", .type = RR_A, .payload = 512}, "refused\n" TSIG_GOOD "opt 1232 15:0014\n"},
        {{.name = "www.example", .type = RR_A, .class = RR_CLASS_CH}, "refused\n" TSIG_GOOD},
        {{.name = "example", .type = RR_AXFR}, "refused\n" TSIG_GOOD},
        {{.name = "example", .type = RR_SOA, .flags = OPCODE_NOTIFY << MSG_OPCODE_SHIFT},
         "refused opcode4\n" TSIG_GOOD},
        {{.name = "example", .type = RR_SOA, .flags = OPCODE_UPDATE << MSG_OPCODE_SHIFT, .payload = 1232},
         "refused opcode5\n" TSIG_GOOD "opt 1232 15:0012\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct exchange x;
        prepare(&x, &rows[i].ask);
        sign(&x, &key, now());
        answer(&x, ANSWER_TCP, MESSAGE_MAX);
        assert_string_equal(x.text, rows[i].answer);
        assert_int_equal(verify(&x), TSIG_OK);
        assert_int_equal(x.client.error, 0);
    }
}

/* FORMERR for what is wrong beside the signature is signed as well. */
static void test_signed_formerr(void **state)
{
    (void)state;
    struct exchange x;
    prepare(&x, &(struct ask){.name = "www.example", .type = RR_A, .payload = 1232});
    memcpy(x.request + x.request_len, "\0\12\0\1a", 5); /* a COOKIE that is too short */
    be16_put(x.request + x.request_len - 2, 5);
    x.request_len += 5;
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_string_equal(x.text, "formerr\n" TSIG_GOOD "opt 1232\n");
    assert_int_equal(verify(&x), TSIG_OK);
    prepare(&x, &(struct ask){.name = "www.example", .type = RR_A});
    be16_put(x.request + 4, 0); /* no question */
    x.request_len = 12;
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_string_equal(x.text, "formerr\n" TSIG_GOOD);
    assert_int_equal(verify(&x), TSIG_OK);
}

/* A TSIG that is none, or not where it has to be, or not the end: no signature can be spoken of. */
static void test_unsigned_formerr(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct exchange x;
        prepare(&x, &(struct ask){.name = "www.example", .type = RR_A});
        size_t at = x.request_len;
        sign(&x, &key, now());
        size_t len = x.request_len;
        if (i == 0)
            x.request[x.request_len++] = 0; /* a byte behind it */
        else if (i == 1)
            x.request[at + 16] = 1; /* class IN */
        else if (i == 2)
            x.request_len--;
        else if (i == 3)
            be16_put(x.request + 6, 1), be16_put(x.request + 10, 0); /* in the answer section */
        else {
            memcpy(x.request + len, x.request + at, len - at);
            x.request_len += len - at;
            be16_put(x.request + 10, 2);
        }
        answer(&x, ANSWER_UDP, MESSAGE_MAX);
        assert_string_equal(x.text, "formerr\n");
        assert_int_equal(be16_get(x.answer + 10), 0);
    }
}

/* Nothing else is looked at when the signature is not good. */
static void test_not_authentic(void **state)
{
    (void)state;
    static const struct ask asks[] = {
        {.name = "www.example", .type = RR_A},
        {.name = "www.example", .type = RR_A, .flags = OPCODE_UPDATE << MSG_OPCODE_SHIFT},
        {.name = "example", .type = RR_AXFR},
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        struct exchange x;
        static const char *const texts[][3] = {
            {"rcode9\n" TSIG_17, "rcode9\n" TSIG_16, "rcode9\n" TSIG_18},
            {"rcode9 opcode5\n" TSIG_17, "rcode9 opcode5\n" TSIG_16, "rcode9 opcode5\n" TSIG_18},
            {"rcode9\n" TSIG_17, "rcode9\n" TSIG_16, "rcode9\n" TSIG_18},
        };
        prepare(&x, &asks[i]);
        sign(&x, &stranger, now());
        answer(&x, ANSWER_UDP, MESSAGE_MAX);
        assert_string_equal(x.text, texts[i][0]);
        assert_int_equal(verify(&x), TSIG_BADSIG); /* not signed */
        assert_int_equal(x.client.error, TSIG_BADKEY);

        prepare(&x, &asks[i]);
        sign(&x, &key, now());
        x.request[13] ^= 0x20; /* a letter of the question */
        answer(&x, ANSWER_UDP, MESSAGE_MAX);
        assert_string_equal(x.text, texts[i][1]);
        assert_int_equal(verify(&x), TSIG_BADSIG);
        assert_int_equal(x.client.error, TSIG_BADSIG);

        prepare(&x, &asks[i]);
        sign(&x, &key, now() - OLD_SEC);
        uint64_t then = now() - OLD_SEC;
        answer(&x, ANSWER_UDP, MESSAGE_MAX);
        assert_string_equal(x.text, texts[i][2]);
        assert_int_equal(tsig_verify_answer(&x.client, x.answer, x.answer_len, then), TSIG_OK);
        assert_int_equal(x.client.error, TSIG_BADTIME);
        assert_in_range(x.client.server_time_sec, now() - 10, now());
    }
}

static void test_no_keys(void **state)
{
    (void)state;
    struct tsig_keys *keys = world.settings.keys;
    struct exchange x;
    world.settings.keys = NULL;
    prepare(&x, &(struct ask){.name = "www.example", .type = RR_A, .payload = 1232});
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_string_equal(x.text, "rcode9\ntsig key.example. hmac-sha256. 17 mac 0 other 0\nopt 1232\n");
    assert_int_equal(verify(&x), TSIG_BADSIG);
    assert_int_equal(x.client.error, TSIG_BADKEY);
    world.settings.keys = keys;
}

/* 486 bytes, which would fit without the TSIG: then TC, the question, the OPT and the TSIG (RFC 8945 5.3). */
static void test_truncated(void **state)
{
    (void)state;
    struct exchange x;
    prepare(&x, &(struct ask){.name = "big.example", .type = RR_TXT});
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_in_range(x.answer_len, 430, 512);
    assert_int_equal(be16_get(x.answer + 2) & MSG_TC, 0);
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_string_equal(x.text, "noerror aa tc\n" TSIG_GOOD);
    assert_int_equal(verify(&x), TSIG_OK);
    answer(&x, ANSWER_TCP, MESSAGE_MAX);
    assert_int_equal(be16_get(x.answer + 2) & MSG_TC, 0);
    assert_int_equal(be16_get(x.answer + 6), 5);

    prepare(&x, &(struct ask){.name = "big.example", .type = RR_TXT, .payload = 512});
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_string_equal(x.text, "noerror aa tc\n" TSIG_GOOD "opt 1232\n");
    assert_int_equal(verify(&x), TSIG_OK);
    prepare(&x, &(struct ask){.name = "big.example", .type = RR_TXT, .payload = 1232});
    sign(&x, &key, now());
    answer(&x, ANSWER_UDP, MESSAGE_MAX);
    assert_int_equal(be16_get(x.answer + 6), 5);
    assert_int_equal(verify(&x), TSIG_OK);
}

/* Names so long that not even question and TSIG fit into 512 bytes: the request was as long. */
static void test_long_names(void **state)
{
    (void)state;
    struct tsig_keys *keys = world.settings.keys;
    struct tsig_key longest;
    char key_name[sizeof long_name];
    memcpy(key_name, long_name, sizeof key_name);
    key_name[0] = 'b';
    make_key(&longest, key_name, 7);
    world.settings.keys = tsig_keys_new(&longest, 1);
    for (unsigned known = 0; known < 2; known++) {
        struct exchange x;
        if (!known)
            key_name[0] = 'c';
        else
            key_name[0] = 'b';
        make_key(&longest, key_name, 7);
        prepare(&x, &(struct ask){.name = long_name, .type = RR_A});
        sign(&x, &longest, now());
        assert_true(x.request_len > 512);
        x.answer_len = world_answer(&world, x.answer, MESSAGE_MAX, x.request, x.request_len, ANSWER_UDP);
        assert_null(decode_answer(NULL, 0, x.answer, x.answer_len));
        assert_in_range(x.answer_len, 513, x.request_len);
        assert_int_equal(verify(&x), known ? TSIG_OK : TSIG_BADSIG);
        assert_int_equal(x.client.error, known ? 0 : TSIG_BADKEY);
        assert_int_equal(be16_get(x.answer + 2) & MSG_RCODE_MASK, known ? RCODE_REFUSED : RCODE_NOTAUTH);
        /* In a buffer of 512 bytes there is no way to sign it. */
        x.answer_len = world_answer(&world, x.answer, 512, x.request, x.request_len, ANSWER_UDP);
        assert_null(decode_answer(NULL, 0, x.answer, x.answer_len));
        assert_int_equal(be16_get(x.answer + 10), 0);
    }
    tsig_keys_free(world.settings.keys);
    world.settings.keys = keys;
}

/* A query that nobody signed, after one that somebody did, in the same place of a batch. */
static void test_unsigned_after_signed(void **state)
{
    (void)state;
    struct exchange x;
    for (unsigned i = 0; i < 3; i++) {
        prepare(&x, &(struct ask){.name = "www.example", .type = RR_A});
        if (i % 2 == 0)
            sign(&x, i ? &stranger : &key, now());
        answer(&x, ANSWER_UDP, MESSAGE_MAX);
        assert_int_equal(be16_get(x.answer + 10), i % 2 == 0);
        assert_int_equal(be16_get(x.answer + 2) & MSG_RCODE_MASK, i == 2 ? RCODE_NOTAUTH : RCODE_NOERROR);
    }
    const struct answer_counters *counters = answer_worker_counters(world.worker);
    assert_true(counters->tsig_good > 0 && counters->tsig_bad > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_are_signed), cmocka_unit_test(test_signed_formerr),
        cmocka_unit_test(test_unsigned_formerr),   cmocka_unit_test(test_not_authentic),
        cmocka_unit_test(test_no_keys),            cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_long_names),         cmocka_unit_test(test_unsigned_after_signed),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
