#include "zone_help.h"

#include "base/mem.h"
#include "base/random.h"
#include "dns/msg.h"
#include "zone/image.h"

enum { MANY = 5000 };

static void lower_copy(uint8_t *to, const uint8_t *from, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        to[i] = name_lower_byte(from[i]);
}

/* Decodes the record at `at`, asserts what it is; returns where the next one begins. */
static size_t expect_record(const struct message *m, size_t at, const uint8_t *owner, uint16_t type, uint32_t ttl,
                            const struct image_rdata *rdata)
{
    static const struct { uint16_t type; unsigned skip, names; } forms[] = {
        {RR_NS, 0, 1}, {RR_PTR, 0, 1}, {RR_SOA, 0, 2}, {RR_MINFO, 0, 2}, {RR_MX, 2, 1},
    };
    uint8_t name[NAME_MAX_LEN], plain[1024], want[1024];
    unsigned len, skip = 0, names = 0;
    at = decode_name(name, &len, m, at);
    assert_int_equal(len, name_len(owner));
    assert_true(name_equal(name, owner));
    assert_true(at + 10 <= m->len);
    assert_int_equal(be16_get(m->bytes + at), type);
    assert_int_equal(be16_get(m->bytes + at + 2), 1);
    assert_int_equal(be32_get(m->bytes + at + 4), ttl);
    size_t end = at + 10 + be16_get(m->bytes + at + 8);
    at += 10;
    assert_true(end <= m->len);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (forms[i].type == type) {
            skip = forms[i].skip;
            names = forms[i].names;
        }
    if (!names) {
        assert_int_equal(end - at, rdata->len);
        assert_memory_equal(m->bytes + at, rdata->rdata, rdata->len);
        return end;
    }
    memcpy(plain, m->bytes + at, skip);
    unsigned plain_len = skip;
    at += skip;
    for (; names; names--) {
        at = decode_name(plain + plain_len, &len, m, at);
        plain_len += len;
    }
    assert_true(at <= end);
    memcpy(plain + plain_len, m->bytes + at, end - at);
    plain_len += (unsigned)(end - at);
    assert_int_equal(plain_len, rdata->len);
    lower_copy(want, rdata->rdata, plain_len);
    lower_copy(plain, plain, plain_len);
    assert_memory_equal(plain, want, plain_len);
    return end;
}

/* An rrset out of records_of's lines, all of one owner and type. */
struct sample {
    struct zone_records *records;
    struct image_rdata *rdata;
    const uint8_t *owner;
    unsigned cnt;
    uint16_t type;
    uint32_t ttl;
    uint8_t *image;
    size_t room, len;
    struct zone_rrset rrset;
};

static void sample_build(struct sample *s, struct zone_records *records)
{
    *s = (struct sample){.records = records, .cnt = (unsigned)records->cnt, .owner = records->recs[0].rr.owner,
                         .type = records->recs[0].rr.type, .ttl = records->recs[0].rr.ttl};
    s->rdata = mem_zalloc(s->cnt, sizeof(*s->rdata));
    for (unsigned i = 0; i < s->cnt; i++)
        s->rdata[i] = (struct image_rdata){records->recs[i].rr.rdata, s->ttl, records->recs[i].rr.rdata_len};
    s->room = image_room(s->type, s->rdata, s->cnt);
    s->image = malloc(s->room); /* exactly, so that the address sanitizer sees a byte too many */
    s->len = image_build(s->image, &s->rrset, s->owner, s->type, s->rdata, s->cnt);
    assert_true(s->len <= s->room);
    if (s->len) {
        assert_int_equal(s->len, image_bytes(s->image, &s->rrset));
        assert_int_equal(s->rrset.rr_cnt, s->cnt);
        assert_int_equal(s->rrset.type, s->type);
    }
}

static void sample_of(struct sample *s, const char *text) { sample_build(s, records_of(text)); }

static void sample_free(struct sample *s)
{
    zone_records_free(s->records);
    free(s->rdata);
    free(s->image);
}

static void expect_all(const struct sample *s, const struct message *m, size_t at, const uint8_t *owner)
{
    for (unsigned i = 0; i < s->cnt; i++)
        at = expect_record(m, at, owner, s->type, s->ttl, &s->rdata[i]);
    assert_int_equal(at, m->len);
}

/* A message whose question is `qname`, with `gap` bytes behind the question, then the patched image. */
static void expect_placed(const struct sample *s, const uint8_t *qname, unsigned gap, unsigned owner_at,
                          uint16_t owner_pointer, const uint8_t *owner, const uint8_t *fill, unsigned fill_at)
{
    uint8_t bytes[70000] = {0};
    unsigned x_len = name_len(s->owner), q_len = name_len(qname), at = 12 + q_len + 4 + gap;
    struct message m = {bytes, at + s->rrset.image_len};
    struct image_move move = {owner_pointer, (int)owner_at - 12, (int)at - (int)(12 + x_len + 4)};
    memcpy(bytes + 12, qname, q_len);
    if (fill)
        memcpy(bytes + fill_at, fill, name_len(fill));
    memcpy(bytes + at, s->image, s->rrset.image_len);
    image_patch(bytes + at, s->image, &s->rrset, x_len, &move);
    expect_all(s, &m, at, owner);
}

static void expect_exact(const struct sample *s) { expect_placed(s, s->owner, 0, 12, 0xc00c, s->owner, NULL, 0); }

static const char *const samples[] = {
    "www 300 A 1\n",
    "www 300 A 1\nwww 300 A 2\nwww 300 A 3\n",
    "www 300 AAAA 1\nwww 300 AAAA 2\n",
    "@ 300 NS ns1\n@ 300 NS ns2\n@ 300 NS ns1.other.net.\n@ 300 NS ns2.other.net.\n@ 300 NS NS3.Other.NET.\n",
    "sub 300 NS sub\nsub 300 NS a.sub\nsub 300 NS b.a.sub\nsub 300 NS example.com.\nsub 300 NS com.\nsub 300 NS .\n",
    "sub 300 NS a.b.c\nsub 300 NS b.c\nsub 300 NS c\n",
    "@ 3600 SOA 7 60\n",
    "mail 60 MX 10 mail\nmail 60 MX 20 MAIL2\nmail 60 MX 30 mail.elsewhere.org.\nmail 60 MX 40 elsewhere.org.\n",
    "m 60 MINFO a.b.org. b.org.\nm 60 MINFO b.b.org. a.b.org.\n",
    "c 60 CNAME www\n",
    "c 60 CNAME c.c\n",
    "d 60 DNAME www\n",
    "s 60 SRV 1 s\ns 60 SRV 2 s\n",
    "t 60 TXT hello\nt 60 TXT odd\n",
    "*.w 60 MX 10 *.w\n*.w 60 MX 20 w\n*.w 60 MX 30 x.w\n*.w 60 MX 40 y.x.w\n",
    "*.w 60 NS a\n*.w 60 NS *.w\n*.w 60 NS z.*.w\n",
};
enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static void test_an_image_stands_behind_its_question(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct sample s;
        sample_of(&s, samples[i]);
        assert_true(s.len > 0);
        expect_exact(&s);
        sample_free(&s);
    }
}

static void test_the_root_has_images_too(void **state)
{
    (void)state;
    struct sample s;
    sample_of(&s, ". 60 NS a.root-servers.net.\n. 60 NS b.root-servers.net.\n");
    expect_exact(&s);
    assert_int_equal(s.rrset.image_len, 12 + 20 + 12 + 4);
    sample_free(&s);
}

/* Two names with a common suffix, one of them the owner's: the bytes are as RFC 1035 4.1.4 would have them. */
static void test_compression_is_as_short_as_it_gets(void **state)
{
    (void)state;
    struct sample s;
    sample_of(&s, "@ 300 NS ns1\n@ 300 NS NS1.other.net.\n@ 300 NS ns2.OTHER.net.\n");
    assert_int_equal(s.rrset.image_len, (12 + 4 + 2) + (12 + 15) + (12 + 4 + 2));
    sample_free(&s);
    sample_of(&s, "ns 300 PTR ns\n");
    assert_int_equal(s.rrset.image_len, 14);
    assert_int_equal(be16_get(s.image + 12), 0xc00c);
    sample_free(&s);
    sample_of(&s, "c 60 CNAME c\n"); /* kept plain for the next link of a chain */
    assert_int_equal(s.rrset.image_len, 12 + 15);
    sample_free(&s);
}

static void test_moved_as_wildcard(void **state)
{
    (void)state;
    uint8_t qname[NAME_MAX_LEN];
    const char *const qnames[] = {"a.w", "long-label-instead.w", "a.b.c.d.w", "3.w"};
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct sample s;
        sample_of(&s, samples[i]);
        for (unsigned q = 0; s.owner[1] == '*' && q < 4; q++) {
            unsigned q_len = put_wire(qname, qnames[q]);
            expect_placed(&s, qname, 0, 12 + q_len - name_len(s.owner), 0xc00c, qname, NULL, 0);
        }
        sample_free(&s);
    }
}

/* The question is another name; a CNAME's rdata at some place is the image's
 * owner, and the image stands still further back. */
static void test_moved_in_a_chain(void **state)
{
    (void)state;
    uint8_t qname[NAME_MAX_LEN];
    unsigned q_len = put_wire(qname, "alias.example.org.");
    const unsigned gaps[] = {300, 1000, 5000, 7900};
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct sample s;
        sample_of(&s, samples[i]);
        for (unsigned g = 0; g < 4; g++) {
            unsigned owner_at = 12 + q_len + 4 + gaps[g] - 270;
            expect_placed(&s, qname, gaps[g], owner_at, (uint16_t)(0xc000 | owner_at), s.owner, s.owner, owner_at);
        }
        sample_free(&s);
    }
}

/* As in a negative answer: the owner is the end of the question. */
static void test_moved_in_authority(void **state)
{
    (void)state;
    uint8_t qname[NAME_MAX_LEN];
    const char *const qnames[] = {"nothing.here", "@", "WWW"};
    struct sample s;
    sample_of(&s, "@ 3600 SOA 7 60\n");
    for (unsigned q = 0; q < 3; q++) {
        unsigned owner_at = 12 + put_wire(qname, qnames[q]) - name_len(s.owner);
        expect_placed(&s, qname, 40, owner_at, (uint16_t)(0xc000 | owner_at), s.owner, NULL, 0);
    }
    sample_free(&s);
}

static void test_any_rotation_is_a_window(void **state)
{
    (void)state;
    const char *const texts[] = {"w 9 A 1\nw 9 A 2\nw 9 A 3\nw 9 A 4\nw 9 A 5\n",
                                 "w 9 AAAA 1\nw 9 AAAA 2\nw 9 AAAA 3\n", "w 9 A 1\n"};
    for (unsigned t = 0; t < 3; t++) {
        struct sample s;
        sample_of(&s, texts[t]);
        unsigned rr_len = s.type == RR_A ? IMAGE_RR_A_LEN : IMAGE_RR_AAAA_LEN;
        assert_int_equal(s.rrset.image_len, s.cnt * rr_len);
        assert_int_equal(s.len, (2 * s.cnt - 1) * rr_len);
        for (unsigned start = 0; start < s.cnt; start++)
            for (unsigned i = 0; i < s.cnt; i++) {
                const uint8_t *rr = s.image + (start + i) * rr_len;
                assert_int_equal(be16_get(rr), 0xc00c);
                assert_memory_equal(rr + 12, s.rdata[(start + i) % s.cnt].rdata, rr_len - 12);
            }
        sample_free(&s);
    }
}

/* NS names that all differ, `each` bytes of label in front of a common suffix. */
static struct zone_records *many_ns(unsigned cnt, bool common)
{
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    for (unsigned i = 0; i < cnt; i++) {
        char line[200];
        snprintf(line, sizeof(line), common ? "@ 60 NS n%u" : "@ 60 NS n%u.a-rather-long-label-%u.net.", i, i);
        add_line(records, line, i);
    }
    zone_records_sort(records);
    return records;
}

static void test_large_rrsets(void **state)
{
    (void)state;
    struct sample s;
    sample_build(&s, many_ns(1200, false));
    assert_true(s.len > 0 && s.rrset.image_len > 3 * IMAGE_TARGET_MAX);
    expect_exact(&s);
    /* However far back a chain puts it, no pointer loses bits. */
    uint8_t qname[NAME_MAX_LEN];
    put_wire(qname, "q.example.org.");
    expect_placed(&s, qname, 7000, 4000, 0xc000 | 4000, s.owner, s.owner, 4000);
    sample_free(&s);
    sample_build(&s, many_ns(3000, true));
    assert_true(s.len > 0);
    expect_exact(&s);
    sample_free(&s);
}

static void test_too_large_for_a_message(void **state)
{
    (void)state;
    struct sample s;
    sample_build(&s, many_ns(MANY, false));
    assert_int_equal(s.len, 0);
    sample_free(&s);
    /* 12 + 13 + 4 bytes stand before it and 11 of an OPT behind: 4,093 addresses fit, one more does not. */
    for (unsigned more = 0; more < 2; more++) {
        struct zone_records *records = zone_records_new(test_apex, &test_key);
        for (unsigned i = 0; i < 4093 + more; i++) {
            uint8_t a[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
            struct rr rr = {test_apex, a, 60, RR_A, 4};
            zone_records_add(records, &rr, NULL, 0);
        }
        zone_records_sort(records);
        sample_build(&s, records);
        assert_int_equal(s.len > 0, !more);
        if (s.len)
            expect_exact(&s);
        sample_free(&s);
    }
}

struct taken {
    const struct sample *s;
    unsigned at;
};

static void take(void *arg, const struct rr *rr)
{
    struct taken *t = arg;
    uint8_t a[1024], b[1024];
    const struct image_rdata *want = &t->s->rdata[t->at++];
    assert_ptr_equal(rr->owner, t->s->owner);
    assert_int_equal(rr->type, t->s->type);
    assert_int_equal(rr->ttl, t->s->ttl);
    assert_int_equal(rr->rdata_len, want->len);
    lower_copy(a, rr->rdata, want->len);
    lower_copy(b, want->rdata, want->len);
    assert_memory_equal(a, b, want->len);
}

static void test_images_come_apart_again(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct sample s;
        sample_of(&s, samples[i]);
        struct taken t = {&s, 0};
        image_each(s.image, &s.rrset, s.owner, take, &t);
        assert_int_equal(t.at, s.cnt);
        sample_free(&s);
    }
}

static void take_ttl(void *arg, const struct rr *rr)
{
    uint32_t **ttl = arg;
    *(*ttl)++ = rr->ttl;
}

/* One image holds the RRSIGs of all types, each with the TTL of what it covers (RFC 4034 3). */
static void test_records_have_ttls_of_their_own(void **state)
{
    (void)state;
    static const uint8_t sig[2][20] = {{0, RR_A}, {0, RR_TXT}};
    struct image_rdata rdata[2] = {{sig[0], 60, 20}, {sig[1], 7200, 20}};
    struct zone_rrset rrset;
    uint8_t image[200];
    uint32_t ttls[2], *ttl = ttls;
    assert_true(image_build(image, &rrset, test_apex, RR_RRSIG, rdata, 2) > 0);
    image_each(image, &rrset, test_apex, take_ttl, &ttl);
    assert_ptr_equal(ttl, ttls + 2);
    assert_int_equal(ttls[0], 60);
    assert_int_equal(ttls[1], 7200);
}

/* What fits, fits with an OPT record too, and behind any question that leads to it. */
static void test_an_image_leaves_room(void **state)
{
    (void)state;
    static const struct { const char *owner; uint16_t type; size_t before; } cases[] = {
        {"www", RR_TXT, 12 + 17 + 4}, {"*", RR_TXT, 12 + 255 + 4}, {"a.*", RR_TXT, 12 + 17 + 4},
        {"www", RR_NS, 12 + 255 + 4}, {"*x", RR_TXT, 12 + 16 + 4},
    };
    static uint8_t image[70000], data[30000];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (unsigned more = 0; more < 2; more++) {
            size_t len = 65535 - 11 - cases[i].before + more;
            uint8_t owner[NAME_MAX_LEN];
            struct zone_rrset rrset;
            memset(data, 0xff, sizeof(data)); /* no name, so that NS is not compressed */
            struct image_rdata rdata[3] = {
                {data, 60, 30000}, {data, 60, 30000}, {data, 60, (uint16_t)(len - 60000 - 3 * 12)}};
            put_wire(owner, cases[i].owner);
            assert_int_equal(image_build(image, &rrset, owner, cases[i].type, rdata, 3) > 0, !more);
            assert_int_equal(image_most(owner, cases[i].type), len - more);
        }
}

/* Rdata that no parser lets pass must not be read as a pointer to outside. */
static void test_malformed_rdata_is_bounded(void **state)
{
    (void)state;
    static const uint8_t bad[][4] = {{0xc0, 0xff, 1, 0}, {63, 1, 2, 3}, {0x80, 0, 0, 0}, {1, 'a', 0xc0, 0x0c}};
    for (unsigned i = 0; i < 4; i++) {
        struct image_rdata rdata = {bad[i], 60, 4};
        struct zone_rrset rrset;
        uint8_t *image = malloc(image_room(RR_NS, &rdata, 1));
        assert_true(image_build(image, &rrset, test_apex, RR_NS, &rdata, 1) > 0);
        struct sample s = {.rdata = &rdata, .owner = test_apex, .cnt = 1, .type = RR_NS, .ttl = 60};
        if (i < 3) {
            struct taken t = {&s, 0};
            image_each(image, &rrset, test_apex, take, &t);
        }
        free(image);
    }
}

/* Names of few letters and few labels, so that suffixes meet often. */
static void random_name(char *out, struct random_state *rng)
{
    static const char *const labels[] = {"a", "b", "A", "aa", "example", "com", "www", "*"};
    static const char *const ends[] = {"", ".", ".com.", ".b.org."};
    out[0] = '\0';
    for (unsigned i = 0, n = 1 + random_below(rng, 4); i < n; i++) {
        strcat(out, i ? "." : "");
        strcat(out, labels[random_below(rng, 8)]);
    }
    strcat(out, ends[random_below(rng, 4)]);
}

static void test_random_rrsets(void **state)
{
    (void)state;
    static const char *const types[] = {"NS", "PTR", "MX", "MINFO", "CNAME", "SRV"};
    struct random_state rng = {{1, 2}};
    for (unsigned round = 0; round < 3000; round++) {
        char owner[300], text[4000] = "";
        const char *type = types[random_below(&rng, 6)];
        random_name(owner, &rng);
        for (unsigned i = 0, n = 1 + random_below(&rng, 8); i < n; i++) {
            char a[300], b[300], line[1000];
            random_name(a, &rng);
            random_name(b, &rng);
            if (!strcmp(type, "MX") || !strcmp(type, "SRV"))
                snprintf(a, sizeof(a), "%u", random_below(&rng, 3));
            snprintf(line, sizeof(line), "%s 60 %s %s %s\n", owner, type, a, b);
            strcat(text, line);
        }
        struct sample s;
        sample_of(&s, text);
        expect_exact(&s);
        uint8_t qname[NAME_MAX_LEN];
        put_wire(qname, "some.other.question");
        expect_placed(&s, qname, 400, 100, 0xc000 | 100, s.owner, s.owner, 100);
        struct taken t = {&s, 0};
        image_each(s.image, &s.rrset, s.owner, take, &t);
        sample_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_image_stands_behind_its_question),
        cmocka_unit_test(test_the_root_has_images_too),
        cmocka_unit_test(test_compression_is_as_short_as_it_gets),
        cmocka_unit_test(test_moved_as_wildcard),
        cmocka_unit_test(test_moved_in_a_chain),
        cmocka_unit_test(test_moved_in_authority),
        cmocka_unit_test(test_any_rotation_is_a_window),
        cmocka_unit_test(test_large_rrsets),
        cmocka_unit_test(test_too_large_for_a_message),
        cmocka_unit_test(test_an_image_leaves_room),
        cmocka_unit_test(test_images_come_apart_again),
        cmocka_unit_test(test_records_have_ttls_of_their_own),
        cmocka_unit_test(test_malformed_rdata_is_bounded),
        cmocka_unit_test(test_random_rrsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
