#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/name.h"
#include "ldnsx/zonefile.h"

static const uint8_t origin[] = "\7example";

/* All that a reading gives, as text: "LINE OWNER TTL TYPE LEN" a record. */
struct seen {
    char text[8192];
    size_t len, cnt;
    size_t most; /* 0: no limit */
};

static bool see(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    struct seen *seen = arg;
    char owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];

    assert_non_null(file);
    seen->cnt++;
    if (seen->len < sizeof(seen->text) - 200)
        seen->len +=
            (size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len, "%u %.60s %u %s %u\n", line,
                             name_to_text(owner, rr->owner), rr->ttl, rr_type_to_text(type, rr->type), rr->rdata_len);
    return seen->cnt != seen->most;
}

static enum err read_text(struct seen *seen, struct diag **diag, const char *text)
{
    *seen = (struct seen){.len = 0};
    *diag = diag_new(1000);
    return zonefile_read_text("text", text, strlen(text), origin, see, seen, *diag);
}

static void expect(const char *text, const char *records)
{
    struct seen seen;
    struct diag *diag;
    assert_int_equal(read_text(&seen, &diag, text), ERR_OK);
    assert_string_equal(seen.text, records);
    diag_free(diag);
}

/* The first diagnostic. */
static void expect_told(enum err e, const char *text, const char *told)
{
    struct seen seen;
    struct diag *diag;
    char line[512];
    assert_int_equal(read_text(&seen, &diag, text), e);
    assert_non_null(diag_at(diag, 0));
    diag_format(line, sizeof(line), diag_at(diag, 0));
    assert_string_equal(line, told);
    diag_free(diag);
}

static void test_records(void **state)
{
    (void)state;
    expect("", "");
    expect("$TTL 5\nx A 192.0.2.1\n", "2 x.example. 5 A 4\n");
    expect("x 1h A 192.0.2.1 ; a comment\nwww.other. 1 (\nIN\nAAAA ::1 )\n",
           "1 x.example. 3600 A 4\n2 www.other. 1 AAAA 16\n");
}

static void test_inheritance(void **state)
{
    (void)state;
    expect("$TTL 5\nx 7 IN A 192.0.2.1\n IN 8 TXT a\n\tTXT a\n$ORIGIN y\n@ TXT a\n",
           "2 x.example. 7 A 4\n3 x.example. 8 TXT 2\n4 x.example. 5 TXT 2\n"
           "6 y.example. 5 TXT 2\n");
    /* No $TTL: the last stated (RFC 1035 5.1). */
    expect("x 7 TXT a\ny TXT a\nz 9 TXT a\nw TXT a\n",
           "1 x.example. 7 TXT 2\n2 y.example. 7 TXT 2\n3 z.example. 9 TXT 2\n4 w.example. 9 TXT 2\n");
    /* Nor that: the SOA's MINIMUM. */
    expect("@ SOA a b 1 2 3 4 55\nx TXT a\ny 7 TXT a\nz TXT a\n",
           "1 example. 55 SOA 42\n2 x.example. 55 TXT 2\n3 y.example. 7 TXT 2\n4 z.example. 55 TXT 2\n");
}

static void test_generate(void **state)
{
    (void)state;
    expect("$TTL 5\n$GENERATE 1-9/4 h${0,2} TXT ${1}$$\n",
           "2 h01.example. 5 TXT 3\n2 h05.example. 5 TXT 3\n2 h09.example. 5 TXT 4\n");
    expect("$GENERATE 26-26 ${0,3,n}.x 60 PTR h${0,0,X}.y.\n", "1 a.1.x.example. 60 PTR 7\n");
}

static void test_errors(void **state)
{
    (void)state;
    expect_told(ERR_INVALID, "x TXT a\n", "text:1: error: no TTL, no $TTL and no TTL before");
    expect_told(ERR_INVALID, " 5 TXT a\n", "text:1: error: no owner, and none before");
    expect_told(ERR_INVALID, "$TTL 5\nx (\nFOO\n)\n", "text:2: error: unknown type: \"FOO\"");
    expect_told(ERR_INVALID, "$TTL 5\nx CH TXT a\n", "text:2: error: class \"CH\" in a zone of class IN");
    expect_told(ERR_INVALID, "x 5\n", "text:1: error: no type");
    expect_told(ERR_INVALID, "$INCLUDE foo\n", "text:1: error: $INCLUDE is not allowed here");
    expect_told(ERR_INVALID, "$BAR foo\n", "text:1: error: unknown directive \"$BAR\"");
    expect_told(ERR_INVALID, "x 5 MX 65536 a\n", "text:1: error: MX: number out of range: \"65536\"");
    expect_told(ERR_INVALID, "x 5 AXFR a\n", "text:1: error: a type that never stands in a zone: \"AXFR\"");
    expect_told(ERR_INVALID, "x 4294967296 A 192.0.2.1\n", "text:1: error: TTL out of range: \"4294967296\"");
    expect_told(ERR_INVALID, "$GENERATE 1-2 h$ 5 A 192.0.2.${\n", "text:1: error: $GENERATE: malformed ${...}");
    expect_told(ERR_OK, "x 2147483648 TXT a\n", "text:1: warning: TTL 2147483648 is above 2^31 - 1: taken as 0");
    expect_told(ERR_OK, "x 5 NS 192.0.2.1\n", "text:1: warning: NS \"192.0.2.1\" looks like an address");
    expect_told(ERR_OK, "x_ 5 A 192.0.2.1\n", "text:1: warning: owner \"x_.example.\" is no host name");
}

static void test_reading_goes_on(void **state)
{
    struct seen seen;
    struct diag *diag;
    char text[4000];
    size_t at = 0;
    (void)state;
    assert_int_equal(read_text(&seen, &diag, "$TTL 5\na A 1\nb A 192.0.2.1\nc TXT \"\nd FOO\ne TXT )\nf TXT f\n"),
                     ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 4);
    assert_string_equal(seen.text, "3 b.example. 5 A 4\n7 f.example. 5 TXT 2\n");
    diag_free(diag);
    while (at + 10 < sizeof(text))
        at += (size_t)sprintf(text + at, "a 5 A 1\n");
    assert_int_equal(read_text(&seen, &diag, text), ERR_INVALID);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 101);
    assert_string_equal(diag_at(diag, 100)->text, "too many errors, giving up");
    diag_free(diag);
}

static void test_zero_byte(void **state)
{
    struct seen seen = {.len = 0};
    struct diag *diag = diag_new(9);
    (void)state;
    assert_int_equal(zonefile_read_text("text", "x 5 TXT a\n\0\n", 12, origin, see, &seen, diag), ERR_INVALID);
    assert_string_equal(diag_at(diag, 0)->text, "holds a zero byte in line 2: no zone text");
    diag_free(diag);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void test_sources(void **state)
{
    char folder[] = "/tmp/test_zonefile.XXXXXX", zone[64], one[64];
    struct zonefile_sources *sources;
    struct seen seen = {.len = 0};
    struct diag *diag = diag_new(9);
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(zone, sizeof(zone), "%s/zone", folder);
    snprintf(one, sizeof(one), "%s/one", folder);
    write_file(zone, "$TTL 5\n$INCLUDE one\n$INCLUDE \"one\" sub\nx TXT a\n");
    write_file(one, "y TXT a\n");
    assert_int_equal(zonefile_read(zone, origin, see, &seen, diag, &sources), ERR_OK);
    assert_string_equal(seen.text, "1 y.example. 5 TXT 2\n1 y.sub.example. 5 TXT 2\n4 x.example. 5 TXT 2\n");
    assert_true(zonefile_unchanged(sources));
    /* Same bytes, another file: unchanged; same length, another byte: changed. */
    unlink(one);
    assert_false(zonefile_unchanged(sources));
    write_file(one, "y TXT a\n");
    assert_true(zonefile_unchanged(sources));
    write_file(one, "y TXT b\n");
    assert_false(zonefile_unchanged(sources));
    write_file(one, "y TXT a\n");
    assert_true(zonefile_unchanged(sources));
    write_file(zone, "$TTL 5\n$INCLUDE one\n$INCLUDE \"one\" sub\nx TXT a\n\n");
    assert_false(zonefile_unchanged(sources));
    zonefile_sources_free(sources);

    /* What was missing counts as changed, always. */
    unlink(one);
    assert_int_equal(zonefile_read(zone, origin, see, &seen, diag, &sources), ERR_INVALID);
    assert_false(zonefile_unchanged(sources));
    zonefile_sources_free(sources);
    unlink(zone);
    assert_int_equal(zonefile_read(zone, origin, see, &seen, diag, &sources), ERR_INVALID);
    assert_false(zonefile_unchanged(sources));
    zonefile_sources_free(sources);
    diag_free(diag);
    rmdir(folder);
}

/* Files around the step of reading, the last without a newline; and an empty one. */
static void test_sizes(void **state)
{
    char path[] = "/tmp/test_zonefile.XXXXXX";
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    close(fd);
    static const int table[] = {0, 1, 32767, 32768, 32769, 65536, 65537}; /* lines of 32 bytes */
    for (size_t t = 0; t < sizeof(table) / sizeof(*table); t++) {
        int lines = table[t];
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        for (int i = 0; i < lines; i++)
            fprintf(f, "h%05d 5 TXT \"%010d_____\"%s", i, i, i + 1 < lines ? "\n" : "");
        fclose(f);
        struct zonefile_sources *sources;
        struct seen seen = {.len = 0};
        struct diag *diag = diag_new(9);
        assert_int_equal(zonefile_read(path, origin, see, &seen, diag, &sources), ERR_OK);
        assert_int_equal(seen.cnt, lines);
        assert_int_equal(diag_cnt(diag, DIAG_WARNING), lines ? 1 : 0);
        assert_true(zonefile_unchanged(sources));
        zonefile_sources_free(sources);
        diag_free(diag);
    }
    unlink(path);
}

/* Who gets the records may have enough of them: no more come, and no word is said of it. */
static void test_reading_is_stopped(void **state)
{
    static const char *const texts[] = {
        "a 60 A 192.0.2.1\nb 60 A 192.0.2.1\nc 60 A 192.0.2.1\nd 60 A 192.0.2.1\n",
        "$GENERATE 1-16000000 h$ 60 A 192.0.2.1\nd 60 A 192.0.2.1\n",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {.most = 3};
        struct diag *diag = diag_new(10);
        assert_int_equal(zonefile_read_text("text", texts[i], strlen(texts[i]), origin, see, &seen, diag), ERR_LIMIT);
        assert_int_equal(seen.cnt, 3);
        assert_int_equal(diag_cnt(diag, DIAG_ERROR) + diag_cnt(diag, DIAG_WARNING), 0);
        diag_free(diag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_inheritance),     cmocka_unit_test(test_generate),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_reading_goes_on), cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_sources), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_reading_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
