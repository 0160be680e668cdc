/* Records as zone text: how it looks, and that whatever rdata there is, the reader makes the same bytes of it. What
 * BIND and ldns make of it is compared in tests/functional/test_zonewrite.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/random.h"
#include "ldnsx/rdata.h"
#include "ldnsx/rdata_fields.h"
#include "ldnsx/zonefile.h"
#include "ldnsx/zonetext.h"

static const uint8_t origin[] = "\7example";
static const uint8_t root[] = "";

enum { ROOM = ZONETEXT_LINE_MAX + 4096 };

/* ---- how it looks */

static const char *line_of(struct zonetext *text, const char *owner, uint32_t ttl, uint16_t type, const void *rdata,
                           unsigned len)
{
    static char room[ROOM];
    uint8_t name[NAME_MAX_LEN];
    unsigned name_len;
    struct writer w = writer_over(room, sizeof room);
    assert_int_equal(name_from_text(name, &name_len, owner, strlen(owner), origin), ERR_OK);
    struct rr rr = {.owner = name, .rdata = rdata, .ttl = ttl, .type = type, .rdata_len = (uint16_t)len};
    zonetext_record(text, &w, &rr);
    writer_u8(&w, 0);
    assert_false(w.failed);
    return room;
}

static void test_columns(void **state)
{
    (void)state;
    char room[200];
    struct zonetext text;
    struct writer w = writer_over(room, sizeof room);
    zonetext_init(&text, origin);
    zonetext_head(&text, &w, 3600);
    writer_u8(&w, 0);
    assert_string_equal(room, "$ORIGIN example.\n$TTL 3600\n");
    assert_string_equal(line_of(&text, "@", 60, RR_NS, "\2ns\7example", 12), "@\t\t\t60\tIN\tNS\tns\n");
    assert_string_equal(line_of(&text, "@", 61, RR_NS, "\2ns\7Example", 12), "\t\t\t61\tIN\tNS\tns.Example.\n");
    assert_string_equal(line_of(&text, "a", 0, RR_A, "\300\0\2\1", 4), "a\t\t\t0\tIN\tA\t192.0.2.1\n");
    assert_string_equal(line_of(&text, "a.", 0, RR_CNAME, "\7example", 9), "a.\t\t\t0\tIN\tCNAME\t@\n");
    assert_string_equal(line_of(&text, "A.", 0, RR_CNAME, "", 1), "A.\t\t\t0\tIN\tCNAME\t.\n");
    assert_string_equal(line_of(&text, "a234567", 0, RR_CNAME, "\1a\1b", 5), "a234567\t\t\t0\tIN\tCNAME\ta.b.\n");
    assert_string_equal(line_of(&text, "a2345678", 0, RR_CNAME, "\1a\10xexample", 12),
                        "a2345678\t\t0\tIN\tCNAME\ta.xexample.\n");
}

static void test_root(void **state)
{
    (void)state;
    struct zonetext text;
    zonetext_init(&text, root);
    assert_string_equal(line_of(&text, ".", 60, RR_NS, "\1a", 3), ".\t\t\t60\tIN\tNS\ta.\n");
    assert_string_equal(line_of(&text, "@", 60, RR_NS, "", 1), "example.\t\t60\tIN\tNS\t.\n");
}

/* A table of what is written how: each with its line's rdata. */
static void test_rdata(void **state)
{
    static const struct {
        uint16_t type;
        const char *rdata;
        unsigned len;
        const char *text;
    } table[] = {
        {RR_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, "AAAA\t2001:db8::1"},
        {RR_MX, "\0\12\1a\7example", 13, "MX\t10 a"},
        {RR_TXT, "\3a b\0\4\"\\;\377", 10, "TXT\t\"a b\" \"\" \"\\\"\\\\;\\255\""},
        {RR_CNAME, "\7a.b@$;\n\7example", 17, "CNAME\ta\\.b\\@\\$\\;\\010"},
        {RR_SOA, "\1a\7example\0\1b\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\377\377\377\377", 34,
         "SOA\ta b. 1 2 3 4 4294967295"},
        {RR_SRV, "\0\1\0\2\0\3", 7, "SRV\t1 2 3 ."},
        {257, "\200\5issueca.example; x", 20, "CAA\t128 issue \"ca.example; x\""},
        {RR_DS, "\1\2\15\3\252\273", 6, "DS\t258 13 3 aabb"},
        {RR_DNSKEY, "\1\1\3\15\1\2\3\4", 8, "DNSKEY\t257 3 13 AQIDBA=="},
        {RR_NSEC, "\0\0\2\100\1\1\1\100", 8, "NSEC\t. A MX CAA"},
        {RR_NSEC3PARAM, "\1\0\0\12\2\252\273", 7, "NSEC3PARAM\t1 0 10 aabb"},
        {RR_NSEC3PARAM, "\1\0\0\12\0", 5, "NSEC3PARAM\t1 0 10 -"},
        {108, "\0\0\x5e\0\x53\x2a", 6, "EUI48\t00-00-5e-00-53-2a"},
        {RR_HTTPS, "\0\1\0\0\1\0\3\2h2", 10, "HTTPS\t1 . alpn=h2"},
        {29, "\0\x12\x16\x13\200\x36\xee\200\x7f\xc9\x11\200\0\230\226\200", 16,
         "LOC\t01 00 0.000 N 01 00 0.000 W 0m 1m 10000m 10m"},
        {29, "\1", 1, "LOC\t\\# 1 01"},
        {42, "\0\1\30\3\300\0\2", 7, "APL\t1:192.0.2.0/24"},
        {260, "\12\0", 2, "TYPE260\t\\# 2 0a00"},
        {RR_NULL, "", 0, "NULL\t\\# 0"},
        {65280, "\336\255", 2, "TYPE65280\t\\# 2 dead"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct zonetext text;
        zonetext_init(&text, origin);
        const char *line = line_of(&text, "@", 5, table[i].type, table[i].rdata, table[i].len);
        char *want = mem_printf("@\t\t\t5\tIN\t%s\n", table[i].text);
        if (!rdata_valid(table[i].type, (const uint8_t *)table[i].rdata, table[i].len))
            fail_msg("%s", table[i].text);
        assert_string_equal(line, want);
        free(want);
    }
}

/* ---- any rdata of any type */

static struct random_state rng;

static unsigned below(unsigned bound) { return random_below(&rng, bound); }
static void put_random(struct writer *w, unsigned len)
{
    static const char odd[] = "\0\t\n\r \"\\;()@$.,=*!-\x7f\x80\xff";
    unsigned kind = below(3);
    for (; len; len--)
        writer_u8(w, (uint8_t)(kind == 0 ? below(256) : kind == 1 ? 'a' + below(26) : (uint8_t)odd[below(sizeof odd)]));
}
static void put_string(struct writer *w, unsigned least, unsigned most)
{
    unsigned len = least + below(most - least + 1);
    writer_u8(w, (uint8_t)len);
    put_random(w, len);
}
static void put_digits(struct writer *w, unsigned len)
{
    for (; len; len--)
        writer_u8(w, (uint8_t)('0' + below(10)));
}
static void put_name(struct writer *w)
{
    for (unsigned labels = below(4); labels; labels--)
        put_string(w, 1, below(10) ? 12 : 63);
    static const char *const ends[] = {"", "\7example", "\7Example", "\1b\7example", "\7example\3com"};
    const char *end = ends[below(5)];
    writer_put(w, end, strlen(end) + 1);
}
static void put_types(struct writer *w)
{
    for (unsigned window = below(3); window < 256; window += 1 + below(200)) {
        unsigned len = 1 + below(32);
        writer_u8(w, (uint8_t)window);
        writer_u8(w, (uint8_t)len);
        put_random(w, len - 1);
        writer_u8(w, (uint8_t)(1 + below(255)));
    }
}
static void put_apl(struct writer *w)
{
    for (unsigned items = below(4); items; items--) {
        unsigned family = below(8) ? 1 + below(2) : below(65536), len = below(family == 1 ? 5 : 17);
        writer_u16(w, (uint16_t)family);
        writer_u8(w, (uint8_t)below(family == 1 ? 33 : 129));
        writer_u8(w, (uint8_t)(len | (below(2) ? 0x80u : 0)));
        put_random(w, len ? len - 1 : 0);
        if (len)
            writer_u8(w, (uint8_t)(1 + below(255)));
    }
}
static void put_loc(struct writer *w)
{
    writer_u8(w, below(20) == 0);
    for (unsigned i = 0; i < 3; i++)
        writer_u8(w, (uint8_t)(below(10) ? (1 + below(9)) << 4 | below(10) : 0));
    writer_u32(w, UINT32_C(0x80000000) + below(2 * 90 * 3600000) - 90 * 3600000);
    writer_u32(w, UINT32_C(0x80000000) + below(2 * 180 * 3600000u) - 180 * 3600000);
    writer_u32(w, below(2) ? below(20000000) : (uint32_t)random_u64(&rng));
}
static void put_param(struct writer *w, unsigned key)
{
    uint8_t *len = writer_room(w, 4), *start = w->at;
    switch (key) {
    case 1:
        for (unsigned i = 1 + below(3); i; i--)
            put_string(w, 1, 10);
        break;
    case 2: break;
    case 3: put_random(w, 2); break;
    case 4: put_random(w, 4 * (1 + below(4))); break;
    case 6: put_random(w, 16 * (1 + below(4))); break;
    case 7: writer_put(w, "/q{?dns}", 8); break;
    default: put_random(w, below(40));
    }
    be16_put(len, (uint16_t)key);
    be16_put(len + 2, (uint16_t)(w->at - start));
}
static void put_params(struct writer *w)
{
    if (below(3) == 0)
        writer_put(w, "\0\0\0\2\0\1", 6); /* mandatory=alpn */
    for (unsigned key = 1 + below(2); key < 65536; key += 1 + (key < 9 ? below(3) : below(40000)))
        put_param(w, key);
}
static void put_gateway(struct writer *w, unsigned type)
{
    if (type == 3)
        put_name(w);
    else
        put_random(w, type == 1 ? 4 : type == 2 ? 16 : 0);
}
static void put_ipseckey(struct writer *w)
{
    unsigned type = below(4);
    writer_u8(w, (uint8_t)below(256));
    writer_u8(w, (uint8_t)type);
    writer_u8(w, (uint8_t)below(256));
    put_gateway(w, type);
}
static void put_amtrelay(struct writer *w)
{
    unsigned type = below(4);
    writer_u8(w, (uint8_t)below(256));
    writer_u8(w, (uint8_t)(type | (below(2) ? 0x80u : 0)));
    put_gateway(w, type);
}
static void put_hip(struct writer *w)
{
    unsigned hit = 1 + below(20), key = 1 + below(100);
    writer_u8(w, (uint8_t)hit);
    writer_u8(w, (uint8_t)below(256));
    writer_u16(w, (uint16_t)key);
    put_random(w, hit + key);
    for (unsigned i = below(3); i; i--)
        put_name(w);
}
static void put_a6(struct writer *w)
{
    unsigned prefix = 8 * below(17);
    writer_u8(w, (uint8_t)prefix);
    put_random(w, 16 - prefix / 8);
    if (prefix)
        put_name(w);
}

static void put_field(struct writer *w, enum field field, uint16_t type)
{
    switch (field) {
    case FIELD_U8: case FIELD_ALGORITHM: case FIELD_HASH: case FIELD_DIGEST: case FIELD_SCHEME:
        writer_u8(w, (uint8_t)below(below(2) ? 256 : 5));
        return;
    case FIELD_U16: case FIELD_TYPE: case FIELD_CERT: writer_u16(w, (uint16_t)below(below(2) ? 65536 : 300)); return;
    case FIELD_U32: case FIELD_PERIOD: case FIELD_TIME: case FIELD_TIME_SIG: case FIELD_IPV4:
        writer_u32(w, (uint32_t)random_u64(&rng));
        return;
    case FIELD_IPV6: put_random(w, 16); return;
    case FIELD_EUI48: put_random(w, 6); return;
    case FIELD_LOCATOR: case FIELD_EUI64: put_random(w, 8); return;
    case FIELD_NAME: case FIELD_NAME_QUOTED: put_name(w); return;
    case FIELD_STRING:
        put_string(w, 0, type == RR_NAPTR ? 0 : below(10) ? 20 : 255);
        return;
    case FIELD_STRING_OPT:
        if (below(2))
            put_string(w, 0, 20);
        return;
    case FIELD_STRINGS:
        for (unsigned i = 1 + below(4); i; i--)
            put_string(w, 0, below(10) ? 20 : 255);
        return;
    case FIELD_HEX: case FIELD_BASE64: case FIELD_NSAP: put_random(w, 1 + below(100)); return;
    case FIELD_HEX_OPT: case FIELD_BASE64_OPT: case FIELD_BASE64_DASH: case FIELD_TEXT: case FIELD_TEXT_QUOTED:
    case FIELD_NONE: put_random(w, below(300)); return;
    case FIELD_TYPES: put_types(w); return;
    case FIELD_TYPES_OPT:
        if (below(4))
            put_types(w);
        return;
    case FIELD_KEY:
        writer_u16(w, (uint16_t)(type == 57 ? 0 : below(0xc000)));
        put_random(w, 3 + below(100));
        return;
    case FIELD_SALT: put_string(w, 0, 30); return;
    case FIELD_NEXT_HASH:
        writer_u8(w, 20);
        put_random(w, 20);
        return;
    case FIELD_APL: put_apl(w); return;
    case FIELD_LOC: put_loc(w); return;
    case FIELD_WKS:
        put_random(w, 5 + below(20));
        writer_u8(w, 1);
        return;
    case FIELD_SVCB: put_params(w); return;
    case FIELD_ATMA:
        writer_u8(w, 1);
        put_digits(w, 1 + below(20));
        return;
    case FIELD_NXT:
        put_name(w);
        writer_put(w, "\1\2", 2);
        return;
    case FIELD_A6: put_a6(w); return;
    case FIELD_AMTRELAY: put_amtrelay(w); return;
    case FIELD_IPSECKEY: put_ipseckey(w); return;
    case FIELD_X25:
        writer_u8(w, 12);
        put_digits(w, 12);
        return;
    case FIELD_TAG:
        writer_u8(w, 5);
        put_digits(w, 5);
        return;
    case FIELD_LDNS: put_hip(w); return;
    }
}

/* Valid rdata of the type; true when there was some in a hundred tries. */
static bool make(struct writer *w, uint16_t type)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        const char *fields = rdata_fields(type);
        w->at = w->begin;
        if (!fields)
            put_random(w, below(100));
        for (; fields && *fields; fields++)
            put_field(w, (enum field)*fields, type);
        assert_false(w->failed);
        if (rdata_valid(type, w->begin, writer_len(w)))
            return true;
    }
    return false;
}

static bool compare(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    const struct rr **want = arg, *w = *want;
    (void)file;
    (void)line;
    assert_int_equal(name_len(rr->owner), name_len(w->owner));
    assert_memory_equal(rr->owner, w->owner, name_len(w->owner));
    assert_int_equal(rr->type, w->type);
    assert_int_equal(rr->ttl, w->ttl);
    assert_int_equal(rr->rdata_len, w->rdata_len);
    assert_memory_equal(rr->rdata, w->rdata, w->rdata_len);
    *want = NULL;
    return true;
}

/* What is written is read back as the same record; returns how its rdata stands there. */
static const char *expect_same(const struct rr *rr, const uint8_t *of)
{
    static char room[ROOM];
    struct writer w = writer_over(room, sizeof room);
    struct zonetext text;
    const struct rr *want = rr;
    zonetext_init(&text, of);
    zonetext_head(&text, &w, 1);
    zonetext_record(&text, &w, rr);
    size_t len = writer_len(&w);
    writer_u8(&w, 0);
    assert_false(w.failed);
    struct diag *diag = diag_new(10);
    /* The head tells the origin, whatever the reader began with. */
    if (zonefile_read_text("text", room, len, (const uint8_t *)"\5other", compare, &want, diag) || want) {
        char why[500] = "";
        if (diag_at(diag, 0))
            diag_format(why, sizeof why, diag_at(diag, 0));
        fail_msg("%s: %s", why, room);
    }
    diag_free(diag);
    const char *at = strstr(room, "\tIN\t");
    return strchr(at + 4, '\t') + 1;
}

static void make_owner(uint8_t owner[NAME_MAX_LEN], uint16_t type)
{
    uint8_t room[400];
    struct writer w = writer_over(room, sizeof room);
    do {
        w.at = room;
        if (type == RR_NSEC3) /* it begins with a hash */
            writer_put(&w, "\x20" "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", 33);
        put_name(&w);
    } while (writer_len(&w) > NAME_MAX_LEN);
    memcpy(owner, room, writer_len(&w));
}

/* Their text is always RFC 3597's. */
static bool is_never_own(uint16_t type, const char *fields)
{
    return !fields || strpbrk(fields, "*WyzJK0") || type == 40 || (type >= 56 && type <= 57) ||
           (type >= 66 && type <= 68) || (type >= 258 && type <= 262) || type == 32768;
}

static void test_any_rdata(void **state)
{
    enum { EACH = 150 };
    uint8_t rdata[65535], owner[NAME_MAX_LEN];
    (void)state;
    random_seed(&rng);
    for (unsigned type = 1; type < 65536; type += type < 300 || type == 32768 ? 1 : type < 32768 ? 32468 : 2979) {
        const char *fields = rdata_fields((uint16_t)type);
        unsigned own = 0, cnt = 0;
        if (rdata_type_meta((uint16_t)type) || type == RR_MD || type == RR_MF) /* those are never read */
            continue;
        for (unsigned i = 0; i < (fields ? EACH : 10); i++) {
            struct writer w = writer_over(rdata, sizeof rdata);
            if (!make(&w, (uint16_t)type))
                continue;
            make_owner(owner, (uint16_t)type);
            struct rr rr = {.owner = owner, .rdata = rdata, .ttl = below(UINT32_C(0x80000000)), .type = (uint16_t)type,
                            .rdata_len = (uint16_t)writer_len(&w)};
            cnt++;
            own += strncmp(expect_same(&rr, below(9) ? origin : root), "\\#", 2) != 0;
        }
        assert_true(cnt > 5);
        bool never = is_never_own((uint16_t)type, fields), often = fields && strpbrk(fields, "PLVxG+M");
        if (never ? own : often ? !own : own + 9 <= cnt)
            fail_msg("type %u: %u of %u have text", type, own, cnt);
    }
}

/* The longest there is on the wire, and what is longest as text. */
static void test_longest(void **state)
{
    static uint8_t rdata[65535];
    struct rr rr = {.owner = origin, .rdata = rdata, .ttl = 1};
    struct writer w = writer_over(rdata, sizeof rdata);
    (void)state;
    random_seed(&rng);
    writer_u8(&w, 0);
    for (unsigned window = 0; window < 256; window++) {
        writer_u8(&w, (uint8_t)window);
        writer_u8(&w, 32);
        for (unsigned i = 0; i < 32; i++)
            writer_u8(&w, 255);
    }
    rr.type = RR_NSEC;
    rr.rdata_len = (uint16_t)writer_len(&w);
    assert_true(strlen(expect_same(&rr, origin)) > 600000);

    w = writer_over(rdata, sizeof rdata);
    while (writer_left(&w) >= 4)
        writer_put(&w, "\0\2\200\200", 4);
    rr.type = 42;
    rr.rdata_len = (uint16_t)writer_len(&w);
    assert_true(strlen(expect_same(&rr, origin)) > 600000);

    static const uint16_t types[] = {RR_TXT, 22, 49, 31, 256, 65280};
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        memset(rdata, 255, sizeof rdata);
        rr.type = types[i];
        rr.rdata_len = 65535;
        if (types[i] == RR_TXT)
            rdata[65535 - 1 - 254] = 254; /* 255 strings of 256 bytes with their length, and one of 255 */
        assert_true(rdata_valid(rr.type, rdata, rr.rdata_len));
        expect_same(&rr, origin);
    }
    memset(rdata, 0, sizeof rdata);
    rr.type = RR_TXT;
    expect_same(&rr, origin);
    rr.type = 45;
    expect_same(&rr, origin);
    rr.type = 55; /* of the key, and then of names */
    memcpy(rdata, "\1\2\377\370", 4);
    expect_same(&rr, origin);
    memcpy(rdata, "\1\2\0\1", 4);
    expect_same(&rr, origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),   cmocka_unit_test(test_root),    cmocka_unit_test(test_rdata),
        cmocka_unit_test(test_any_rdata), cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
