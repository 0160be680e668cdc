/* The OPT's options in requests and answers: NSID (RFC 5001), client subnet (RFC 7871), cookies (RFC 7873, 9018), TCP
 * keepalive (RFC 7828), extended errors (RFC 8914). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

#define BYTES(s) s, sizeof(s) - 1
#define OPTION_NSID "\0\3\0\0"
#define OPTION_KEEPALIVE "\0\13\0\0"
#define OPTION_COOKIE "\0\12\0\10abcdefgh"
#define OPTION_ECS "\0\10\0\7\0\1\30\0\306\63\144"
#define OPTION_UNKNOWN "\377\1\0\3xyz"
#define AN "noerror aa\nan www.example. 60 1 192.0.2.1\n"

static struct world world;

static int start(void **state)
{
    (void)state;
    world_init(&world, 1232);
    world_add(&world, "example", "www A 192.0.2.1\nbig TXT \"x\"\nlong MX 1 a\n");
    memcpy(world.settings.nsid, "ns1", world.settings.nsid_len = 3);
    assert_int_equal(cookie_secret_from_text(&world.settings.cookie_secrets.secrets[0],
                                             "e5e973e5a6b2a43f48e7dc849e37bfcf"), ERR_OK);
    world.settings.cookie_secrets.cnt = 1;
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_fini(&world);
    return 0;
}

/* A request with these options; returns its length. */
static size_t request(uint8_t out[1024], const char *name, const char *options, size_t options_len)
{
    struct ask ask = {.name = name, .type = RR_A, .payload = 1232};
    size_t len = world_ask(out, &ask);
    be16_put(out + len - 2, (uint16_t)options_len);
    memcpy(out + len, options, options_len);
    return len + options_len;
}

/* Answered in place, as over UDP: what is kept of the request must not be read from where it was. */
static const char *answer(char text[4096], uint8_t message[1024], size_t len, enum answer_proto proto)
{
    text[0] = 0;
    size_t out_len = world_answer(&world, message, 1024, message, len, proto);
    assert_true(out_len > 0);
    const char *wrong = decode_answer(text, 4096, message, out_len);
    assert_null(wrong);
    char *line = strstr(text, "\nqu "); /* as in helpers/table.c */
    if (line)
        memmove(line, strchr(line + 1, '\n'), strlen(strchr(line + 1, '\n')) + 1);
    return text;
}

static void test_options(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        size_t len;
        enum answer_proto proto;
        const char *answer;
    } rows[] = {
        {BYTES(""), ANSWER_UDP, AN "opt 1232\n"},
        {BYTES(OPTION_UNKNOWN), ANSWER_UDP, AN "opt 1232\n"},
        {BYTES(OPTION_NSID), ANSWER_UDP, AN "opt 1232 3:6e7331\n"},
        {BYTES(OPTION_UNKNOWN OPTION_NSID OPTION_UNKNOWN), ANSWER_TCP, AN "opt 1232 3:6e7331\n"},
        {BYTES(OPTION_KEEPALIVE), ANSWER_UDP, AN "opt 1232\n"},
        {BYTES(OPTION_KEEPALIVE), ANSWER_TCP, AN "opt 1232 11:007b\n"},
        {BYTES("\0\13\0\2\0\1"), ANSWER_TCP, AN "opt 1232\n"},
        {BYTES(OPTION_ECS), ANSWER_UDP, AN "opt 1232 8:00011800c63364\n"},
        {BYTES("\0\10\0\4\0\2\0\0"), ANSWER_UDP, AN "opt 1232 8:00020000\n"},
        {BYTES("\0\10\0\7\0\1\27\0\306\63\145"), ANSWER_UDP, "formerr\nopt 1232\n"}, /* a bit beyond 23 */
        {BYTES("\0\10\0\7\0\1\30\30\306\63\144"), ANSWER_UDP, "formerr\nopt 1232\n"}, /* a scope */
        {BYTES("\0\10\0\10\0\1\30\0\306\63\144\0"), ANSWER_UDP, "formerr\nopt 1232\n"},
        {BYTES("\0\10\0\7\0\3\30\0\306\63\144"), ANSWER_UDP, "formerr\nopt 1232\n"},
        {BYTES("\0\12\0\7abcdefg"), ANSWER_UDP, "formerr\nopt 1232\n"},
        {BYTES(OPTION_NSID "\0\12\0\11abcdefghi"), ANSWER_UDP, "formerr\nopt 1232\n"},
        {BYTES(OPTION_NSID OPTION_ECS OPTION_KEEPALIVE), ANSWER_TCP,
         AN "opt 1232 3:6e7331 8:00011800c63364 11:007b\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t message[1024];
        char text[4096];
        size_t len = request(message, "www.example", rows[i].options, rows[i].len);
        assert_string_equal(answer(text, message, len, rows[i].proto), rows[i].answer);
    }
}

/* What the configuration has off is as if it were unknown. */
static void test_off(void **state)
{
    (void)state;
    uint8_t message[1024], nsid_len = world.settings.nsid_len;
    char text[4096];
    unsigned secret_cnt = world.settings.cookie_secrets.cnt;
    world.settings.nsid_len = 0;
    world.settings.cookie_secrets.cnt = 0;
    size_t len = request(message, "www.example", BYTES(OPTION_NSID OPTION_COOKIE));
    assert_string_equal(answer(text, message, len, ANSWER_UDP), AN "opt 1232\n");
    world.settings.nsid_len = nsid_len;
    world.settings.cookie_secrets.cnt = secret_cnt;
}

/* The COOKIE option of the answer at `message` (the only option there). */
static const uint8_t *answers_cookie(const uint8_t *message, size_t question_and_records)
{
    const uint8_t *option = message + question_and_records + MSG_OPT_LEN;
    assert_int_equal(be16_get(option), 10);
    assert_int_equal(be16_get(option + 2), COOKIE_LEN);
    return option + 4;
}

/* Asks without a question (RFC 7873 5.4), `option` being COOKIE's data; the RCODE, and the answer's cookie. */
static unsigned ask_for_cookie(uint8_t cookie[COOKIE_LEN], const uint8_t *option, unsigned option_len)
{
    uint8_t message[1024] = {0};
    char text[4096];
    message[11] = 1;
    be16_put(message + 13, RR_OPT);
    be16_put(message + 15, 1232);
    be16_put(message + 21, (uint16_t)(4 + option_len));
    be16_put(message + 23, 10);
    be16_put(message + 25, (uint16_t)option_len);
    memcpy(message + 27, option, option_len);
    answer(text, message, 27 + option_len, ANSWER_UDP);
    assert_int_equal(be16_get(message + 4), 0);
    memcpy(cookie, answers_cookie(message, 12), COOKIE_LEN);
    return (unsigned)(message[3] & 15) | (unsigned)message[17] << 4;
}

static void test_cookie_without_a_question(void **state)
{
    (void)state;
    uint8_t first[COOKIE_LEN], again[COOKIE_LEN];
    assert_int_equal(ask_for_cookie(first, (const uint8_t *)"abcdefgh", 8), RCODE_NOERROR);
    assert_memory_equal(first, "abcdefgh\1\0\0\0", 12);
    assert_int_equal(ask_for_cookie(again, first, COOKIE_LEN), RCODE_NOERROR);
    assert_memory_equal(again, first, COOKIE_LEN);
    first[20] ^= 1;
    assert_int_equal(ask_for_cookie(again, first, COOKIE_LEN), RCODE_BADCOOKIE);
    assert_memory_not_equal(again, first, COOKIE_LEN);
    first[20] ^= 1;
    world.client.bytes[3] ^= 1; /* another client's */
    assert_int_equal(ask_for_cookie(again, first, COOKIE_LEN), RCODE_BADCOOKIE);
    world.client.bytes[3] ^= 1;
}

static unsigned ask_www(const uint8_t *option, unsigned option_len, enum answer_proto proto)
{
    uint8_t message[1024], options[64] = {0, 10, 0, (uint8_t)option_len};
    char text[4096];
    memcpy(options + 4, option, option_len);
    size_t len = request(message, "www.example", (const char *)options, option_len ? 4 + option_len : 0);
    answer(text, message, len, proto);
    bool with_answer = message[7] == 1;
    const uint8_t *opt = message + 12 + 17 + (with_answer ? 16 : 0);
    unsigned rcode = (unsigned)(message[3] & 15) | (unsigned)opt[5] << 4;
    assert_int_equal(with_answer, rcode == RCODE_NOERROR);
    if (option_len)
        answers_cookie(message, (size_t)(opt - message));
    return rcode;
}

static void test_cookie_required(void **state)
{
    (void)state;
    uint8_t cookie[COOKIE_LEN], bad[COOKIE_LEN];
    assert_int_equal(ask_for_cookie(cookie, (const uint8_t *)"12345678", 8), RCODE_NOERROR);
    memcpy(bad, cookie, COOKIE_LEN);
    bad[COOKIE_LEN - 1] ^= 0x80;
    assert_int_equal(ask_www(cookie, 8, ANSWER_UDP), RCODE_NOERROR);
    assert_int_equal(ask_www(bad, COOKIE_LEN, ANSWER_UDP), RCODE_NOERROR);
    assert_int_equal(ask_www(cookie, COOKIE_LEN, ANSWER_UDP), RCODE_NOERROR);
    world.settings.require_cookie = ANSWER_COOKIE_ALWAYS;
    assert_int_equal(ask_www(cookie, 8, ANSWER_UDP), RCODE_BADCOOKIE);
    assert_int_equal(ask_www(bad, COOKIE_LEN, ANSWER_UDP), RCODE_BADCOOKIE);
    assert_int_equal(ask_www(cookie, COOKIE_LEN, ANSWER_UDP), RCODE_NOERROR);
    assert_int_equal(ask_www(cookie, 8, ANSWER_TCP), RCODE_NOERROR); /* TCP proves the address */
    assert_int_equal(ask_www(cookie, 0, ANSWER_UDP), RCODE_NOERROR); /* who knows no cookies is not shut out */
    world.settings.require_cookie = ANSWER_COOKIE_NEVER;
}

/* An extended error never costs a record its place. */
static void test_extended_errors(void **state)
{
    (void)state;
    uint8_t message[1024];
    char text[4096];
    size_t len = request(message, "www.example.net", BYTES(""));
    assert_string_equal(answer(text, message, len, ANSWER_UDP), "refused\nopt 1232 15:0014\n");
    struct ask axfr = {.name = "example", .type = RR_AXFR, .payload = 1232};
    len = world_ask(message, &axfr);
    assert_string_equal(answer(text, message, len, ANSWER_TCP), "refused\nopt 1232 15:0012\n");
    len = request(message, "www.example", BYTES(""));
    message[2] = 2 << 3; /* STATUS */
    assert_string_equal(answer(text, message, len, ANSWER_UDP), "notimp opcode2\nopt 1232 15:0015\n");
}

/* An unknown EDNS version hides what the options say: they may mean anything there. */
static void test_bad_version(void **state)
{
    (void)state;
    uint8_t message[1024];
    char text[4096];
    size_t len = request(message, "www.example", BYTES("\0\12\0\7abcdefg"));
    message[12 + 17 + 6] = 1;
    assert_string_equal(answer(text, message, len, ANSWER_UDP), "badvers\nopt 1232\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_cookie_without_a_question),
        cmocka_unit_test(test_cookie_required),
        cmocka_unit_test(test_extended_errors),
        cmocka_unit_test(test_bad_version),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
