/* Whole transfers: what a version or changesets give out comes in again, record by record, whatever the size of the
 * messages, signed or not. Random zones, the same in every run. */
#include "sync_help.h"

#include "base/random.h"

static const char *const owners[] = {
    "@", "a", "www", "WWW.a", "*", "*.a", "x.y.z", "sub", "ns.sub", "_balance.www", "_balance", "x._balance.a",
    "a-rather-long-label-that-takes-room.and-another-long-label-below-it.deep.b", "collide-1", "collide-2",
    "b.collide-2",
};
static const char *const datas[] = {
    "A 1", "A 2", "A 3", "AAAA 1", "AAAA 2", "TXT x", "TXT a-longer-word-of-text", "MX 10 a", "MX 10 mail.Example.org.",
    "MX 20 other.mail.example.org.", "NS ns.sub", "NS ns1.provider.net.", "NS ns2.provider.net.",
    "NS a.ns2.provider.net.",
    "CNAME www.a", "CNAME Www.A", "CNAME www.example.org.", "DNAME a", "PTR x.y.z", "PTR @", "SRV 5 srv.sub",
    "MINFO a.MINFO minfo", "MINFO x.minfo.net. y.x.minfo.net.", "RRSIG A 0", "TYPE65280 www", "RP a.b", "MB @",
};
enum { OWNERS = sizeof owners / sizeof *owners, DATAS = sizeof datas / sizeof *datas, STEPS = 4, ROUNDS = 40 };

static const size_t caps[] = {512, 700, 4096, 16384, 65535, 100000};
enum { CAPS = sizeof caps / sizeof *caps };

struct state {
    uint32_t serial;
    bool there[OWNERS][DATAS];
    unsigned ttl[OWNERS];
    unsigned many; /* a rrset of so many A, NS and MX */
};

/* RP has two names in it, and the helper writes one: let it be twice the same. */
static void add_rp(struct zone_records *records, const char *owner, unsigned ttl, const char *name)
{
    uint8_t wire[NAME_MAX_LEN], rdata[2 * NAME_MAX_LEN];
    unsigned len = put_wire(rdata, name);
    len += put_wire(rdata + len, name);
    put_wire(wire, owner);
    struct rr rr = {.owner = wire, .rdata = rdata, .ttl = ttl, .type = RR_RP, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, NULL, 0);
}

static void add_many(struct zone_records *records, unsigned cnt)
{
    char line[200];
    for (unsigned i = 0; i < cnt; i++) {
        snprintf(line, sizeof line, "many 60 A %u", i % 250);
        add_line(records, line, i);
        snprintf(line, sizeof line, "many-servers 60 NS n%u.group%u.servers.example.net.", i, i % 3);
        add_line(records, line, i);
        snprintf(line, sizeof line, "many 60 MX %u x%u.many", i, i % 7);
        add_line(records, line, i);
        snprintf(line, sizeof line, "many 60 MINFO x%u.many y.x%u.minfo%u.net.", i, i % 7, i);
        add_line(records, line, i);
    }
}

static struct zone_records *records_at(const struct state *s)
{
    char line[300];
    snprintf(line, sizeof line, "@ 3600 SOA %u 60", s->serial);
    struct zone_records *records = records_of("");
    add_line(records, line, 1);
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned d = 0; d < DATAS; d++) {
            snprintf(line, sizeof line, "%s %u %s", owners[o], s->ttl[o], datas[d]);
            if (!s->there[o][d])
                continue;
            if (!strncmp(datas[d], "RP ", 3))
                add_rp(records, owners[o], s->ttl[o], datas[d] + 3);
            else
                add_line(records, line, 1);
        }
    add_many(records, s->many);
    zone_records_sort(records);
    return records;
}

static void change_state(struct state *s, struct random_state *rng, unsigned changes)
{
    s->serial += 1 + random_below(rng, 1000);
    while (changes--) {
        unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS);
        s->there[o][d] = !s->there[o][d];
        if (!random_below(rng, 10))
            s->ttl[o] = random_below(rng, 100);
    }
    if (!random_below(rng, 4))
        s->many = random_below(rng, 2) ? random_below(rng, 400) : 0;
}

static bool is_balance(const uint8_t *owner)
{
    for (; *owner; owner += *owner + 1)
        if (*owner == 8 && !memcmp(owner + 1, "_balance", 8))
            return true;
    return false;
}

static void drop_balance(struct zone_records *records)
{
    size_t kept = 0;
    for (size_t i = 0; i < records->cnt; i++)
        if (!is_balance(records->recs[i].rr.owner))
            records->recs[kept++] = records->recs[i];
    records->cnt = kept;
}

static void assert_frames(const struct messages *m, size_t cap, bool is_signed)
{
    for (size_t i = 0; i < m->cnt; i++) {
        const uint8_t *msg = m->at[i].bytes;
        assert_true(m->at[i].len <= (cap < 65535 ? cap : 65535));
        assert_int_equal(msg_flags(msg), MSG_QR | MSG_AA);
        assert_int_equal(msg_qdcount(msg), i == 0);
        assert_true(msg_ancount(msg) > 0);
        assert_int_equal(msg_nscount(msg), 0);
        assert_int_equal(msg_arcount(msg), is_signed);
    }
}

/* How the way is made different from the others. */
struct way {
    size_t cap;
    bool is_signed, without_balance, capitals;
};

static struct way way_of(unsigned i)
{
    return (struct way){caps[i % CAPS], i / CAPS & 1, i / CAPS & 2, i / CAPS & 4};
}
enum { WAYS = CAPS * 8 };

static struct messages messages;

static void transfer_whole(const struct zone_version *v, const struct way *way, uint16_t type)
{
    struct exchange x;
    struct stream_out out;
    struct stream_in in;
    struct received r;
    exchange_open(&x, way->is_signed);
    struct stream_out_request request = request_of(&x, type);
    request.without_balance = way->without_balance;
    if (way->capitals)
        request.name = (const uint8_t *)"\7eXAMple\3Com";
    stream_out_whole(&out, &request, v);
    assert_int_equal(make_all(&messages, &out, way->cap), STREAM_OUT_DONE);
    assert_frames(&messages, way->cap, way->is_signed);
    assert_int_equal(out.message_cnt, messages.cnt);

    received_open(&r);
    struct stream_in_asked asked = asked_of(&x, type, v->serial - 1, &r);
    stream_in_init(&in, &asked);
    assert_int_equal(feed_all(&in, &messages), messages.cnt);
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outcome, STREAM_IN_WHOLE);
    assert_int_equal(in.serial, v->serial);
    assert_int_equal(in.rr_cnt, out.rr_cnt);
    struct zone_records *wanted = records_in(v);
    if (way->without_balance)
        drop_balance(wanted);
    assert_int_equal(in.rr_cnt, wanted->cnt + 1);
    assert_same_records(r.whole, wanted);
    zone_records_free(wanted);
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

static void transfer_changes(const struct zone_version *v, const struct changeset *const *changes, size_t cnt,
                             const struct way *way)
{
    struct exchange x;
    struct stream_out out;
    struct stream_in in;
    struct received r;
    exchange_open(&x, way->is_signed);
    struct stream_out_request request = request_of(&x, RR_IXFR);
    request.without_balance = way->without_balance;
    stream_out_changes(&out, &request, v, changes, cnt);
    assert_int_equal(make_all(&messages, &out, way->cap), STREAM_OUT_DONE);
    assert_frames(&messages, way->cap, way->is_signed);

    received_open(&r);
    struct stream_in_asked asked = asked_of(&x, RR_IXFR, changes[0]->serial_from, &r);
    stream_in_init(&in, &asked);
    assert_int_equal(feed_all(&in, &messages), messages.cnt);
    assert_int_equal(in.state, STREAM_IN_DONE);
    assert_int_equal(in.outcome, STREAM_IN_CHANGES);
    assert_int_equal(in.serial, v->serial);
    assert_int_equal(r.change_cnt, cnt);
    for (size_t i = 0; i < cnt; i++) {
        assert_int_equal(r.changes[i].serial_from, changes[i]->serial_from);
        assert_int_equal(r.changes[i].serial_to, changes[i]->serial_to);
        size_t removed_cnt = changes[i]->removed->cnt, added_cnt = changes[i]->added->cnt;
        if (way->without_balance) {
            drop_balance(changes[i]->removed);
            drop_balance(changes[i]->added);
        }
        assert_same_records(r.changes[i].removed, changes[i]->removed);
        assert_same_records(r.changes[i].added, changes[i]->added);
        assert_true(removed_cnt >= changes[i]->removed->cnt && added_cnt >= changes[i]->added->cnt);
    }
    received_close(&r);
    messages_clear(&messages);
    exchange_close(&x);
}

/* A chain of versions: each whole, and the changes from each to the last. */
static void random_chain(struct random_state *rng, unsigned round)
{
    struct state s = {.serial = (uint32_t)random_u64(rng)};
    struct changeset *changes[STEPS];
    struct zone *zone = zone_new(test_apex, &test_key);
    for (unsigned o = 0; o < OWNERS; o++)
        s.ttl[o] = random_below(rng, 100);
    for (unsigned step = 0; step <= STEPS; step++) {
        struct way way = way_of(round * 7 + step);
        change_state(&s, rng, step ? 8 : OWNERS * DATAS / 3);
        struct zone_records *records = records_at(&s);
        if (step)
            changes[step - 1] = changeset_diff(zone->current, records);
        struct zone_version *old = zone_publish(zone, zone_build(zone, records, NULL));
        zone_records_free(records);
        if (old)
            zone_version_put(old);
        transfer_whole(zone->current, &way, step & 1 ? RR_IXFR : RR_AXFR);
    }
    for (unsigned first = 0; first < STEPS; first++) { /* the filter drops from the changes: it comes last */
        struct way way = way_of(round * 5 + first);
        way.without_balance = first == STEPS - 1;
        transfer_changes(zone->current, (const struct changeset *const *)changes + first, STEPS - first, &way);
    }
    for (unsigned i = 0; i < STEPS; i++)
        changeset_free(changes[i]);
    zone_free(zone);
}

static void test_random(void **state)
{
    (void)state;
    struct random_state rng = {{2026, 5}};
    for (unsigned i = 0; i < ROUNDS; i++)
        random_chain(&rng, i);
}

/* One zone with everything, each way there is. */
static void test_ways(void **state)
{
    (void)state;
    struct state s = {.serial = UINT32_MAX, .many = 900};
    memset(s.there, true, sizeof s.there);
    struct zone_records *records = records_at(&s);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    for (unsigned i = 0; i < WAYS; i++) {
        struct way way = way_of(i);
        transfer_whole(zone->current, &way, RR_AXFR);
    }
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
