#include "zone_help.h"

#include "base/random.h"
#include "zone/rdata.h"

static void test_records_sort_by_owner_type_and_rdata(void **state)
{
    (void)state;
    struct zone_records *r =
        records_of("b 60 MX 20 b\nb 60 A 3\nB 60 A 1\na 60 A 1\nb 60 A 2\nb 60 MX 10 c\nb 60 MX 10 B\n");
    assert_int_equal(r->cnt, 7);
    for (size_t i = 1; i < r->cnt; i++) {
        const struct zone_record *a = &r->recs[i - 1], *b = &r->recs[i];
        assert_true(a->owner_hash <= b->owner_hash);
        if (a->owner_hash != b->owner_hash)
            assert_ptr_not_equal(a->rr.owner, b->rr.owner);
        if (a->rr.owner == b->rr.owner) {
            assert_true(a->rr.type <= b->rr.type);
            if (a->rr.type == b->rr.type)
                assert_true(rdata_cmp(a->rr.type, a->rr.rdata, a->rr.rdata_len, b->rr.rdata, b->rr.rdata_len) < 0);
        }
    }
    zone_records_free(r);
}

static void test_owners_are_lower_cased_and_rdata_is_not(void **state)
{
    (void)state;
    struct zone_records *r = records_of("WwW 60 CNAME Target\n");
    uint8_t name[NAME_MAX_LEN];
    put_wire(name, "www");
    assert_memory_equal(r->recs[0].rr.owner, name, name_len(name));
    assert_memory_equal(r->recs[0].rr.rdata, "\6Target", 7);
    assert_string_equal(zone_records_file(r, &r->recs[0]), "test");
    zone_records_free(r);
}

/* The first one added stays, whatever comes with the others. */
static void test_duplicates_go(void **state)
{
    (void)state;
    struct zone_records *r =
        records_of("a 60 A 1\na 30 A 1\nA 60 A 1\na 60 NS x\na 60 NS X\na 60 MX 1 x\na 60 MX 1 X\n"
                   "a 60 SRV 1 x\na 60 SRV 1 X\na 60 TXT x\na 60 TXT X\na 60 DNAME y\na 60 DNAME Y\n");
    const char *const left[] = {"A", "NS", "MX", "TXT", "TXT", "SRV", "DNAME"};
    assert_int_equal(r->cnt, 7);
    for (size_t i = 0; i < 7; i++) {
        char text[RR_TYPE_TEXT_MAX];
        assert_string_equal(rr_type_to_text(text, r->recs[i].rr.type), left[i]);
        assert_int_equal(r->recs[i].rr.ttl, 60);
    }
    assert_int_equal(r->recs[0].line, 1);
    assert_memory_equal(r->recs[1].rr.rdata, "\1x", 2);
    zone_records_free(r);
}

/* Files come and go as $INCLUDE has it. */
static void test_records_know_their_file_and_turn(void **state)
{
    (void)state;
    struct zone_records *r = zone_records_new(test_apex, &test_key);
    static const char *const files[] = {"zone", "inc1", "zone", "inc2", "inc2", "zone"};
    for (unsigned i = 0; i < 6; i++) {
        uint8_t name[NAME_MAX_LEN], rdata[4] = {192, 0, 2, (uint8_t)i};
        put_wire(name, i % 2 ? "b" : "a");
        struct rr rr = {.owner = name, .rdata = rdata, .ttl = 60, .type = RR_A, .rdata_len = 4};
        zone_records_add(r, &rr, files[i], i + 1);
    }
    zone_records_sort(r);
    assert_int_equal(r->cnt, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(r->recs[i].seq, r->recs[i].rr.rdata[3]);
        assert_string_equal(zone_records_file(r, &r->recs[i]), files[r->recs[i].seq]);
    }
    zone_records_free(r);
}

static void test_owners_of_one_hash(void **state)
{
    (void)state;
    struct zone_records *r =
        records_of("collide-2 60 A 1\ncollide-1 60 A 1\ncollide-3 60 A 1\ncollide-1 60 TXT x\nCOLLIDE-3 60 A 2\n");
    for (unsigned i = 1; i < 5; i++) {
        uint8_t name[NAME_MAX_LEN];
        char text[16];
        size_t cnt;
        snprintf(text, sizeof(text), "collide-%u", i);
        put_wire(name, text);
        const struct zone_record *recs = zone_records_find(r, name, &cnt);
        assert_int_equal(cnt, i == 4 ? 0 : i == 2 ? 1 : 2);
        for (size_t j = 0; j < cnt; j++)
            assert_true(name_equal(recs[j].rr.owner, name) && recs[j].owner_hash == r->recs[0].owner_hash);
    }
    zone_records_free(r);
}

static void test_find(void **state)
{
    (void)state;
    size_t cnt;
    uint8_t name[NAME_MAX_LEN];
    struct zone_records *r = records_of("a 60 A 1\nb 60 A 1\nb 60 A 2\nb 60 TXT x\n");
    put_wire(name, "B");
    const struct zone_record *recs = zone_records_find(r, name, &cnt);
    assert_int_equal(cnt, 3);
    assert_int_equal(recs[2].rr.type, RR_TXT);
    put_wire(name, "c");
    assert_null(zone_records_find(r, name, &cnt));
    assert_int_equal(cnt, 0);
    /* The check takes records out in place. */
    put_wire(name, "b");
    size_t kept = 0;
    for (size_t i = 0; i < r->cnt; i++)
        if (!name_equal(r->recs[i].rr.owner, name))
            r->recs[kept++] = r->recs[i];
    r->cnt = kept;
    assert_null(zone_records_find(r, name, &cnt));
    put_wire(name, "a");
    assert_non_null(zone_records_find(r, name, &cnt));
    zone_records_free(r);

    r = zone_records_new(test_apex, &test_key);
    zone_records_sort(r);
    assert_null(zone_records_find(r, name, &cnt));
    zone_records_free(r);
}

static void expect_target(const struct zone_records *r, const char *owner, size_t nth, size_t addresses)
{
    size_t cnt, found_cnt;
    uint8_t name[NAME_MAX_LEN];
    put_wire(name, owner);
    const struct zone_record *recs = zone_records_find(r, name, &cnt);
    assert_true(nth < cnt && recs[nth].rr.type == RR_NS);
    for (unsigned i = 0; i < 3; i++) { /* the first time it is looked up, then remembered */
        const struct zone_record *found = zone_records_find_target(r, &recs[nth], &found_cnt);
        assert_int_equal(found_cnt, addresses);
        assert_true(addresses ? name_equal(found->rr.owner, recs[nth].rr.rdata) : !found);
    }
}

static void test_find_target(void **state)
{
    (void)state;
    struct zone_records *r =
        records_of("a 60 NS X.a\na 60 NS y\nb 60 NS x.A\nb 60 NS z.other.\nx.a 60 A 1\nx.a 60 A 2\nx.a 60 AAAA 1\n");
    for (unsigned round = 0; round < 2; round++) {
        expect_target(r, "a", 0, 3);
        expect_target(r, "a", 1, round);
        expect_target(r, "b", 0, 3);
        expect_target(r, "b", 1, 0);
        add_line(r, "y 60 TXT x", 1);
        zone_records_sort(r);
    }
    zone_records_free(r);
}

/* It goes through all of them, whatever their types and however malformed they are, and changes nothing. */
static void test_look_ahead(void **state)
{
    (void)state;
    enum { CNT = 1000 };
    struct zone_records *r = records_of("a 60 SRV 1 a\na 60 MX 1 b\n");
    for (unsigned i = 0; i < CNT; i++) {
        static const uint16_t types[] = {RR_NS, RR_MX, RR_SRV, RR_A};
        static const uint8_t rdata[] = "\0\1\0\1\0\1\77";
        uint8_t owner[NAME_MAX_LEN];
        char text[20];
        snprintf(text, sizeof(text), "n%u", i);
        put_wire(owner, text);
        struct rr rr = {
            .owner = owner, .rdata = rdata, .ttl = 60, .type = types[i % 4], .rdata_len = (uint16_t)(i / 4 % 8)};
        zone_records_add(r, &rr, NULL, i);
    }
    zone_records_sort(r);
    for (unsigned services = 0; services < 2; services++) {
        size_t at = 0, before = 0;
        for (; at < r->cnt; before = at) {
            at = zone_records_look_ahead(r, at, services);
            assert_true(at > before && at <= r->cnt);
        }
        assert_int_equal(zone_records_look_ahead(r, r->cnt, services), r->cnt);
    }
    assert_int_equal(r->cnt, CNT + 2);
    zone_records_free(r);
}

/* Enough for the radix sort, with owners of one and of many records, none of them adjacent. */
static void test_many_records(void **state)
{
    (void)state;
    enum { ROUNDS = 7, OWNERS = 3000, FULL = 2000 };
    struct zone_records *r = zone_records_new(test_apex, &test_key);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < OWNERS; i++) {
            uint8_t owner[NAME_MAX_LEN], a[4] = {10, 0, 0, (uint8_t)(round % 5)};
            char text[32];
            snprintf(text, sizeof(text), "%s%u", round & 1 ? "N" : "n", i);
            put_wire(owner, text);
            zone_records_add(r, &(struct rr){owner, a, 60, RR_A, 4}, NULL, round);
        }
    for (unsigned i = 0; i < FULL; i++) {
        uint8_t owner[NAME_MAX_LEN], a[4] = {10, 1, (uint8_t)((FULL - i) >> 8), (uint8_t)(FULL - i)};
        put_wire(owner, "full");
        zone_records_add(r, &(struct rr){owner, a, 60, RR_A, 4}, NULL, 0);
    }
    zone_records_sort(r);
    assert_int_equal(r->cnt, 5 * OWNERS + FULL);
    for (unsigned i = 0; i <= OWNERS; i++) {
        uint8_t owner[NAME_MAX_LEN];
        char text[32];
        size_t cnt;
        snprintf(text, sizeof(text), i == OWNERS ? "full" : "n%u", i);
        put_wire(owner, text);
        const struct zone_record *recs = zone_records_find(r, owner, &cnt);
        assert_int_equal(cnt, i == OWNERS ? FULL : 5);
        for (size_t j = 0; j < cnt; j++) {
            assert_ptr_equal(recs[j].rr.owner, recs[0].rr.owner);
            if (i < OWNERS)
                assert_int_equal(recs[j].line, recs[j].rr.rdata[3]); /* rounds 5 and 6 repeat 0 and 1 and lost */
            else
                assert_int_equal(be16_get(recs[j].rr.rdata + 2), j + 1);
        }
    }
    size_t cnt = r->cnt;
    zone_records_sort(r);
    assert_int_equal(r->cnt, cnt);
    zone_records_free(r);
}

static int sign(int d) { return (d > 0) - (d < 0); }

static void expect_order(uint16_t type, const char *a, unsigned a_len, const char *b, unsigned b_len, int order)
{
    assert_int_equal(sign(rdata_cmp(type, (const uint8_t *)a, a_len, (const uint8_t *)b, b_len)), order);
    assert_int_equal(sign(rdata_cmp(type, (const uint8_t *)b, b_len, (const uint8_t *)a, a_len)), -order);
}
#define ORDER(type, a, b, order) expect_order(type, a, sizeof(a) - 1, b, sizeof(b) - 1, order)

static void test_canonical_order_of_rdata(void **state)
{
    (void)state;
    ORDER(RR_TXT, "\1a", "\1A", 1);
    ORDER(RR_TXT, "\1a", "\1a\1", -1);
    ORDER(RR_NS, "\1a\0", "\1A\0", 0);
    ORDER(RR_NS, "\1a\0", "\1B\0", -1);
    ORDER(RR_MX, "\0\1\1a\0", "\0\1\1A\0", 0);
    ORDER(RR_MX, "\0A\1a\0", "\0a\1a\0", -1);
    ORDER(RR_SRV, "\0\1\0A\0\1\1x\0", "\0\1\0A\0\1\1X\0", 0);
    ORDER(RR_SRV, "\0\1\0A\0\1\1x\0", "\0\1\0a\0\1\1x\0", -1);
    ORDER(RR_SOA, "\1a\0\1b\0AAAABBBBCCCCDDDDEEEE", "\1A\0\1B\0AAAABBBBCCCCDDDDEEEE", 0);
    ORDER(RR_SOA, "\1a\0\1b\0AAAABBBBCCCCDDDDEEEE", "\1a\0\1b\0aAAABBBBCCCCDDDDEEEE", -1);
    ORDER(RR_NAPTR, "\0\1\0\1\1U\3SIP\0\1x\0", "\0\1\0\1\1U\3SIP\0\1X\0", 0);
    ORDER(RR_NAPTR, "\0\1\0\1\1U\3SIP\0\1x\0", "\0\1\0\1\1u\3SIP\0\1x\0", -1);
    ORDER(RR_RRSIG, "123456789012345678\1s\0SIG", "123456789012345678\1S\0SIG", 0);
    ORDER(RR_RRSIG, "123456789012345678\1s\0SIG", "123456789012345678\1s\0sig", -1);
    ORDER(RR_NSEC, "\1a\0\0\1\2", "\1A\0\0\1\2", 1); /* RFC 6840 5.1 */
    ORDER(RR_DNAME, "\1a\0", "\1A\0", 0);
    ORDER(RR_RP, "\1a\0\1b\0", "\1A\0\1B\0", 0);
    ORDER(RR_PX, "\0\1\1a\0\1b\0", "\0\1\1A\0\1B\0", 0);
    ORDER(38, "\100\1\2\3\4\5\6\7\x8\1a\0", "\100\1\2\3\4\5\6\7\x8\1A\0", 0);
    ORDER(RR_NS, "\5ab", "\5AB", 1); /* malformed: as bytes */
    ORDER(RR_NAPTR, "\0", "\1", -1);
    ORDER(RR_NAPTR, "\0\1\0\1\377", "\0\1\0\1\376", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_sort_by_owner_type_and_rdata),
        cmocka_unit_test(test_owners_are_lower_cased_and_rdata_is_not),
        cmocka_unit_test(test_duplicates_go),
        cmocka_unit_test(test_records_know_their_file_and_turn),
        cmocka_unit_test(test_owners_of_one_hash),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_find_target),
        cmocka_unit_test(test_look_ahead),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_canonical_order_of_rdata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
