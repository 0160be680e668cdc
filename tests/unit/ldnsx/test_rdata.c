/* What every type's text and wire form is compared with is BIND (tests/functional/test_zonetext.py); here are the bytes
 * of some, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dns/rr.h"
#include "ldnsx/rdata.h"
#include "ldnsx/word.h"

static const uint8_t origin[] = "\7example";

/* Rdata as hexadecimal, or "! why". */
static const char *converted(const char *text)
{
    static char out[4096];
    static uint8_t room[65535];
    static char line[4096];
    struct lexer lexer;
    struct rdata_problem problem;
    const char *why;
    uint16_t type;

    int len = snprintf(line, sizeof(line), "%s\n", text);
    lexer_init(&lexer, line, (size_t)len);
    assert_int_equal(lexer_next(&lexer, &why), LEX_ENTRY);
    assert_int_equal(rr_type_from_text(&type, lexer.words->at, lexer.words->len), ERR_OK);
    struct writer w = writer_over(room, sizeof(room));
    if (rdata_from_words(&w, type, lexer.words + 1, lexer.word_cnt - 1, origin, &problem)) {
        char shown[WORD_SHOWN_MAX] = "";
        snprintf(out, sizeof(out), "! %s%s%s", problem.why, problem.word ? ": " : "",
                 problem.word ? word_show(shown, problem.word) : "");
    } else {
        assert_true(rdata_valid(type, room, writer_len(&w)));
        out[0] = '\0';
        for (size_t i = 0; i < writer_len(&w); i++)
            sprintf(out + 2 * i, "%02x", room[i]);
    }
    lexer_fini(&lexer);
    return out;
}

static void test_text(void **state)
{
    static const struct {
        const char *text, *wire;
    } table[] = {
        {"A 192.0.2.1", "c0000201"},
        {"A 192.0.2.256", "! bad IPv4 address: 192.0.2.256"},
        {"A", "! the record ends too early"},
        {"A 192.0.2.1 x", "! more than the record can have: x"},
        {"A \\# 4 c0 000201", "c0000201"},
        {"A \\# 3 c00002", "! values do not fit the type or each other"},
        {"A \\# 4 c00002", "! the length is not that of the data: 4"},
        {"NS a", "0161076578616d706c6500"},
        {"NS A.", "014100"},
        {"MX 65535 .", "ffff00"},
        {"MX 65536 .", "! number out of range: 65536"},
        {"SOA . . 1 1w 2d 3h 4m", "0000000000010009" "3a800002a30000002a30000000f0"},
        {"TXT a \"b c\" \"\"", "01610362206300"},
        {"TXT \\#", "0123"},
        {"TXT \\# 2 0161", "0161"},
        {"TXT \\# 2 0261", "! values do not fit the type or each other"},
        {"CAA 0 issue x", "0005697373756578"},
        {"CAA 256 issue x", "! number out of range: 256"},
        {"SRV 1 2 3 .", "00010002000300"},
        {"LOC 90 N 180 W 0m", "00121613" "934fd900" "59604e00" "00989680"},
        {"LOC 91 N 180 W 0m", "! coordinate out of range: 91"},
        {"APL 1:192.0.2.0/24 !2:::/0", "00011803c0000200020080"},
        {"APL 1:192.0.2.0/33", "! bad prefix length: 1:192.0.2.0/33"},
        {"HIP 2 20 AQNR a", "0102000320" "010351" "0161076578616d706c6500"},
        {"HIP 256 20 AQNR", "! not a number up to 255: 256"},
        {"IPSECKEY 1 3 2 a AQ NR", "010302" "0161076578616d706c6500" "010351"},
        {"IPSECKEY 1 4 2 a AQNR", "! number out of range: 4"},
        {"SVCB 1 . port=53 alpn=h2", "00010000010003" "026832" "000300020035"},
        {"SVCB 1 . mandatory=port", "! values do not fit the type or each other"},
        {"NSEC . A TYPE257", "0000014001" "0140"},
        {"DS 1 8 2 aabb", "! values do not fit the type or each other"},
        {"NULL x", "! this type is written as \\# only (RFC 3597): x"},
        {"NULL \\# 1 aa", "aa"},
        {"TYPE1234 \\# 0", ""},
        {"TYPE1234 x", "! this type is written as \\# only (RFC 3597): x"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_string_equal(converted(table[i].text), table[i].wire);
}

/* Every record is refused with each of its words missing, and with one too many, wherever that is not allowed. */
static void test_words_missing(void **state)
{
    static const char *const fixed[] = {
        "MX 1 a",
        "SRV 1 2 3 a",
        "SOA a b 1 2 3 4 5",
        "NAPTR 1 2 a b \"\" c",
        "CAA 0 a b",
        "RP a b",
        "AFSDB 1 a",
        "PX 1 a b",
        "KX 1 a",
        "URI 1 2 \"a\"",
        "NSEC3PARAM 1 0 1 -",
        "L64 1 1:2:3:4",
        "EUI48 1-2-3-4-5-6",
        "GPOS 1 2 3",
        "DSYNC CDS 1 2 a",
        "AMTRELAY 1 0 3 a",
        "A6 64 ::1 a",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
        char text[256];
        assert_int_not_equal(converted(fixed[i])[0], '!');
        snprintf(text, sizeof(text), "%s more", fixed[i]);
        assert_int_equal(converted(text)[0], '!');
        snprintf(text, sizeof(text), "%s", fixed[i]);
        *strrchr(text, ' ') = '\0';
        assert_int_equal(converted(text)[0], '!');
    }
}

static void test_largest(void **state)
{
    static uint8_t room[70000];
    uint8_t digits[4] = "aa";
    struct word *words = mem_zalloc(65537, sizeof(*words));
    struct word len = {"65535", 5, 0}, mark = {"\\#", 2, WORD_ESCAPED};
    struct rdata_problem problem;
    (void)state;
    words[0] = mark;
    words[1] = len;
    for (unsigned i = 2; i < 65537; i++)
        words[i] = (struct word){(const char *)digits, 2, 0};
    struct writer w = writer_over(room, 65535);
    assert_int_equal(rdata_from_words(&w, 1234, words, 65537, origin, &problem), ERR_OK);
    assert_int_equal(writer_len(&w), 65535);
    /* 65,536 empty strings are one too many, however large the buffer is. */
    for (unsigned i = 0; i < 65536; i++)
        words[i] = (struct word){"", 0, WORD_QUOTED};
    w = writer_over(room, sizeof(room));
    assert_int_equal(rdata_from_words(&w, RR_TXT, words, 65536, origin, &problem), ERR_INVALID);
    w = writer_over(room, sizeof(room));
    assert_int_equal(rdata_from_words(&w, RR_TXT, words, 65535, origin, &problem), ERR_OK);
    free(words);
}

/* Any bytes for any type: the check stays within them (a sanitizer watches), and what is cut short is refused. */
static void test_valid_is_bounded(void **state)
{
    static const char *const some[] = {
        "SOA a b 1 2 3 4 5",
        "NAPTR 1 2 a b \"!(a)!\\\\1!\" c",
        "RRSIG A 13 1 1 20300101000000 20300101000000 1 example. AQNR",
        "HIP 2 20 AQNR a",
        "SVCB 1 a mandatory=port alpn=h2,h3 port=1 dohpath=/{?dns}",
        "NSEC3 2 0 1 aabb 00 A",
        "IPSECKEY 1 3 2 a AQNR",
        "LOC 1 N 1 W 1",
        "APL 1:192.0.2.1/32",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
        const char *hex = converted(some[i]);
        assert_int_not_equal(hex[0], '!');
        size_t len = strlen(hex) / 2;
        uint8_t *whole = mem_zalloc(len, 1);
        for (size_t k = 0; k < len; k++)
            whole[k] = (uint8_t)(hex_value(hex[2 * k]) << 4 | hex_value(hex[2 * k + 1]));
        for (unsigned type = 1; type < 270; type++) {
            for (size_t cut = 0; cut <= len; cut++) {
                uint8_t *part = mem_dup(whole, cut);
                (void)!rdata_valid((uint16_t)type, part, cut);
                free(part);
            }
        }
        free(whole);
    }
    assert_false(rdata_valid(RR_A, (const uint8_t *)"abc", 3));
    assert_false(rdata_valid(RR_NS, (const uint8_t *)"\xc0\x0c", 2));
    assert_true(rdata_valid(65280, (const uint8_t *)"", 0));
}

/* NAPTR's substitution is compiled by regcomp, which copies what "+" and intervals repeat: nested ones, for which a
 * record has room 80 times, would take all memory there is. */
static void test_nested_repetitions(void **state)
{
    static const char *const repetitions[] = {"+", "{2}", "{1,}", "?", "*"};
    enum { DEPTH = 75 };
    (void)state;
    for (size_t i = 0; i < sizeof(repetitions) / sizeof(*repetitions); i++) {
        char text[1024] = "NAPTR 1 1 \"u\" \"s\" \"!";
        unsigned depth = DEPTH / (unsigned)strlen(repetitions[i]);
        for (unsigned d = 0; d < depth; d++)
            strcat(text, "(");
        strcat(text, "a");
        for (unsigned d = 0; d < depth; d++)
            strcat(strcat(text, ")"), repetitions[i]);
        strcat(text, "!b!\" .");
        assert_int_not_equal(converted(text)[0], '!');
    }
    assert_int_equal(converted("NAPTR 1 1 \"u\" \"s\" \"!a+*!b!\" .")[0], '!');
    assert_int_equal(converted("NAPTR 1 1 \"u\" \"s\" \"!+a!b!\" .")[0], '!');
    assert_int_not_equal(converted("NAPTR 1 1 \"u\" \"s\" \"![+?]a\\\\+(b)+!\\\\1!\" .")[0], '!');
}

static void test_meta(void **state)
{
    (void)state;
    assert_true(rdata_type_meta(0));
    assert_true(rdata_type_meta(RR_OPT));
    assert_true(rdata_type_meta(128));
    assert_true(rdata_type_meta(RR_ANY));
    assert_false(rdata_type_meta(RR_A));
    assert_false(rdata_type_meta(127));
    assert_false(rdata_type_meta(256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_words_missing),
        cmocka_unit_test(test_largest), cmocka_unit_test(test_valid_is_bounded),
        cmocka_unit_test(test_nested_repetitions),
        cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
