#include "dns/edns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(s) s, sizeof(s) - 1

/* From a copy of just that length, so that an over-read is seen; options->cookie then points into it until the next. */
static enum err read_options(struct edns_options *options, const char *bytes, size_t len)
{
    static uint8_t *copy;
    free(copy);
    copy = len ? malloc(len) : NULL;
    if (len)
        memcpy(copy, bytes, len);
    const struct msg_edns edns = {.present = true, .options = copy, .options_len = (uint16_t)len};
    memset(options, 0xee, sizeof *options);
    enum err e = edns_read_options(options, &edns);
    if (e) {
        free(copy);
        copy = NULL;
    }
    return e;
}

#define NSID "\0\3\0\0"
#define ECS24 "\0\10\0\7\0\1\30\0\300\0\2"
#define COOKIE8 "\0\12\0\10abcdefgh"
#define KEEPALIVE "\0\13\0\0"
#define PADDING "\0\14\0\2\0\0"
#define UNKNOWN "\376\1\0\3xyz"

static void test_which_are_there(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        unsigned present;
    } cases[] = {
        {BYTES(""), 0},
        {BYTES(NSID), EDNS_HAS_NSID},
        {BYTES("\0\3\0\2ab"), EDNS_HAS_NSID}, /* a value is ignored */
        {BYTES(ECS24), EDNS_HAS_ECS},
        {BYTES(COOKIE8), EDNS_HAS_COOKIE},
        {BYTES(KEEPALIVE), EDNS_HAS_KEEPALIVE},
        {BYTES("\0\13\0\2\0\1"), 0}, /* no client's */
        {BYTES(PADDING), 0},
        {BYTES(UNKNOWN), 0},
        {BYTES("\0\0\0\0"), 0},
        {BYTES("\0\17\0\2\0\1"), 0}, /* EDE: for answers */
        {BYTES("\1\3\0\0\1\10\0\0"), 0}, /* the whole code counts */
        {BYTES(UNKNOWN PADDING KEEPALIVE COOKIE8 ECS24 NSID UNKNOWN),
         EDNS_HAS_NSID | EDNS_HAS_ECS | EDNS_HAS_COOKIE | EDNS_HAS_KEEPALIVE},
    };
    struct edns_options options;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_options(&options, cases[i].bytes, cases[i].len), ERR_OK);
        assert_int_equal(options.present, cases[i].present);
    }
}

/* msg_read_edns lets none through. */
static void test_not_whole(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {BYTES("\0")}, {BYTES("\0\3")}, {BYTES("\0\3\0")}, {BYTES("\0\3\0\1")}, {BYTES(NSID "\0")},
        {BYTES("\376\1\377\377x")},
    };
    struct edns_options options;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(read_options(&options, cases[i].bytes, cases[i].len), ERR_SYNTAX);
}

/* RFC 7873 5.2.2 */
static void test_cookie_lengths(void **state)
{
    (void)state;
    struct edns_options options;
    for (unsigned len = 0; len <= 64; len++) {
        char bytes[4 + 64] = "\0\12\0";
        bool valid = len == 8 || (len >= 16 && len <= 40);
        bytes[3] = (char)len;
        for (unsigned i = 0; i < len; i++)
            bytes[4 + i] = (char)(i + 1);
        assert_int_equal(read_options(&options, bytes, 4 + len), valid ? ERR_OK : ERR_SYNTAX);
        if (!valid)
            continue;
        assert_int_equal(options.present, EDNS_HAS_COOKIE);
        assert_int_equal(options.cookie_len, len);
        assert_memory_equal(options.cookie, bytes + 4, len);
    }
}

/* RFC 7871 6, 7.2.1; what BIND 9.18 says to the same. */
static void test_ecs(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum err err;
        uint8_t family, source_prefix;
        const char *address; /* 16 bytes */
    } cases[] = {
        {BYTES(ECS24), ERR_OK, 1, 24, "\300\0\2\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\10\0\1\40\0\300\0\2\1"), ERR_OK, 1, 32, "\300\0\2\1\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\7\0\1\27\0\300\0\2"), ERR_OK, 1, 23, "\300\0\2\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\5\0\1\1\0\200"), ERR_OK, 1, 1, "\200\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\13\0\2\70\0\40\1\15\270\0\1\2"), ERR_OK, 2, 56, "\40\1\15\270\0\1\2\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\24\0\2\200\0abcdefghijklmnop"), ERR_OK, 2, 128, "abcdefghijklmnop"},
        /* no address to be used: of any family, and of none */
        {BYTES("\0\10\0\4\0\1\0\0"), ERR_OK, 1, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\4\0\2\0\0"), ERR_OK, 2, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\4\0\0\0\0"), ERR_OK, 0, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
        {BYTES("\0\10\0\5\0\0\0\0\1"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\5\0\0\10\0\1"), ERR_SYNTAX, 0, 0, NULL},
        /* unknown families */
        {BYTES("\0\10\0\4\0\3\0\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\7\1\1\30\0\300\0\2"), ERR_SYNTAX, 0, 0, NULL},
        /* prefixes longer than an address */
        {BYTES("\0\10\0\11\0\1\41\0\300\0\2\1\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\25\0\2\201\0abcdefghijklmnop\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\44\0\2\377\0abcdefghijklmnopabcdefghijklmnop"), ERR_SYNTAX, 0, 0, NULL},
        /* a scope */
        {BYTES("\0\10\0\7\0\1\30\30\300\0\2"), ERR_SYNTAX, 0, 0, NULL},
        /* too few and too many octets */
        {BYTES("\0\10\0\6\0\1\30\0\300\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\10\0\1\30\0\300\0\2\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\5\0\1\0\0\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\3\0\1\0"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\0"), ERR_SYNTAX, 0, 0, NULL},
        /* bits behind the prefix */
        {BYTES("\0\10\0\7\0\1\27\0\300\0\3"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\5\0\1\1\0\300"), ERR_SYNTAX, 0, 0, NULL},
        {BYTES("\0\10\0\24\0\2\177\0abcdefghijklmno\1"), ERR_SYNTAX, 0, 0, NULL},
    };
    struct edns_options options;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_options(&options, cases[i].bytes, cases[i].len), cases[i].err);
        if (cases[i].err)
            continue;
        assert_int_equal(options.present, EDNS_HAS_ECS);
        assert_int_equal(options.ecs.family, cases[i].family);
        assert_int_equal(options.ecs.source_prefix, cases[i].source_prefix);
        assert_memory_equal(options.ecs.address, cases[i].address, 16);
    }
}

static void test_the_first_counts(void **state)
{
    (void)state;
    struct edns_options options;
    /* The second ones are malformed, too: nobody looks. */
    assert_int_equal(read_options(&options, BYTES(COOKIE8 "\0\12\0\10ABCDEFGH\0\12\0\1x")), ERR_OK);
    assert_int_equal(options.cookie_len, 8);
    assert_memory_equal(options.cookie, "abcdefgh", 8);
    assert_int_equal(read_options(&options, BYTES(ECS24 "\0\10\0\5\0\1\10\0\12" "\0\10\0\1x")), ERR_OK);
    assert_int_equal(options.ecs.source_prefix, 24);
    assert_int_equal(options.ecs.address[0], 192);
    assert_int_equal(read_options(&options, BYTES("\0\12\0\1x" COOKIE8)), ERR_SYNTAX);
    /* A keepalive that is no client's stands in nobody's way. */
    assert_int_equal(read_options(&options, BYTES("\0\13\0\2\0\1" KEEPALIVE)), ERR_OK);
    assert_int_equal(options.present, EDNS_HAS_KEEPALIVE);
}

static void test_put_option(void **state)
{
    (void)state;
    uint8_t out[12];
    struct writer w = writer_over(out, sizeof out);
    edns_put_option(&w, EDNS_NSID, "ns1", 3);
    edns_put_option(&w, EDNS_TCP_KEEPALIVE, NULL, 0);
    assert_false(w.failed);
    assert_int_equal(writer_len(&w), 11);
    assert_memory_equal(out, "\0\3\0\3ns1\0\13\0\0", 11);
    edns_put_option(&w, EDNS_NSID, NULL, 0);
    assert_true(w.failed);
    assert_int_equal(writer_len(&w), 11);
}

static void test_put_keepalive_and_ede(void **state)
{
    (void)state;
    static const struct {
        uint16_t timeout_100ms;
        const char *value;
    } cases[] = {
        {0, "\0\0"}, {100, "\0\144"}, {65535, "\377\377"},
    };
    uint8_t out[18];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct writer w = writer_over(out, sizeof out);
        edns_put_keepalive(&w, cases[i].timeout_100ms);
        assert_int_equal(writer_len(&w), 6);
        assert_memory_equal(out, "\0\13\0\2", 4);
        assert_memory_equal(out + 4, cases[i].value, 2);
        edns_put_ede(&w, EDNS_EDE_PROHIBITED, "");
        assert_false(w.failed);
        assert_int_equal(writer_len(&w), 12);
        assert_memory_equal(out + 6, "\0\17\0\2\0\22", 6);
        edns_put_ede(&w, EDNS_EDE_OTHER, "abc");
        assert_true(w.failed); /* for want of a byte */
        assert_int_equal(writer_len(&w), 12);
        w.failed = false;
        edns_put_ede(&w, EDNS_EDE_OTHER, "");
        assert_memory_equal(out + 12, "\0\17\0\2\0\0", 6);
    }
}

/* What was read is written as it was, but for the scope. */
static void test_put_ecs(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        uint8_t scope, written;
    } cases[] = {
        {BYTES(ECS24), 0, 0},
        {BYTES(ECS24), 20, 20},
        {BYTES(ECS24), 32, 32}, /* more than was asked with is legal (RFC 7871 7.2.1) */
        {BYTES("\0\10\0\13\0\2\70\0\40\1\15\270\0\1\2"), 56, 56},
        {BYTES("\0\10\0\4\0\1\0\0"), 24, 0},
        {BYTES("\0\10\0\4\0\0\0\0"), 0, 0},
    };
    struct edns_options options;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[64], expected[64];
        assert_int_equal(read_options(&options, cases[i].bytes, cases[i].len), ERR_OK);
        assert_int_equal(edns_ecs_len(&options.ecs), cases[i].len);
        memcpy(expected, cases[i].bytes, cases[i].len);
        expected[7] = cases[i].written;
        struct writer w = writer_over(out, cases[i].len);
        edns_put_ecs(&w, &options.ecs, cases[i].scope);
        assert_false(w.failed);
        assert_int_equal(writer_len(&w), cases[i].len);
        assert_memory_equal(out, expected, cases[i].len);
        w = writer_over(out, cases[i].len - 1);
        edns_put_ecs(&w, &options.ecs, cases[i].scope);
        assert_true(w.failed);
        assert_int_equal(writer_len(&w), 0);
    }
}

/* Gives back the last copy. */
static int free_copy(void **state)
{
    (void)state;
    struct edns_options options;
    return read_options(&options, "", 0) ? -1 : 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_are_there), cmocka_unit_test(test_not_whole),
        cmocka_unit_test(test_cookie_lengths),  cmocka_unit_test(test_ecs),
        cmocka_unit_test(test_the_first_counts), cmocka_unit_test(test_put_option),
        cmocka_unit_test(test_put_keepalive_and_ede), cmocka_unit_test(test_put_ecs),
    };
    return cmocka_run_group_tests(tests, NULL, free_copy);
}
