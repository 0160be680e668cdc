/* Answers of many messages (RFC 8945 5.3.1), as transfers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/msg.h"
#include "dns/rr.h"
#include "dns/tsig.h"
#include "tsig_rig.h"
#include "tsig_vectors.h"

enum { MESSAGES = 5, BIND_CNT = sizeof bind_transfer / sizeof *bind_transfer - 1 };

static struct tsig_key key;

/* A client that has sent its request, and the server that has taken it. */
static void exchange(struct tsig_state *client, struct tsig_state *server)
{
    struct message m;
    struct tsig_keys *keys;
    rig_key(&key, "key.example.", TSIG_HMAC_SHA256);
    keys = tsig_keys_new(&key, 1);
    rig_query(&m);
    tsig_start(client, &key);
    rig_sign(&m, client, RIG_NOW);
    assert_int_equal(rig_verify(server, keys, &m, RIG_NOW), TSIG_OK);
    server->key = &key;
    tsig_keys_free(keys);
}

/* Message number `i` of an answer, not signed. */
static void make(struct message *m, unsigned i)
{
    rig_answer(m);
    m->bytes[m->len - 1] = (uint8_t)i;
}

/* named's transfer: what it says is proven, in this order and whole. */
static void test_named_transfer(void **state)
{
    (void)state;
    struct message request, m;
    struct tsig_state asked, s;
    rig_key(&key, "hmac-sha256.key.example.", TSIG_HMAC_SHA256);
    struct tsig_keys *keys = tsig_keys_new(&key, 1);
    rig_from_hex(&request, bind_transfer[0]);
    assert_int_equal(rig_verify(&asked, keys, &request, 0), TSIG_BADTIME);
    uint64_t then = asked.time_sec;
    assert_int_equal(rig_verify(&asked, keys, &request, then), TSIG_OK);
    assert_true(BIND_CNT >= 3);
    s = asked;
    for (size_t i = 0; i < BIND_CNT; i++) {
        rig_from_hex(&m, bind_transfer[1 + i]);
        assert_int_equal(rig_verify_answer(&s, &m, then), TSIG_OK);
        assert_true(tsig_is_proven(&s));
    }
    for (size_t lost = 0; lost + 1 < BIND_CNT; lost++) { /* the next is not the one after */
        s = asked;
        for (size_t i = 0; i <= lost + 1; i++) {
            rig_from_hex(&m, bind_transfer[1 + i]);
            if (i != lost)
                assert_int_equal(rig_verify_answer(&s, &m, then), i < lost ? TSIG_OK : TSIG_BADSIG);
        }
    }
    tsig_keys_free(keys);
}

static void test_both_sides(void **state)
{
    (void)state;
    struct tsig_state client, server;
    struct message m[MESSAGES];
    exchange(&client, &server);
    for (unsigned i = 0; i < MESSAGES; i++) {
        make(&m[i], i);
        rig_sign(&m[i], &server, RIG_NOW + 100 * i); /* it takes its time */
        assert_int_equal(rig_verify_answer(&client, &m[i], RIG_NOW + 100 * i), TSIG_OK);
        assert_true(tsig_is_proven(&client));
    }
    assert_int_equal(rig_verify_answer(&client, &m[MESSAGES - 1], RIG_NOW + 400), TSIG_BADSIG); /* not again */
}

/* Within a stream the times are what is signed of a TSIG, beside the message. */
static void test_times_count(void **state)
{
    (void)state;
    struct tsig_state client, server;
    struct message m;
    exchange(&client, &server);
    make(&m, 0);
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
    make(&m, 1);
    rig_sign(&m, &server, RIG_NOW);
    size_t time_at = rig_find(&m) + 13 + 10 + 13;
    for (unsigned i = 0; i < 8; i++) {
        struct message bad = m;
        struct tsig_state s = client;
        bad.bytes[time_at + i] ^= 1;
        assert_int_equal(rig_verify_answer(&s, &bad, RIG_NOW), TSIG_BADSIG);
    }
    struct tsig_state late = client;
    assert_int_equal(rig_verify_answer(&late, &m, RIG_NOW + TSIG_FUDGE_SEC + 1), TSIG_BADTIME);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
}

/* Signs `last` as one does who has left the messages before it without TSIG since `prior` was the MAC: the code is
 * libcrypto's, over bytes laid out here by the text of RFC 8945 5.3.1. */
static void sign_many(struct message *last, const uint8_t *prior, struct message *unsigned_ones, size_t cnt)
{
    static struct message parts[TSIG_UNSIGNED_MOST + 4];
    static const char record[] = "\3key\7example\0\0\372\0\377\0\0\0\0\0\75\13hmac-sha256\0"
                                 "\0\0\x65\x53\xf1\0\1\54\0\40";
    parts[0].len = 34;
    be16_put(parts[0].bytes, 32);
    memcpy(parts[0].bytes + 2, prior, 32);
    for (size_t i = 0; i < cnt; i++)
        parts[1 + i] = unsigned_ones[i];
    parts[1 + cnt] = *last;
    parts[2 + cnt].len = 8;
    memcpy(parts[2 + cnt].bytes, "\0\0\x65\x53\xf1\0\1\54", 8);
    uint8_t *p = last->bytes + last->len;
    memcpy(p, record, sizeof record - 1);
    p += sizeof record - 1;
    rig_sha256(p, 32, parts, cnt + 3);
    memcpy(p + 32, "\x47\x11\0\0\0", 6);
    last->len += sizeof record - 1 + 38;
    be16_put(last->bytes + 10, 1);
}

/* Up to 99 messages in a row need no TSIG; they are proven by the next. */
static void test_unsigned(void **state)
{
    (void)state;
    static struct message many[TSIG_UNSIGNED_MOST];
    static const unsigned cnts[] = {1, 2, 50, TSIG_UNSIGNED_MOST};
    for (unsigned k = 0; k < sizeof cnts / sizeof *cnts; k++) {
        struct tsig_state client, server;
        struct message m, last;
        exchange(&client, &server);
        make(&m, 0);
        rig_sign(&m, &server, RIG_NOW);
        assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
        for (unsigned i = 0; i < cnts[k]; i++) {
            make(&many[i], i);
            assert_int_equal(rig_verify_answer(&client, &many[i], RIG_NOW), TSIG_PENDING);
            assert_false(tsig_is_proven(&client)); /* nothing may end so */
        }
        make(&last, 200);
        sign_many(&last, server.mac, many, cnts[k]);
        assert_int_equal(rig_verify_answer(&client, &last, RIG_NOW), TSIG_OK);
        assert_true(tsig_is_proven(&client));
    }
}

static void test_too_many_unsigned(void **state)
{
    (void)state;
    struct tsig_state client, server;
    struct message m;
    exchange(&client, &server);
    make(&m, 0);
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
    for (unsigned i = 0; i <= TSIG_UNSIGNED_MOST; i++) {
        make(&m, i);
        assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), i < TSIG_UNSIGNED_MOST ? TSIG_PENDING : TSIG_MISSING);
    }
}

/* What was not signed and then changed, or put in, does not pass. */
static void test_changed_unsigned(void **state)
{
    (void)state;
    for (unsigned changed = 0; changed < 3; changed++) {
        struct tsig_state client, server;
        struct message m, many[2], last;
        exchange(&client, &server);
        make(&m, 0);
        rig_sign(&m, &server, RIG_NOW);
        assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
        make(&many[0], 1);
        make(&many[1], 2);
        make(&last, 3);
        sign_many(&last, server.mac, many, 2);
        if (changed < 2)
            many[changed].bytes[many[changed].len - 2] ^= 1;
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(rig_verify_answer(&client, &many[i], RIG_NOW), TSIG_PENDING);
        if (changed == 2)
            assert_int_equal(rig_verify_answer(&client, &many[1], RIG_NOW), TSIG_PENDING);
        assert_int_equal(rig_verify_answer(&client, &last, RIG_NOW), TSIG_BADSIG);
    }
}

static void test_first_is_signed(void **state)
{
    (void)state;
    struct tsig_state client, server;
    struct message m;
    exchange(&client, &server);
    make(&m, 0);
    assert_false(tsig_is_proven(&client));
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_MISSING);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_transfer),
        cmocka_unit_test(test_both_sides),
        cmocka_unit_test(test_times_count),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_too_many_unsigned),
        cmocka_unit_test(test_changed_unsigned),
        cmocka_unit_test(test_first_is_signed),
    };
    return cmocka_run_group_tests(tests, rig_start, NULL);
}
