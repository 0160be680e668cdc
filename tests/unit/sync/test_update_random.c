/* Chains of random updates, some in one commit, against a model that does what the pseudo-code of RFC 2136 3.2.5 and
 * 3.4.2.7 says with a table of records, and asks the check of a zone's text what must be refused. */
#include "update_help.h"

#include "base/random.h"

static const char *const owners[] = {
    "@", "a", "b", "*", "a.a", "b.a", "*.a", "x.y.b", "y.b", "collide-1", "collide-2", "a.collide-2", "ns", "ns.a",
};
/* In two spellings, where no image says them otherwise: those of one type together. */
static const char *const datas[][2] = {
    {"A 1", "A 1"}, {"A 2", "A 2"}, {"A 3", "A 3"}, {"AAAA 1", "AAAA 1"}, {"TXT x", "TXT x"}, {"TXT y", "TXT y"},
    {"MX 10 m.q", "MX 10 M.q"}, {"MX 20 p", "MX 20 P"}, {"NS a.org.", "NS A.org."}, {"NS ns", "NS ns"},
    {"NS ns.a", "NS ns.a"}, {"NS x.b", "NS x.b"}, {"CNAME a", "CNAME A"}, {"CNAME b", "CNAME B"},
    {"DNAME a.org.", "DNAME A.org."}, {"DNAME b.org.", "DNAME b.ORG."},
};
enum { OWNERS = sizeof owners / sizeof *owners, DATAS = sizeof datas / sizeof *datas };
enum { NS_FIRST = 8, CNAME_FIRST = 12, DNAME_FIRST = 14 };
enum { STEPS = 8, MESSAGES_MOST = 5, UPDATES_MOST = 8 };

struct model {
    unsigned serial, soa_ttl, minimum;
    bool there[OWNERS][DATAS];
    unsigned spelling[OWNERS][DATAS];
    unsigned ttl[OWNERS][DATAS]; /* by the first data of the type */
};

static unsigned first_of_type(unsigned data)
{
    while (data && !strncmp(datas[data - 1][0], datas[data][0], strcspn(datas[data][0], " ") + 1))
        data--;
    return data;
}

static unsigned end_of_type(unsigned data)
{
    unsigned end = data + 1;
    while (end < DATAS && first_of_type(end) == first_of_type(data))
        end++;
    return end;
}

static unsigned cnt_of(const struct model *m, unsigned owner, unsigned data)
{
    unsigned cnt = 0;
    for (unsigned d = first_of_type(data); d < end_of_type(data); d++)
        cnt += m->there[owner][d];
    return cnt;
}

static unsigned all_of(const struct model *m, unsigned owner)
{
    unsigned cnt = !owner; /* the SOA */
    for (unsigned d = 0; d < DATAS; d++)
        cnt += m->there[owner][d];
    return cnt;
}

static bool is_same_model(const struct model *a, const struct model *b, bool but_soa)
{
    if (!but_soa && (a->serial != b->serial || a->soa_ttl != b->soa_ttl || a->minimum != b->minimum))
        return false;
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned d = 0; d < DATAS; d++) {
            unsigned t = first_of_type(d);
            if (a->there[o][d] != b->there[o][d] ||
                (a->there[o][d] && (a->spelling[o][d] != b->spelling[o][d] || a->ttl[o][t] != b->ttl[o][t])))
                return false;
        }
    return true;
}

static struct zone_records *records_of_model(const struct model *m)
{
    static char text[OWNERS * DATAS * 64];
    int len = snprintf(text, sizeof text, "@ %u SOA %u %u\n", m->soa_ttl, m->serial, m->minimum);
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned d = 0; d < DATAS; d++)
            if (m->there[o][d])
                len += snprintf(text + len, sizeof text - (size_t)len, "%s %u %s\n", owners[o],
                                m->ttl[o][first_of_type(d)], datas[d][m->spelling[o][d]]);
    return records_of(text);
}

static bool is_sound(const struct model *m)
{
    struct zone_records *records = records_of_model(m);
    struct diag *diag = diag_new(10);
    bool sound = !zone_records_check(records, diag);
    diag_free(diag);
    zone_records_free(records);
    return sound;
}

/* ---- one message, as bytes and for the model */

static struct update_bytes bytes[MESSAGES_MOST];

static void line(struct update_bytes *m, unsigned count_at, const char *class, unsigned owner, unsigned ttl,
                 const char *type_and_data)
{
    char text[300];
    snprintf(text, sizeof text, "%s %s %u %s", class, owners[owner], ttl, type_and_data);
    update_bytes_line(m, count_at, text);
}

static void line_of_type(struct update_bytes *m, unsigned count_at, const char *class, unsigned owner, unsigned data)
{
    char type[16];
    snprintf(type, sizeof type, "%.*s", (int)strcspn(datas[data][0], " "), datas[data][0]);
    line(m, count_at, class, owner, 0, type);
}

/* RFC 2136 3.2.5 */
static enum rcode prerequisite(const struct model *m, struct update_bytes *b, struct random_state *rng)
{
    unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS);
    switch (random_below(rng, 4)) {
    case 0:
        line_of_type(b, 6, "ANY", o, d);
        return cnt_of(m, o, d) ? RCODE_NOERROR : RCODE_NXRRSET;
    case 1:
        line_of_type(b, 6, "NONE", o, d);
        return cnt_of(m, o, d) ? RCODE_YXRRSET : RCODE_NOERROR;
    case 2:
        line(b, 6, "ANY", o, 0, "ANY");
        return all_of(m, o) ? RCODE_NOERROR : RCODE_NXDOMAIN;
    default:
        line(b, 6, "NONE", o, 0, "ANY");
        return all_of(m, o) ? RCODE_YXDOMAIN : RCODE_NOERROR;
    }
}

/* The rrset as it is, or with one record more or less. */
static enum rcode prerequisite_by_value(const struct model *m, struct update_bytes *b, struct random_state *rng)
{
    unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS);
    unsigned other = random_below(rng, 2) ? d : DATAS, cnt = 0;
    for (unsigned i = end_of_type(d); i-- > first_of_type(d);)
        if (m->there[o][i] != (i == other)) {
            line(b, 6, "IN", o, 0, datas[i][random_below(rng, 2)]);
            cnt++;
        }
    return cnt && other != DATAS ? RCODE_NXRRSET : RCODE_NOERROR;
}

/* RFC 2136 3.4.2.7. */
static void add(struct model *m, unsigned o, unsigned d, unsigned spelling, unsigned ttl)
{
    unsigned t = first_of_type(d);
    if (t == CNAME_FIRST ? all_of(m, o) > cnt_of(m, o, CNAME_FIRST) : cnt_of(m, o, CNAME_FIRST) > 0)
        return;
    for (unsigned i = t; (t == CNAME_FIRST || t == DNAME_FIRST) && i < end_of_type(d); i++)
        m->there[o][i] = false;
    m->there[o][d] = true;
    m->spelling[o][d] = strcmp(datas[d][0], datas[d][1]) ? spelling : 0;
    m->ttl[o][t] = ttl;
}

static void remove_type(struct model *m, unsigned o, unsigned d)
{
    if (o || first_of_type(d) != NS_FIRST)
        for (unsigned i = first_of_type(d); i < end_of_type(d); i++)
            m->there[o][i] = false;
}

static void remove_one(struct model *m, unsigned o, unsigned d)
{
    if (o || first_of_type(d) != NS_FIRST || cnt_of(m, o, d) > 1)
        m->there[o][d] = false;
}

static void set_soa(struct model *m, struct update_bytes *b, struct random_state *rng, bool *has_soa)
{
    char text[64];
    uint32_t serial = m->serial + random_below(rng, 5) - 2, ttl = random_below(rng, 3), minimum = random_below(rng, 3);
    unsigned o = random_below(rng, 3) ? 0 : 1;
    snprintf(text, sizeof text, "SOA %u %u", serial, minimum);
    line(b, 8, "IN", o, ttl, text);
    if (o || (int32_t)(serial - m->serial) <= 0)
        return;
    m->serial = serial;
    m->soa_ttl = ttl;
    m->minimum = minimum;
    *has_soa = true;
}

/* False: it must not be, whatever comes of it. */
static bool one_update(struct model *m, struct update_bytes *b, struct random_state *rng, bool *has_soa)
{
    unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS), spelling = random_below(rng, 2),
             ttl = random_below(rng, 4) ? 5 : 7;
    switch (random_below(rng, 16)) {
    case 0:
        set_soa(m, b, rng, has_soa);
        return true;
    case 1:
        line(b, 8, "ANY", o, 0, "ANY");
        for (unsigned i = 0; i < DATAS; i++)
            remove_type(m, o, i);
        return true;
    case 2:
    case 3:
        line_of_type(b, 8, "ANY", o, d);
        remove_type(m, o, d);
        return true;
    case 4:
    case 5:
    case 6:
    case 7:
        line(b, 8, "NONE", o, 0, datas[d][spelling]);
        remove_one(m, o, d);
        return true;
    default:
        line(b, 8, "IN", o, ttl, datas[d][spelling]);
        if (owners[o][0] == '*' && first_of_type(d) == NS_FIRST)
            return false;
        add(m, o, d, spelling, ttl);
        return true;
    }
}

/* What the message is answered; the model is as it should be then. */
static enum rcode one_message(struct model *m, struct update_bytes *b, struct random_state *rng, unsigned base_serial,
                              bool *has_soa_kept)
{
    struct model now = *m;
    bool has_soa = false, may_be = true;
    enum rcode rcode = RCODE_NOERROR;
    update_bytes_begin(b, test_apex);
    for (unsigned i = random_below(rng, 4) ? 0 : 1; i-- > 0;)
        rcode = prerequisite(m, b, rng);
    if (random_below(rng, 4) == 0) {
        enum rcode by_value = prerequisite_by_value(m, b, rng);
        rcode = rcode ? rcode : by_value;
    }
    for (unsigned i = random_below(rng, UPDATES_MOST + 1); i-- > 0;)
        may_be &= one_update(&now, b, rng, &has_soa);
    if (rcode)
        return rcode;
    if (!may_be || !is_sound(&now))
        return RCODE_REFUSED;
    if (!is_same_model(m, &now, false) && now.serial == base_serial)
        now.serial = base_serial + 1;
    *has_soa_kept |= has_soa;
    *m = now;
    return RCODE_NOERROR;
}

/* ---- a chain of versions */

static unsigned counts[16];

/* The version that the changes make is what the model's records would build anew; and it is published. */
static void commit(struct zone *zone, const struct changeset *changes, const struct model *m)
{
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, changes, NULL), ERR_OK);
    assert_int_equal(changes->serial_from, zone->current->serial);
    assert_int_equal(changes->serial_to, m->serial);
    assert_int_equal(v->serial, m->serial);
    struct zone *anew = zone_new(test_apex, &test_key);
    struct zone_records *wanted = records_of_model(m);
    assert_null(zone_publish(anew, zone_build(anew, wanted, NULL)));
    struct zone_records *got = records_in(v), *built = records_in(anew->current);
    assert_same_records(got, wanted);
    assert_same_records(got, built);
    /* No more than there is to be said. */
    struct changeset *least = changeset_diff(zone->current, wanted);
    assert_same_records(changes->removed, least->removed);
    assert_same_records(changes->added, least->added);
    changeset_free(least);
    zone_records_free(got);
    zone_records_free(built);
    zone_records_free(wanted);
    zone_free(anew);
    zone_version_put(zone_publish(zone, v));
}

static void step(struct zone *zone, struct model *m, struct random_state *rng)
{
    struct model before = *m;
    struct update_msg msgs[MESSAGES_MOST];
    unsigned cnt = 1 + random_below(rng, MESSAGES_MOST);
    bool has_soa = false;
    struct update *update = update_new(zone->current, before.serial + 1);
    for (unsigned i = 0; i < cnt; i++) {
        enum rcode wanted = one_message(m, &bytes[i], rng, before.serial, &has_soa);
        enum rcode got = update_judge(update, &msgs[i], &bytes[i]);
        if (got != wanted)
            fail_msg("%s, not %s", rcode_text(got), rcode_text(wanted));
        counts[got]++;
    }
    struct changeset *changes = update_changes(update);
    for (unsigned i = 0; i < cnt; i++)
        update_msg_fini(&msgs[i]);
    assert_int_equal(changes != NULL, has_soa || !is_same_model(&before, m, true));
    if (changes)
        commit(zone, changes, m);
    else
        *m = before;
    changeset_free(changes);
    update_free(update);
}

static void test_random(void **state)
{
    (void)state;
    struct random_state rng = {{2136, 1}};
    for (unsigned round = 0; round < 1500; round++) {
        struct model m = {.serial = random_below(&rng, 3) - 2, .soa_ttl = 5, .minimum = 1};
        m.there[0][NS_FIRST] = true;
        m.ttl[0][NS_FIRST] = 5;
        struct zone_records *records = records_of_model(&m);
        struct zone *zone = zone_new(test_apex, &test_key);
        assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
        zone_records_free(records);
        for (unsigned i = 0; i < STEPS; i++)
            step(zone, &m, &rng);
        zone_free(zone);
    }
    static const enum rcode met[] = {RCODE_NOERROR, RCODE_NXDOMAIN, RCODE_YXDOMAIN,
                                     RCODE_NXRRSET, RCODE_YXRRSET,  RCODE_REFUSED};
    for (unsigned i = 0; i < sizeof met / sizeof *met; i++)
        if (counts[met[i]] < 100)
            fail_msg("%u times %s", counts[met[i]], rcode_text(met[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
