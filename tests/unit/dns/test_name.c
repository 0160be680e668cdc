#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543211, 0x1357924680acebdf}};

static const uint8_t *wire(uint8_t out[NAME_MAX_LEN], const char *text)
{
    unsigned len;
    assert_int_equal(name_from_text(out, &len, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(len, name_len(out));
    return out;
}

/* `label_cnt` labels of `label_len` bytes 'a', in wire form without the root. */
static unsigned repeat(uint8_t *out, unsigned label_cnt, unsigned label_len)
{
    unsigned at = 0;
    for (unsigned i = 0; i < label_cnt; i++) {
        out[at++] = (uint8_t)label_len;
        memset(out + at, 'a', label_len);
        at += label_len;
    }
    return at;
}

static void test_lower_byte(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++)
        assert_int_equal(name_lower_byte((uint8_t)c), c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static void test_split_takes_a_name_apart(void **state)
{
    (void)state;
    static const uint8_t in[] = "\3WwW\7ExAmPlE\3com\0rest";
    struct reader r = reader_over(in, sizeof in);
    struct name_split s;
    assert_int_equal(name_split(&s, &r, &key), ERR_OK);
    assert_int_equal(reader_pos(&r), 17);
    assert_int_equal(s.len, 17);
    assert_int_equal(s.depth, 3);
    assert_memory_equal(s.lower, "\3www\7example\3com", 17);
    assert_int_equal(s.label_at[0], 0);
    assert_int_equal(s.label_at[1], 4);
    assert_int_equal(s.label_at[2], 12);
    assert_int_equal(s.label_at[3], 16);
    assert_ptr_equal(name_split_suffix(&s, 2), s.lower + 4);
    assert_ptr_equal(name_split_suffix(&s, 0), s.lower + 16);
    uint8_t other[NAME_MAX_LEN];
    assert_true(s.suffix_hash[3] == name_hash(wire(other, "www.EXAMPLE.com"), &key));
    assert_true(s.suffix_hash[2] == name_hash(wire(other, "example.com"), &key));
    assert_true(s.suffix_hash[0] == name_hash(wire(other, "."), &key));
    assert_true(s.suffix_hash[2] != s.suffix_hash[3]);
    assert_true(name_split_wildcard_hash(&s, 2, &key) == name_hash(wire(other, "*.example.com"), &key));
}

/* Names of every length, lower-cased without a byte read behind them (the sanitizer sees to that). */
static void test_split_of_every_length(void **state)
{
    (void)state;
    for (unsigned len = 1; len < NAME_LABEL_MAX; len++) {
        uint8_t in[NAME_LABEL_MAX + 2];
        in[0] = (uint8_t)len;
        memset(in + 1, 'Q', len);
        in[len + 1] = 0;
        struct reader r = reader_over(in, len + 2);
        struct name_split s;
        assert_int_equal(name_split(&s, &r, &key), ERR_OK);
        assert_int_equal(s.len, len + 2);
        for (unsigned i = 1; i <= len; i++)
            assert_int_equal(s.lower[i], 'q');
        assert_int_equal(s.lower[len + 1], 0);
    }
}

static void test_split_longest(void **state)
{
    (void)state;
    uint8_t in[300];
    unsigned len = repeat(in, 127, 1);
    in[len] = 0;
    struct reader r = reader_over(in, len + 1);
    struct name_split s;
    assert_int_equal(name_split(&s, &r, &key), ERR_OK);
    assert_int_equal(s.len, 255);
    assert_int_equal(s.depth, NAME_MAX_LABELS);
    assert_int_equal(s.label_at[127], 254);
    len = repeat(in, 128, 1);
    in[len] = 0;
    r = reader_over(in, len + 1);
    assert_int_equal(name_split(&s, &r, &key), ERR_SYNTAX);
    assert_true(r.failed);
}

static void test_split_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum err err;
    } cases[] = {
        {"", 0, ERR_SHORT},          {"\1", 1, ERR_SHORT},       {"\1a", 2, ERR_SHORT},         {"\3ab", 3, ERR_SHORT},
        {"\xc0\x0c", 2, ERR_SYNTAX}, {"\1a\xc0\0", 4, ERR_SYNTAX}, {"\x40" "a\0", 3, ERR_SYNTAX}, {"\x80" "a\0", 3,
            ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reader r = reader_over(cases[i].bytes, cases[i].len);
        struct name_split s;
        assert_int_equal(name_split(&s, &r, &key), cases[i].err);
        assert_true(r.failed);
    }
    /* 256 bytes: 63 + 63 + 63 + 62 and their length bytes and the root. */
    uint8_t in[300];
    unsigned len = repeat(in, 3, 63);
    len += repeat(in + len, 1, 62);
    in[len] = 0;
    assert_int_equal(len + 1, 256);
    struct reader r = reader_over(in, len + 1);
    struct name_split s;
    assert_int_equal(name_split(&s, &r, &key), ERR_SYNTAX);
}

static void test_compare(void **state)
{
    (void)state;
    /* RFC 4034 6.1's own list, in order. */
    static const char *const order[] = {"example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE",
        "z.example",
                                        "\\001.z.example", "*.z.example", "\\200.z.example"};
    enum { CNT = sizeof order / sizeof *order };
    uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    for (unsigned i = 0; i < CNT; i++) {
        for (unsigned k = 0; k < CNT; k++) {
            int diff = name_cmp(wire(a, order[i]), wire(b, order[k]));
            assert_int_equal((diff > 0) - (diff < 0), (i > k) - (i < k));
            assert_int_equal(name_equal(a, b), i == k);
        }
    }
    assert_true(name_equal(wire(a, "WWW.example"), wire(b, "www.EXAMPLE")));
    assert_int_equal(name_cmp(a, b), 0);
    /* '[' and '@' border on the letters. */
    assert_false(name_equal(wire(a, "[.example"), wire(b, "{.example")));
    assert_false(name_equal(wire(a, "\\@.example"), wire(b, "`.example")));
}

static void test_within(void **state)
{
    (void)state;
    uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    assert_true(name_within(wire(a, "a.b.c"), wire(b, "B.C")));
    assert_true(name_within(wire(a, "b.c"), wire(b, "b.c")));
    assert_true(name_within(wire(a, "b.c"), wire(b, ".")));
    assert_false(name_within(wire(a, "c"), wire(b, "b.c")));
    assert_false(name_within(wire(a, "xb.c"), wire(b, "b.c")));
    assert_int_equal(name_depth(wire(a, "a.b.c")), 3);
    assert_int_equal(name_depth(wire(a, ".")), 0);
    assert_ptr_equal(name_suffix(wire(a, "a.b.c"), 2), a + 2);
    assert_ptr_equal(name_suffix(a, 0), a + 6);
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(name_check((const uint8_t *)"\1a\0xx", 5), 3);
    assert_int_equal(name_check((const uint8_t *)"", 0), 0);
    assert_int_equal(name_check((const uint8_t *)"\0", 1), 1);
    assert_int_equal(name_check((const uint8_t *)"\1a", 2), 0);
    assert_int_equal(name_check((const uint8_t *)"\5a", 2), 0);
    assert_int_equal(name_check((const uint8_t *)"\xc0\x0c", 2), 0);
    uint8_t in[300];
    unsigned len = repeat(in, 127, 1);
    in[len] = 0;
    assert_int_equal(name_check(in, len + 1), 255);
    len = repeat(in, 128, 1);
    in[len] = 0;
    assert_int_equal(name_check(in, len + 1), 0);
}

static void test_to_lower(void **state)
{
    (void)state;
    uint8_t a[NAME_MAX_LEN], out[NAME_MAX_LEN];
    assert_int_equal(name_to_lower(out, wire(a, "A.bC.D")), 8);
    assert_memory_equal(out, "\1a\2bc\1d", 8);
    assert_int_equal(name_to_lower(out, wire(a, ".")), 1);
    assert_int_equal(out[0], 0);
}

static void test_text_reads(void **state)
{
    (void)state;
    static const uint8_t origin[] = "\7example";
    static const struct {
        const char *text;
        const char *bytes;
        unsigned len;
    } cases[] = {
        {".", "", 1},
        {"@", "\7example", 9},
        {"www", "\3www\7example", 13},
        {"www.", "\3www", 5},
        {"a.b.c.", "\1a\1b\1c", 7},
        {"\\@", "\1@\7example", 11},
        {"a\\.b.", "\3a.b", 5},
        {"\\065\\000.", "\2A\0", 4},
        {"\\\\.", "\1\\", 3},
        {"\\255.", "\1\xff", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[NAME_MAX_LEN];
        unsigned len;
        assert_int_equal(name_from_text(out, &len, cases[i].text, strlen(cases[i].text), origin), ERR_OK);
        assert_int_equal(len, cases[i].len);
        assert_memory_equal(out, cases[i].bytes, len);
    }
}

static void test_text_refuses(void **state)
{
    (void)state;
    char label64[66], long_name[400] = "";
    memset(label64, 'a', 64);
    strcpy(label64 + 64, ".");
    for (unsigned i = 0; i < 128; i++)
        strcat(long_name, "a.");
    const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"", ERR_SYNTAX},        {"..", ERR_SYNTAX},      {".a", ERR_SYNTAX},    {"a..b", ERR_SYNTAX},   {"a\\",
            ERR_SYNTAX},
        {"a\\25", ERR_SYNTAX},   {"a\\256.", ERR_SYNTAX}, {"a\\2x5", ERR_SYNTAX}, {label64, ERR_RANGE},  {long_name,
            ERR_RANGE},
        {"@", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[NAME_MAX_LEN];
        unsigned len;
        assert_int_equal(name_from_text(out, &len, cases[i].text, strlen(cases[i].text), NULL), cases[i].err);
    }
    /* 127 labels fit alone, but not below an origin. */
    uint8_t out[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(out, &len, long_name, 2 * 127, NULL), ERR_OK);
    assert_int_equal(len, 255);
    assert_int_equal(name_from_text(out, &len, long_name, 2 * 127 - 1, (const uint8_t *)"\1a"), ERR_RANGE);
    assert_int_equal(name_from_text(out, &len, long_name, 2 * 127 - 1, NULL), ERR_OK);
}

static void test_text_writes(void **state)
{
    (void)state;
    char text[NAME_TEXT_MAX];
    assert_string_equal(name_to_text(text, (const uint8_t *)""), ".");
    assert_string_equal(name_to_text_bare(text, (const uint8_t *)""), ".");
    assert_string_equal(name_to_text(text, (const uint8_t *)"\3WWW\1a"), "WWW.a.");
    assert_string_equal(name_to_text_bare(text, (const uint8_t *)"\3WWW\1a"), "WWW.a");
    assert_string_equal(name_to_text(text, (const uint8_t *)"\4a.b\\\3 @\x7f"), "a\\.b\\\\.\\032\\@\\127.");
}

/* Every byte, and the longest name of the longest escapes, reads back as it was. */
static void test_text_round_trip(void **state)
{
    (void)state;
    char text[NAME_TEXT_MAX];
    uint8_t in[NAME_MAX_LEN], out[NAME_MAX_LEN];
    unsigned len;
    for (unsigned c = 0; c < 256; c++) {
        memcpy(in, "\1?", 3);
        in[1] = (uint8_t)c;
        name_to_text(text, in);
        assert_int_equal(name_from_text(out, &len, text, strlen(text), NULL), ERR_OK);
        assert_int_equal(len, 3);
        assert_memory_equal(in, out, 3);
    }
    len = repeat(in, 3, 63);
    len += repeat(in + len, 1, 61);
    in[len] = 0;
    for (unsigned i = 0; i < len; i++)
        in[i] = in[i] == 'a' ? 0xff : in[i];
    name_to_text(text, in);
    assert_int_equal(strlen(text), 4 * 250 + 4);
    assert_int_equal(name_from_text(out, &len, text, strlen(text), NULL), ERR_OK);
    assert_int_equal(len, 255);
    assert_memory_equal(in, out, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lower_byte),
        cmocka_unit_test(test_split_takes_a_name_apart),
        cmocka_unit_test(test_split_of_every_length),
        cmocka_unit_test(test_split_longest),
        cmocka_unit_test(test_split_refuses),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_to_lower),
        cmocka_unit_test(test_text_reads),
        cmocka_unit_test(test_text_refuses),
        cmocka_unit_test(test_text_writes),
        cmocka_unit_test(test_text_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
