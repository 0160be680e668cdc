#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ldnsx/word.h"

static struct word word_of(const char *text)
{
    return (struct word){text, (uint32_t)strlen(text), strchr(text, '\\') ? WORD_ESCAPED : 0};
}

static void test_number(void **state)
{
    static const struct {
        const char *text;
        uint32_t most;
        enum err e;
        uint32_t value;
    } table[] = {
        {"0", 255, ERR_OK, 0},         {"255", 255, ERR_OK, 255},        {"256", 255, ERR_RANGE, 0},
        {"00012", 255, ERR_OK, 12},    {"", 255, ERR_SYNTAX, 0},         {"-1", 255, ERR_SYNTAX, 0},
        {"+1", 255, ERR_SYNTAX, 0},    {"1x", 255, ERR_SYNTAX, 0},       {"0x1", 255, ERR_SYNTAX, 0},
        {" 1", 255, ERR_SYNTAX, 0},    {"65536", 65535, ERR_RANGE, 0},   {"4294967295", UINT32_MAX, ERR_OK, UINT32_MAX},
        {"4294967296", UINT32_MAX, ERR_RANGE, 0}, {"99999999999999999999999999", UINT32_MAX, ERR_RANGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct word w = word_of(table[i].text);
        uint32_t value = 0;
        assert_int_equal(word_number(&value, &w, table[i].most), table[i].e);
        assert_int_equal(value, table[i].value);
    }
    struct word quoted = {"1", 1, WORD_QUOTED};
    uint32_t value;
    assert_int_equal(word_number(&value, &quoted, 9), ERR_SYNTAX);
}

static void test_period(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        uint32_t seconds;
    } table[] = {
        {"0", ERR_OK, 0},
        {"3600", ERR_OK, 3600},
        {"1w2d3h4m5s", ERR_OK, 788645},
        {"1W2D3H4M5S", ERR_OK, 788645},
        {"5s1w", ERR_OK, 604805},
        {"1m1m", ERR_OK, 120},
        {"4294967295", ERR_OK, UINT32_MAX},
        {"4294967296", ERR_RANGE, 0},
        {"7102w", ERR_RANGE, 0},
        {"7101w", ERR_OK, 4294684800},
        {"", ERR_SYNTAX, 0},
        {"s", ERR_SYNTAX, 0},
        {"1y", ERR_SYNTAX, 0},
        {"1h30", ERR_SYNTAX, 0},
        {"0h30", ERR_OK, 30},
        {"1 h", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {"4294967295w4294967295w4294967295w4294967295w", ERR_RANGE, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct word w = word_of(table[i].text);
        uint32_t seconds = 0;
        assert_int_equal(word_period(&seconds, &w), table[i].e);
        assert_int_equal(seconds, table[i].seconds);
    }
}

static void test_time(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        uint32_t seconds;
    } table[] = {
        {"19700101000000", ERR_OK, 0},          {"20000229000000", ERR_OK, 951782400},
        {"20380119031408", ERR_OK, 2147483648}, {"21060207062815", ERR_OK, UINT32_MAX},
        {"21060207062816", ERR_OK, 0},          {"19691231235959", ERR_OK, UINT32_MAX},
        {"20010229000000", ERR_RANGE, 0},       {"19000229000000", ERR_RANGE, 0},
        {"20201301000000", ERR_RANGE, 0},       {"20200001000000", ERR_RANGE, 0},
        {"20200100000000", ERR_RANGE, 0},       {"20200101240000", ERR_RANGE, 0},
        {"20200101006000", ERR_RANGE, 0},       {"2020010100000", ERR_SYNTAX, 0},
        {"202001010000000", ERR_SYNTAX, 0},     {"2020010100000x", ERR_SYNTAX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct word w = word_of(table[i].text);
        uint32_t seconds = 0;
        assert_int_equal(word_time(&seconds, &w), table[i].e);
        assert_int_equal(seconds, table[i].seconds);
    }
}

static void test_addresses(void **state)
{
    static const char *const bad4[] = {"",          "1",        "1.2.3",    "1.2.3.", "1.2.3.4.", "1.2.3.4.5",
                                       "1.2.3.256", "01.2.3.4", "1.2.3.04", "1..3.4", "1.2.3.x",  "1000.1.1.1"};
    uint8_t octets[16];
    (void)state;
    struct word w = word_of("192.0.2.255");
    assert_int_equal(word_ipv4(octets, &w), ERR_OK);
    assert_memory_equal(octets, "\xc0\x00\x02\xff", 4);
    w = word_of("0.0.0.0");
    assert_int_equal(word_ipv4(octets, &w), ERR_OK);
    for (size_t i = 0; i < sizeof(bad4) / sizeof(*bad4); i++) {
        w = word_of(bad4[i]);
        assert_int_equal(word_ipv4(octets, &w), ERR_SYNTAX);
    }
    w = word_of("2001:db8::1");
    assert_int_equal(word_ipv6(octets, &w), ERR_OK);
    assert_memory_equal(octets, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    w = word_of("1.2.3.4");
    assert_int_equal(word_ipv6(octets, &w), ERR_SYNTAX);
    w = word_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_int_equal(word_ipv6(octets, &w), ERR_SYNTAX);
}

static void test_octets(void **state)
{
    static const struct {
        const char *text;
        unsigned most;
        enum err e;
        const char *octets;
    } table[] = {
        {"abc", 3, ERR_OK, "abc"},    {"abc", 2, ERR_RANGE, ""},    {"\\065\\b\\\\", 9, ERR_OK, "Ab\\"},
        {"\\065", 0, ERR_RANGE, ""},  {"\\256", 9, ERR_SYNTAX, ""}, {"\\25", 9, ERR_SYNTAX, ""},
        {"\\2x5", 9, ERR_SYNTAX, ""}, {"\\", 9, ERR_SYNTAX, ""},    {"a\\", 9, ERR_SYNTAX, ""},
        {"\\255", 9, ERR_OK, "\xff"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        uint8_t room[16];
        struct writer out = writer_over(room, sizeof(room));
        struct word w = word_of(table[i].text);
        assert_int_equal(word_octets(&out, &w, table[i].most), table[i].e);
        if (!table[i].e) {
            assert_int_equal(writer_len(&out), strlen(table[i].octets));
            assert_memory_equal(room, table[i].octets, writer_len(&out));
        }
    }
}

static void test_string(void **state)
{
    char text[257];
    uint8_t room[300];
    (void)state;
    memset(text, 'a', 256);
    text[256] = '\0';
    struct word w = {text, 255, 0};
    struct writer out = writer_over(room, sizeof(room));
    assert_int_equal(word_string(&out, &w), ERR_OK);
    assert_int_equal(writer_len(&out), 256);
    assert_int_equal(room[0], 255);
    w.len = 256;
    out = writer_over(room, sizeof(room));
    assert_int_equal(word_string(&out, &w), ERR_RANGE);
    out = writer_over(room, 100); /* no room: the writer says so */
    w.len = 200;
    assert_int_equal(word_string(&out, &w), ERR_OK);
    assert_true(out.failed);
}

/* Words of a text, cut at blanks. */
static unsigned cut(struct word *words, const char *text)
{
    unsigned cnt = 0;
    while (*text) {
        size_t len = strcspn(text, " ");
        words[cnt++] = (struct word){text, (uint32_t)len, 0};
        text += len + strspn(text + len, " ");
    }
    return cnt;
}

static void test_notations(void **state)
{
    static const struct {
        char kind; /* h, b or 3 */
        const char *text;
        const char *octets; /* in hexadecimal; NULL: refused */
    } table[] = {
        {'h', "aabb", "aabb"},
        {'h', "AA bb", "aabb"},
        {'h', "a abb", "aabb"},
        {'h', "aab", NULL},
        {'h', "aabg", NULL},
        {'h', "", ""},
        {'b', "AQNR", "010351"},
        {'b', "A Q N R", "010351"},
        {'b', "AQNRAQ==", "01035101"},
        {'b', "AQNRAQI=", "0103510102"},
        {'b', "AQNRAQ=", NULL},
        {'b', "AQNRAQ", NULL},
        {'b', "AQNRAR==", NULL},
        {'b', "AQNRAQJ=", NULL},
        {'b', "AQ==AQNR", NULL},
        {'b', "AQ== AQNR", NULL},
        {'b', "A===", NULL},
        {'b', "====", NULL},
        {'b', "=", NULL},
        {'b', "AQNR=", NULL},
        {'b', "A-_Q", NULL},
        {'b', "+/+/", "fbffbf"},
        {'b', "AQ=R", NULL},
        {'b', "", ""},
        {'3', "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM", "065368abeed7ec6e9feba96b8c8bc3e8b791f716"},
        {'3', "00", "00"},
        {'3', "01", NULL},
        {'3', "0", NULL},
        {'3', "W0", NULL},
        {'3', "vv", NULL},
        {'3', "VS", "ff"},
        {'3', "000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        uint8_t room[64], want[64];
        struct writer out = writer_over(room, sizeof(room)), wanted = writer_over(want, sizeof(want));
        struct word words[8];
        unsigned cnt = cut(words, table[i].text);
        enum err e = table[i].kind == 'h' ? words_hex(&out, words, cnt)
                     : table[i].kind == 'b' ? words_base64(&out, words, cnt)
                                            : word_base32hex(&out, words);
        if (!table[i].octets) {
            assert_int_equal(e, ERR_SYNTAX);
            continue;
        }
        assert_int_equal(e, ERR_OK);
        cnt = cut(words, table[i].octets);
        assert_int_equal(words_hex(&wanted, words, cnt), ERR_OK);
        assert_int_equal(writer_len(&out), writer_len(&wanted));
        assert_memory_equal(room, want, writer_len(&out));
    }
}

static void test_show(void **state)
{
    char out[WORD_SHOWN_MAX], longer[200];
    (void)state;
    struct word w = {"a\x01\xff", 3, 0};
    assert_string_equal(word_show(out, &w), "a\\001\\255");
    memset(longer, 'x', sizeof(longer));
    w = (struct word){longer, sizeof(longer), 0};
    word_show(out, &w);
    assert_in_range(strlen(out), 30, WORD_SHOWN_MAX - 1);
    assert_string_equal(out + strlen(out) - 4, "x...");
    memset(longer, 1, sizeof(longer));
    assert_in_range(strlen(word_show(out, &w)), 30, WORD_SHOWN_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number),    cmocka_unit_test(test_period), cmocka_unit_test(test_time),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_octets), cmocka_unit_test(test_string),
        cmocka_unit_test(test_notations), cmocka_unit_test(test_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
