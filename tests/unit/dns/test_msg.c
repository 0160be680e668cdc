#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/msg.h"

#define HEADER "\0\0\0\0\0\0\0\0\0\0\0\0"
#define BYTES(s) s, sizeof(s) - 1

static void test_skip_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes; /* behind a header and the name "a." at 12 */
        size_t len;
        unsigned taken; /* 0: malformed */
    } cases[] = {
        {BYTES("\0"), 1},           {BYTES("\1b\0"), 3},        {BYTES("\1b\xc0\x0c"), 4},  {BYTES("\xc0\x0cx"), 2},
        {BYTES("\1b"), 0},          {BYTES(""), 0},             {BYTES("\xc0"), 0},         {BYTES("\x40" "a\0"), 0},
        {BYTES("\x80\0"), 0},       {BYTES("\xc0\x0f"), 0},     {BYTES("\xc0\x0b"), 0},     {BYTES("\1b\xc0\x0f"), 0},
        {BYTES("\x80\x0c"), 0},     {BYTES("\xbf\x0c"), 0},     {BYTES("\3bc"), 0},          {BYTES("\2bc"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t message[64] = HEADER "\1a";
        memcpy(message + 15, cases[i].bytes, cases[i].len);
        struct reader r = reader_over(message, 15 + cases[i].len);
        reader_take(&r, 15);
        assert_int_equal(msg_skip_name(&r), cases[i].taken > 0);
        assert_int_equal(r.failed, cases[i].taken == 0);
        if (cases[i].taken)
            assert_int_equal(reader_pos(&r), 15 + cases[i].taken);
    }
}

static void test_skip_name_too_long(void **state)
{
    (void)state;
    uint8_t message[12 + 257] = {0};
    for (unsigned i = 0; i < 128; i++)
        memcpy(message + 12 + 2 * i, "\1a", 2);
    struct reader r = reader_over(message, sizeof message);
    reader_take(&r, 12);
    assert_false(msg_skip_name(&r));
    message[12 + 2 * 127] = 0;
    r = reader_over(message, sizeof message);
    reader_take(&r, 12);
    assert_true(msg_skip_name(&r));
}

#define A_RR "\1a\0\0\1\0\1\0\0\0\0\0\4abcd"
#define OPT_RR "\0\0\51\4\320\0\0\200\0\0\0"

static void test_edns(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        unsigned cnt, additional_cnt;
        enum err err;
        bool present;
    } cases[] = {
        {BYTES(""), 0, 0, ERR_OK, false},
        {BYTES(OPT_RR), 1, 1, ERR_OK, true},
        {BYTES(OPT_RR A_RR), 2, 2, ERR_OK, true}, /* a record behind the OPT is legal */
        {BYTES(A_RR OPT_RR), 2, 1, ERR_OK, true},
        {BYTES(A_RR), 1, 0, ERR_OK, false},
        {BYTES(OPT_RR "rest"), 1, 1, ERR_OK, true}, /* for the caller to judge */
        {BYTES(OPT_RR OPT_RR), 2, 2, ERR_SYNTAX, false},
        {BYTES(OPT_RR), 1, 0, ERR_SYNTAX, false},
        {BYTES(OPT_RR A_RR), 2, 1, ERR_SYNTAX, false},
        {BYTES("\1a" OPT_RR), 1, 1, ERR_SYNTAX, false},
        {BYTES("\0\0\51\4\320\0\0\0\0\0\1x"), 1, 1, ERR_SYNTAX, false},
        {BYTES("\0\0\51\4\320\0\0\0\0\0\5\0\3\0\1x"), 1, 1, ERR_OK, true},
        {BYTES("\0\0\51\4\320\0\0\0\0\0\5\0\3\0\2x"), 1, 1, ERR_SYNTAX, false},
        {BYTES("\0\0\51\4\320\0\0\0\0\0\7\0\3\0\1x\0\0"), 1, 1, ERR_SYNTAX, false},
        {BYTES("\0\0\51\4\320\0\0\0\0\0"), 1, 1, ERR_SYNTAX, false},
        {BYTES(A_RR), 2, 0, ERR_SYNTAX, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t message[128] = {0};
        memcpy(message + 12, cases[i].bytes, cases[i].len);
        struct reader r = reader_over(message, 12 + cases[i].len);
        reader_take(&r, 12);
        struct msg_edns edns;
        assert_int_equal(msg_read_edns(&edns, &r, cases[i].cnt, cases[i].additional_cnt), cases[i].err);
        if (!cases[i].err)
            assert_int_equal(edns.present, cases[i].present);
    }
}

/* More records than any request needs are not walked over, however well-formed, but for those of an UPDATE. */
static void test_many_records(void **state)
{
    (void)state;
    uint8_t message[12 + (MSG_RECORDS_MAX + 1) * sizeof A_RR] = {0};
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        for (unsigned cnt = MSG_RECORDS_MAX; cnt <= MSG_RECORDS_MAX + 1; cnt++) {
            struct msg_edns edns;
            size_t len = 12;
            message[2] = (uint8_t)(opcode << 3);
            for (unsigned i = 0; i < cnt; i++, len += sizeof A_RR - 1)
                memcpy(message + len, A_RR, sizeof A_RR - 1);
            struct reader r = reader_over(message, len);
            reader_take(&r, 12);
            bool taken = cnt == MSG_RECORDS_MAX || opcode == 5;
            assert_int_equal(msg_read_edns(&edns, &r, cnt, 0), taken ? ERR_OK : ERR_SYNTAX);
        }
    }
}

static void test_many_options(void **state)
{
    (void)state;
    for (unsigned cnt = MSG_OPTIONS_MAX; cnt <= MSG_OPTIONS_MAX + 1; cnt++) {
        uint8_t message[12 + MSG_OPT_LEN + (MSG_OPTIONS_MAX + 1) * 4] = {0};
        struct msg_edns edns;
        size_t len = 12 + MSG_OPT_LEN + 4 * cnt;
        be16_put(message + 13, 41);
        be16_put(message + 21, (uint16_t)(4 * cnt));
        struct reader r = reader_over(message, len);
        reader_take(&r, 12);
        assert_int_equal(msg_read_edns(&edns, &r, 1, 1), cnt == MSG_OPTIONS_MAX ? ERR_OK : ERR_SYNTAX);
    }
}

static void test_edns_fields(void **state)
{
    (void)state;
    static const char bytes[] = HEADER "\0\0\51\20\0\5\1\200\0\0\5\0\3\0\1x";
    struct reader r = reader_over(bytes, sizeof bytes - 1);
    reader_take(&r, 12);
    struct msg_edns edns;
    assert_int_equal(msg_read_edns(&edns, &r, 1, 1), ERR_OK);
    assert_true(edns.dnssec_ok);
    assert_int_equal(edns.version, 1);
    assert_int_equal(edns.payload_len, 4096);
    assert_int_equal(edns.options_len, 5);
    assert_memory_equal(edns.options, "\0\3\0\1x", 5);
}

#define TSIG_RR "\1k\0\0\372\0\377\0\0\0\0\0\0"

/* RFC 8945 5.1: the last record of additional, or no TSIG at all. */
static void test_tsig(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        unsigned cnt, additional_cnt;
        enum err err;
        unsigned at;
    } cases[] = {
        {BYTES(OPT_RR A_RR), 2, 2, ERR_OK, 0},
        {BYTES(TSIG_RR), 1, 1, ERR_OK, 12},
        {BYTES(OPT_RR TSIG_RR), 2, 2, ERR_OK, 12 + 11},
        {BYTES(A_RR OPT_RR TSIG_RR), 3, 2, ERR_OK, 12 + 17 + 11},
        {BYTES(TSIG_RR "rest"), 1, 1, ERR_OK, 12},
        {BYTES(TSIG_RR), 1, 0, ERR_SYNTAX, 0},
        {BYTES(TSIG_RR OPT_RR), 2, 2, ERR_SYNTAX, 0},
        {BYTES(TSIG_RR TSIG_RR), 2, 2, ERR_SYNTAX, 0},
        {BYTES(TSIG_RR TSIG_RR), 2, 1, ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t message[128] = {0};
        memcpy(message + 12, cases[i].bytes, cases[i].len);
        struct reader r = reader_over(message, 12 + cases[i].len);
        reader_take(&r, 12);
        struct msg_edns edns;
        assert_int_equal(msg_read_edns(&edns, &r, cases[i].cnt, cases[i].additional_cnt), cases[i].err);
        if (!cases[i].err)
            assert_int_equal(edns.tsig_at, cases[i].at);
    }
}

/* At 12 stands "\1a\1b\0", at 17 what the row says, up to the message's end. */
static void test_read_name(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len, at, taken;
        const char *name; /* NULL: malformed */
    } cases[] = {
        {BYTES("\0"), 17, 1, ""},
        {BYTES("\1C\0x"), 17, 3, "\1C"},
        {BYTES("\xc0\x0cx"), 17, 2, "\1a\1b"},
        {BYTES("\1c\xc0\x0e"), 17, 4, "\1c\1b"},
        {BYTES("\1c\xc0\x0e\1d\xc0\x11"), 21, 4, "\1d\1c\1b"},
        {BYTES("\xc0\x11"), 17, 0, NULL}, /* to itself */
        {BYTES("\1c\xc0\x11"), 17, 0, NULL},
        {BYTES("\xc0\x13\xc0\x11"), 19, 0, NULL}, /* to each other */
        {BYTES("\xc0\x13\1c\0"), 17, 0, NULL},
        {BYTES("\xc0\0"), 17, 0, NULL},
        {BYTES("\1c\1"), 17, 0, NULL},
        {BYTES("\1c"), 17, 0, NULL},
        {BYTES("\x40x\0"), 17, 0, NULL},
        {BYTES("\x80x\0\xc0\x11"), 20, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t message[64] = HEADER "\1a\1b", name[NAME_MAX_LEN];
        memcpy(message + 17, cases[i].bytes, cases[i].len);
        struct reader r = reader_over(message, 17 + cases[i].len);
        reader_take(&r, cases[i].at);
        unsigned len = msg_read_name(name, &r);
        assert_int_equal(len > 0, cases[i].name != NULL);
        assert_int_equal(r.failed, !len);
        if (len) {
            assert_int_equal(len, strlen(cases[i].name) + 1);
            assert_memory_equal(name, cases[i].name, len);
            assert_int_equal(reader_pos(&r), cases[i].at + cases[i].taken);
        }
    }
}

/* 255 bytes may be put together by a pointer, 257 not. */
static void test_read_name_length(void **state)
{
    (void)state;
    for (unsigned labels = 126; labels <= 128; labels++) {
        uint8_t message[12 + 2 * 128 + 8] = {0}, name[NAME_MAX_LEN];
        unsigned at = 12;
        for (unsigned i = 1; i < labels; i++, at += 2)
            memcpy(message + at, "\1a", 2);
        at++; /* the root's */
        memcpy(message + at, "\1b\xc0\x0c", 4);
        struct reader r = reader_over(message, at + 4);
        reader_take(&r, at);
        assert_int_equal(msg_read_name(name, &r), labels <= NAME_MAX_LABELS ? 2 * labels + 1 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skip_name),
        cmocka_unit_test(test_skip_name_too_long),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_many_options),
        cmocka_unit_test(test_edns_fields),
        cmocka_unit_test(test_tsig),
        cmocka_unit_test(test_read_name),
        cmocka_unit_test(test_read_name_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
