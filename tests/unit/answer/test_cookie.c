#include "answer/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECRET_OLD "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define SECRET_ROLLED "dd3bdf9344b678b185a6f5cb60fca715"
#define SECRET_NEW "445536bcd2513298075a5d379663c962"

static struct cookie_secret secret_of(const char *text)
{
    struct cookie_secret secret;
    assert_int_equal(cookie_secret_from_text(&secret, text), ERR_OK);
    return secret;
}

static struct cookie_secrets secrets_of(const char *first, const char *second)
{
    struct cookie_secrets secrets = {.secrets = {secret_of(first)}, .cnt = 1};
    if (second)
        secrets.secrets[secrets.cnt++] = secret_of(second);
    return secrets;
}

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, text), ERR_OK);
    addr.port = 5353; /* of no account */
    return addr;
}

static unsigned bytes_of(uint8_t *out, const char *hex)
{
    unsigned len = (unsigned)strlen(hex) / 2;
    for (unsigned i = 0; i < len; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return len;
}

/* RFC 9018 appendix A. In A.3 the answer is of a time when the cookie asked with, as it stands there, is an hour and 52
 * minutes old; that it is the server's own is seen at the time it was made. */
static void test_vectors_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *client, *asked;
        uint32_t now_sec;
        enum cookie_verdict verdict;
        const char *answered;
    } cases[] = {
        {SECRET_OLD, NULL, "198.51.100.100", "2464c4abcf10c957", 1559731985, COOKIE_CLIENT_ONLY,
         "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
        {SECRET_OLD, NULL, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, COOKIE_OLD,
         "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
        {SECRET_OLD, NULL, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985,
         COOKIE_VALID, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
        {SECRET_OLD, NULL, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700, COOKIE_BAD,
         "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
        {SECRET_NEW, SECRET_ROLLED, "2001:db8:220:1:59de:d0f4:8769:82b8",
         "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, COOKIE_OLD,
         "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cookie_secrets secrets = secrets_of(cases[i].first, cases[i].second);
        struct addr client = addr_of(cases[i].client);
        uint8_t asked[COOKIE_LEN], answered[COOKIE_LEN], out[COOKIE_LEN];
        unsigned len = bytes_of(asked, cases[i].asked);
        enum cookie_verdict verdict = cookie_check(&secrets, &client, asked, len, cases[i].now_sec);
        assert_int_equal(verdict, cases[i].verdict);
        bytes_of(answered, cases[i].answered);
        cookie_answer(out, verdict, &secrets, &client, asked, cases[i].now_sec);
        assert_memory_equal(out, answered, sizeof out);
        /* in place too */
        cookie_answer(asked, verdict, &secrets, &client, asked, cases[i].now_sec);
        assert_memory_equal(asked, answered, sizeof out);
        assert_int_equal(cookie_check(&secrets, &client, answered, COOKIE_LEN, cases[i].now_sec), COOKIE_VALID);
    }
}

enum { MADE_SEC = 1700000000 };

static const uint8_t client_cookie[COOKIE_CLIENT_LEN] = "abcdefgh";

/* RFC 9018 4.3, also across the wrap of the 32 bits. */
static void test_time(void **state)
{
    (void)state;
    static const struct {
        int32_t age_sec;
        enum cookie_verdict verdict;
    } cases[] = {
        {0, COOKIE_VALID},     {1800, COOKIE_VALID},     {1801, COOKIE_OLD},    {3600, COOKIE_OLD},
        {3601, COOKIE_BAD},    {-1, COOKIE_VALID},       {-300, COOKIE_VALID},  {-301, COOKIE_BAD},
        {INT32_MAX, COOKIE_BAD}, {INT32_MIN, COOKIE_BAD}, {86400, COOKIE_BAD}, {-86400, COOKIE_BAD},
    };
    static const uint32_t made[] = {MADE_SEC, 0, UINT32_MAX, UINT32_MAX - 100, INT32_MAX, 100};
    struct cookie_secrets secrets = secrets_of(SECRET_OLD, NULL);
    struct addr client = addr_of("192.0.2.1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < sizeof made / sizeof *made; j++) {
            uint8_t option[COOKIE_LEN];
            cookie_make(option, &secrets, &client, client_cookie, made[j]);
            uint32_t now_sec = made[j] + (uint32_t)cases[i].age_sec;
            assert_int_equal(cookie_check(&secrets, &client, option, COOKIE_LEN, now_sec), cases[i].verdict);
        }
    }
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    static const char *const clients[] = {"192.0.2.1", "2001:db8::1"};
    struct cookie_secrets secrets = secrets_of(SECRET_OLD, SECRET_NEW);
    for (size_t c = 0; c < 2; c++) {
        struct addr client = addr_of(clients[c]);
        uint8_t option[COOKIE_LEN];
        cookie_make(option, &secrets, &client, client_cookie, MADE_SEC);
        for (unsigned bit = 0; bit < 8 * COOKIE_LEN; bit++) {
            option[bit / 8] ^= (uint8_t)(1 << bit % 8);
            bool of_version = bit / 8 == COOKIE_CLIENT_LEN;
            assert_int_equal(cookie_check(&secrets, &client, option, COOKIE_LEN, MADE_SEC),
                             of_version ? COOKIE_CLIENT_ONLY : COOKIE_BAD);
            option[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (unsigned bit = 0; bit < 8 * addr_len(&client); bit++) {
            client.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(cookie_check(&secrets, &client, option, COOKIE_LEN, MADE_SEC), COOKIE_BAD);
            client.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        client.port++;
        assert_int_equal(cookie_check(&secrets, &client, option, COOKIE_LEN, MADE_SEC), COOKIE_VALID);
    }
}

/* What an IPv4 address is hashed with is its 4 bytes, not 16 of which 12 are zero. */
static void test_families_differ(void **state)
{
    (void)state;
    struct cookie_secrets secrets = secrets_of(SECRET_OLD, NULL);
    struct addr v4 = addr_of("192.0.2.1"), v6 = v4;
    v6.family = ADDR_V6;
    uint8_t option[COOKIE_LEN];
    cookie_make(option, &secrets, &v4, client_cookie, MADE_SEC);
    assert_int_equal(cookie_check(&secrets, &v6, option, COOKIE_LEN, MADE_SEC), COOKIE_BAD);
}

static void test_other_lengths(void **state)
{
    (void)state;
    struct cookie_secrets secrets = secrets_of(SECRET_OLD, NULL);
    struct addr client = addr_of("192.0.2.1");
    uint8_t option[40] = {0};
    cookie_make(option, &secrets, &client, client_cookie, MADE_SEC);
    for (unsigned len = COOKIE_CLIENT_LEN; len <= sizeof option; len++)
        assert_int_equal(cookie_check(&secrets, &client, option, len, MADE_SEC),
                         len == COOKIE_LEN ? COOKIE_VALID : COOKIE_CLIENT_ONLY);
}

/* RFC 9018 5: the new secret is known everywhere before it makes, the old one until its cookies are gone. */
static void test_rollover(void **state)
{
    (void)state;
    struct cookie_secrets before = secrets_of(SECRET_OLD, NULL), known = secrets_of(SECRET_OLD, SECRET_NEW),
                          rolled = secrets_of(SECRET_NEW, SECRET_OLD), after = secrets_of(SECRET_NEW, NULL);
    struct addr client = addr_of("192.0.2.1");
    uint8_t old[COOKIE_LEN], fresh[COOKIE_LEN];
    cookie_make(old, &known, &client, client_cookie, MADE_SEC);
    cookie_make(fresh, &rolled, &client, client_cookie, MADE_SEC);
    assert_int_equal(cookie_check(&before, &client, old, COOKIE_LEN, MADE_SEC), COOKIE_VALID);
    assert_int_equal(cookie_check(&known, &client, old, COOKIE_LEN, MADE_SEC), COOKIE_VALID);
    assert_int_equal(cookie_check(&rolled, &client, old, COOKIE_LEN, MADE_SEC), COOKIE_OLD);
    assert_int_equal(cookie_check(&after, &client, old, COOKIE_LEN, MADE_SEC), COOKIE_BAD);
    assert_int_equal(cookie_check(&before, &client, fresh, COOKIE_LEN, MADE_SEC), COOKIE_BAD);
    assert_int_equal(cookie_check(&known, &client, fresh, COOKIE_LEN, MADE_SEC), COOKIE_OLD);
    assert_int_equal(cookie_check(&after, &client, fresh, COOKIE_LEN, MADE_SEC), COOKIE_VALID);
}

static void test_secrets(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "e5e973e5a6b2a43f48e7dc849e37bfc", "e5e973e5a6b2a43f48e7dc849e37bfcf0", "e5e973e5a6b2a43f48e7dc849e37bfcg",
        "e5e973e5a6b2a43f48e7dc849e37bf f", "0xe5e973e5a6b2a43f48e7dc849e37bf", "e5e973e5a6b2a43f48e7dc849e37bf@f",
    };
    struct cookie_secret secret = secret_of("00ff10AF9a0000000000000000000001");
    assert_memory_equal(secret.bytes, "\0\xff\x10\xaf\x9a\0\0\0\0\0\0\0\0\0\0\1", COOKIE_SECRET_LEN);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(cookie_secret_from_text(&secret, wrong[i]), ERR_SYNTAX);
    struct cookie_secrets one, other;
    cookie_secrets_random(&one);
    cookie_secrets_random(&other);
    assert_int_equal(one.cnt, 1);
    assert_memory_not_equal(&one.secrets[0], &other.secrets[0], COOKIE_SECRET_LEN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_of_the_rfc), cmocka_unit_test(test_time),
        cmocka_unit_test(test_every_bit_counts),   cmocka_unit_test(test_families_differ),
        cmocka_unit_test(test_other_lengths),      cmocka_unit_test(test_rollover),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
