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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skip_name),
        cmocka_unit_test(test_skip_name_too_long),
        cmocka_unit_test(test_edns),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_many_options),
        cmocka_unit_test(test_edns_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
