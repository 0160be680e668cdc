/* Chains of random changes: each version is in every byte what its records would build anew. */
#include "version_help.h"

#include "base/random.h"
#include "zone/signed.h"

/* Random zones: some owners, for each some records that may be there, with TTLs and cases that change. */
static const char *const owners[] = {
    "@", "a", "b", "c", "*", "a.a", "b.a", "*.a", "a.b", "c.b", "*.b", "a.a.a", "b.a.a", "*.a.a", "a.*.a", "a.a.b",
    "x.c.b", "a.*", "x.y.z.a", "y.z.a", "v.w.x.y.z.c", "x.y.z.c", "ns.a", "ns.b", "ns.a.a", "ns.c.b",
    "collide-1", "collide-2", "collide-3", "collide-4", "a.collide-2", "a.a.collide-5", "*.collide-2", "collide-1.a",
    "collide-2.a",
    /* the hashes of the apex with salts 1 and 2, then others, and where no NSEC3 record belongs */
    "kkso3op7vejj7hlpa5b43n4daae845a2", "q1qn2g0b8dmngr2fc7v5ls2b5e3pd5ik", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
    "35mthgpgcu1qg68fab165klnsnk3dpvl", "35mthgpgcu1qg68fab165klnsnk3dpvl.a", "x.0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
    "y.x.35mthgpgcu1qg68fab165klnsnk3dpvl", "35mthgpgcu1qg68fab165klnsnk3dpvl.35mthgpgcu1qg68fab165klnsnk3dpvl",
};
static const char *const datas[][2] = { /* one in two spellings */
    {"A 1", "A 1"}, {"A 2", "A 2"}, {"AAAA 1", "AAAA 1"}, {"AAAA 2", "AAAA 2"}, {"TXT x", "TXT x"},
    {"MX 10 a.a", "MX 10 A.A"}, {"MX 10 b.org.", "MX 10 B.org."}, {"MX 20 A.b.org.", "MX 20 a.B.org."},
    {"NS ns.a", "NS NS.a"}, {"NS ns.a.a", "NS ns.A.a"}, {"NS ns.b", "NS ns.B"}, {"NS a.org.", "NS A.org."},
    {"NS a", "NS A"}, {"CNAME a", "CNAME A"}, {"DNAME a", "DNAME A"}, {"NSEC a", "NSEC A"},
    {"RRSIG A 1", "RRSIG A 1"}, {"RRSIG NSEC3 1", "RRSIG NSEC3 1"}, {"NSEC3 0 1", "NSEC3 0 1"},
    {"NSEC3 0 2", "NSEC3 0 2"},
};
enum { HASH_OWNERS = sizeof(owners) / sizeof(owners[0]) - 8 };
enum { OWNERS = sizeof(owners) / sizeof(owners[0]), DATAS = sizeof(datas) / sizeof(datas[0]), STEPS = 7 };
enum { NSEC_DATA = 15 };

/* How a zone is signed. */
enum chain {
    CHAIN_NONE,
    CHAIN_NSEC,
    CHAIN_SALT_1,
    CHAIN_SALT_2,
    CHAIN_BOTH_SALTS,
    CHAIN_TOO_LONG,   /* more iterations than are made */
    CHAIN_NOT_THERE,  /* NSEC3PARAM without records of its chain, and NSEC */
    CHAINS
};

struct state {
    unsigned serial;
    enum chain chain;
    unsigned plan; /* how names are annotated, 0: not at all */
    uint8_t there[OWNERS][DATAS];
    uint8_t spelling[OWNERS][DATAS];
    unsigned ttl[OWNERS][DATAS]; /* by the first data of the type */
};

static unsigned first_of_type(unsigned data)
{
    unsigned first = data;
    while (first && !strncmp(datas[first - 1][0], datas[data][0], strcspn(datas[data][0], " ") + 1))
        first--;
    return first;
}

enum { PLANS = 6, PLAN_OTHERS = 5 /* annotates other zones' names alone */ };

static enum zone_mark match(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct state *s = arg;
    uint8_t a[NAME_MAX_LEN], aa[NAME_MAX_LEN];
    put_wire(a, "a");
    put_wire(aa, "a.a");
    assert_true(name_within(lower, zone->name));
    bool is_aa = name_equal(lower, aa);
    switch (s->plan) {
    case 1:
        return lower[1] & 1 ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    case 2:
        return name_within(lower, a) && !name_equal(lower, a) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case 3:
        return is_aa ? ZONE_MARK_BY_NAME : name_equal(lower, zone->name) ? ZONE_MARK_NONE : ZONE_MARK_BY_BELOW;
    default:
        return ZONE_MARK_BY_NAME;
    }
}

/* Some of those without addresses. */
static bool match_bare(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct state *s = arg;
    return (s->plan == 1 || s->plan == 4) && match(arg, zone, lower) == ZONE_MARK_BY_NAME && (lower[0] + s->plan) & 1;
}

/* Names of org., and one within the zone, as if it were another zone's. */
static enum zone_mark match_foreign(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct state *s = arg;
    uint8_t b_org[NAME_MAX_LEN], org[NAME_MAX_LEN], ns_a[NAME_MAX_LEN];
    put_wire(b_org, "b.org.");
    put_wire(org, "org.");
    put_wire(ns_a, "ns.a");
    assert_true(zone->name_len > 0);
    switch (s->plan) {
    case 1:
        return name_equal(lower, b_org) ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    case 2:
        return name_within(lower, b_org) && !name_equal(lower, b_org) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case 3:
        return name_within(lower, org) || name_equal(lower, ns_a) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case PLAN_OTHERS:
        return name_equal(lower, ns_a) ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    default:
        return ZONE_MARK_NONE;
    }
}

static const struct zone_marks *marks_of(struct zone_marks *marks, const struct state *s, bool anew)
{
    *marks = (struct zone_marks){.match = s->plan == PLAN_OTHERS ? NULL : match, .match_bare = match_bare,
                                 .match_foreign = match_foreign,
                                 .arg = (void *)(uintptr_t)s, .anew = anew, .foreign_anew = anew};
    return s->plan ? marks : NULL;
}

static void count_record(void *arg, const struct rr *rr)
{
    (void)rr;
    ++*(size_t *)arg;
}

/* What is told to come and go is what makes the one list of the other. */
static void expect_foreign_told(const struct zone_version *before, const struct zone_version *v)
{
    const struct zone_names *was = foreign_of(before), *now = foreign_of(v);
    for (size_t at = 0; at < was->len; at += name_len(was->bytes + at))
        assert_int_equal(!listed(now, was->bytes + at), listed(&v->lost_foreign, was->bytes + at) != NULL);
    for (size_t at = 0; at < now->len; at += name_len(now->bytes + at))
        assert_int_equal(!listed(was, now->bytes + at), listed(&v->fresh_foreign, now->bytes + at) != NULL);
    assert_int_equal(count_names(was) + count_names(&v->fresh_foreign),
                     count_names(now) + count_names(&v->lost_foreign));
}

static void expect_same_foreign(const struct zone_foreign *a, const struct zone_foreign *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (!a)
        return;
    assert_int_equal(a->cnt, b->cnt);
    assert_int_equal(a->names.len, b->names.len);
    assert_memory_equal(a->names.bytes, b->names.bytes, a->names.len);
    assert_memory_equal(a->uses, b->uses, a->cnt * sizeof(*a->uses));
}

struct losses {
    const struct zone_version *v;
    size_t lost, kept;
};

static void count_lost(void *arg, const struct zone_node *old)
{
    struct losses *l = arg;
    if (!(old->flags & NODE_POOL))
        return;
    if (zone_version_find(l->v, zone_node_name(old)) == old) {
        l->kept++;
        return;
    }
    l->lost++;
    for (size_t i = 0; i < l->v->lost_pool_cnt; i++)
        if (l->v->lost_pools[i] == old->pool)
            return;
    fail_msg("a lost pool is not told");
}

static void expect_losses(const struct zone_version *before, const struct zone_version *v)
{
    struct losses l = {.v = v};
    trie_each(before->root, count_lost, &l);
    assert_int_equal(v->lost_pool_cnt, l.lost);
    assert_int_equal(v->pool_cnt, l.kept + v->fresh_pool_cnt);
}

/* What a signed zone has at its apex. */
static void add_chain(struct zone_records *records, enum chain chain)
{
    static const char *const lines[CHAINS][3] = {
        [CHAIN_NSEC] = {"@ 60 NSEC a"},
        [CHAIN_SALT_1] = {"@ 60 NSEC3PARAM 0 1"},
        [CHAIN_SALT_2] = {"@ 60 NSEC3PARAM 0 2"},
        [CHAIN_BOTH_SALTS] = {"@ 60 NSEC3PARAM 0 2", "@ 60 NSEC3PARAM 0 1"},
        [CHAIN_TOO_LONG] = {"@ 60 NSEC3PARAM 501 1"},
        [CHAIN_NOT_THERE] = {"@ 60 NSEC3PARAM 0 3", "@ 60 NSEC a"},
    };
    if (chain == CHAIN_NONE)
        return;
    add_line(records, "@ 60 DNSKEY key", 1);
    add_line(records, "@ 60 RRSIG SOA 1", 1);
    for (unsigned i = 0; lines[chain][i]; i++)
        add_line(records, lines[chain][i], 1);
}

/* The record that the chain has for the apex is always there. */
static bool is_forced(enum chain chain, unsigned owner, unsigned data)
{
    unsigned salts = chain == CHAIN_BOTH_SALTS ? 3 : chain == CHAIN_SALT_1 ? 1 : chain == CHAIN_SALT_2 ? 2 : 0;
    return (salts & 1 && owner == HASH_OWNERS && data == DATAS - 2) ||
           (salts & 2 && owner == HASH_OWNERS + 1 && data == DATAS - 1);
}

static struct zone_records *state_records(const struct state *s)
{
    char line[200];
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    snprintf(line, sizeof(line), "@ 3600 SOA %u 60", s->serial);
    add_line(records, line, 1);
    add_chain(records, s->chain);
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned d = 0; d < DATAS; d++)
            if (is_forced(s->chain, o, d) || (s->there[o][d] && !(o == 0 && d == NSEC_DATA))) { /* add_chain's */
                snprintf(line, sizeof(line), "%s %u %s", owners[o], s->ttl[o][first_of_type(d)],
                         datas[d][s->spelling[o][d]]);
                add_line(records, line, 1);
            }
    zone_records_sort(records);
    return records;
}

static void state_change(struct state *s, struct random_state *rng, unsigned changes)
{
    if (random_below(rng, 8))
        s->serial++;
    if (!random_below(rng, 4))
        s->chain = (enum chain)random_below(rng, CHAINS);
    for (unsigned i = 0; i < changes; i++) {
        unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS);
        unsigned what = random_below(rng, 10);
        if (what < 5)
            s->there[o][d] ^= 1;
        else if (what < 6)
            memset(s->there[o], 0, DATAS);
        else if (what < 8)
            s->ttl[o][first_of_type(d)] = 1 + random_below(rng, 5);
        else
            s->spelling[o][d] ^= 1;
    }
}

static void expect_same_shape(uint64_t a, uint64_t b, int shift)
{
    assert_int_equal(trie_is_node(a), trie_is_node(b));
    if (trie_is_node(a) || !a)
        return;
    assert_int_equal(trie_branch(a)->bitmap, trie_branch(b)->bitmap);
    for (int i = 0; shift >= 4 && i < __builtin_popcountll(trie_branch(a)->bitmap); i++)
        expect_same_shape(trie_branch(a)->refs[i], trie_branch(b)->refs[i], shift - TRIE_BITS);
}

static void expect_same_node(void *arg, const struct zone_node *want)
{
    const struct zone_version *v = arg;
    const struct zone_node *n = zone_version_find(v, zone_node_name(want));
    assert_non_null(n);
    assert_int_equal(n->flags, want->flags);
    assert_int_equal(n->child_cnt, want->child_cnt);
    assert_int_equal(n->size, want->size);
    assert_memory_equal(n, want, want->size);
}

struct listing {
    const struct zone_version *v;
    const struct zone_node *nodes[OWNERS];
    size_t cnt;
};

static void list_node(void *arg, const struct zone_node *node)
{
    struct listing *l = arg;
    uint8_t salt = l->v->nsec3 ? l->v->nsec3_params->salt[0] : 0, hash[NSEC3_HASH_LEN];
    const struct zone_rrset *nsec3 = zone_node_rrset(node, RR_NSEC3);
    bool is_listed = l->v->nsec && zone_node_rrset(node, RR_NSEC);
    for (unsigned i = 0; salt && nsec3 && i < nsec3->rr_cnt; i++) /* 12 bytes before each 27 of rdata */
        is_listed |= node->depth == 3 && nsec3_label_read(hash, zone_node_name(node)) &&
                     zone_node_image(node, nsec3)[39 * i + 12 + 5] == salt;
    if (is_listed)
        l->nodes[l->cnt++] = node;
}

static int cmp_names(const void *a, const void *b)
{
    return name_cmp(zone_node_name(*(const struct zone_node *const *)a),
                    zone_node_name(*(const struct zone_node *const *)b));
}

static void expect_next(void *arg, const struct zone_node *node)
{
    struct listing *l = arg;
    assert_ptr_equal(l->nodes[l->cnt++], node);
}

/* The version is signed as its state says, has its nodes in order, and no pools then. */
static void expect_signed(const struct zone_version *v, enum chain chain)
{
    static const uint8_t salts[CHAINS] = {[CHAIN_SALT_1] = 1, [CHAIN_SALT_2] = 2, [CHAIN_BOTH_SALTS] = 1};
    const struct zone_order *order = v->nsec ? v->nsec : v->nsec3;
    struct listing l = {.v = v};
    bool has_nsec = chain != CHAIN_NONE && !salts[chain] && zone_node_rrset(v->apex, RR_NSEC);
    assert_int_equal(v->is_signed, chain != CHAIN_NONE);
    assert_string_equal(zone_signed_kind(v), chain == CHAIN_NONE ? "no" : has_nsec ? "nsec" : "nsec3");
    assert_int_equal(v->nsec != NULL, has_nsec);
    assert_int_equal(v->nsec3 != NULL, salts[chain] != 0);
    assert_int_equal(v->nsec3_params ? v->nsec3_params->salt[0] : 0, salts[chain]);
    assert_true(!v->is_signed || !v->pool_cnt);
    trie_each(v->root, list_node, &l);
    assert_int_equal(l.cnt, order ? zone_order_cnt(order) : 0);
    qsort(l.nodes, l.cnt, sizeof(l.nodes[0]), cmp_names);
    l.cnt = 0;
    if (order)
        zone_order_each(order, expect_next, &l);
}

/* `v` is in every byte what its records would build anew. Returns the bytes that they take. */
static size_t expect_built(const struct zone_version *v, const struct state *s)
{
    struct zone_records *records = state_records(s);
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_marks marks;
    struct zone_version *want = zone_build(zone, records, marks_of(&marks, s, false));
    static uint32_t none[NAME_MAX_LABELS + 1][2];
    size_t used = chunk_used_bytes(zone->pool), rr_cnt = 0;
    give_handles(want);
    assert_int_equal(v->pool_cnt, want->pool_cnt);
    expect_same_foreign(v->foreign, want->foreign);
    trie_each(want->root, expect_same_node, (void *)v);
    expect_same_shape(v->root, want->root, 58);
    expect_signed(v, s->chain);
    assert_int_equal(v->node_cnt, want->node_cnt);
    assert_int_equal(v->rr_cnt, want->rr_cnt);
    assert_int_equal(v->serial, want->serial);
    assert_memory_equal(v->cut_depths, want->cut_depths, sizeof(v->cut_depths));
    assert_memory_equal(v->dname_depths, want->dname_depths, sizeof(v->dname_depths));
    assert_memory_equal(v->depth_cnt ? v->depth_cnt : none, want->depth_cnt ? want->depth_cnt : none, sizeof(none));
    assert_ptr_equal(v->apex, node_of(v, "@"));
    zone_version_each(v, count_record, &rr_cnt);
    assert_int_equal(rr_cnt, records->cnt);
    assert_null(zone_publish(zone, want));
    zone_records_free(records);
    zone_free(zone);
    return used;
}

static struct zone_version *step(struct zone *zone, const struct state *from, const struct state *to,
                                 bool discard_first, bool pack)
{
    struct zone_records *records = state_records(to);
    struct changeset *c = changeset_diff(zone->current, records);
    struct zone_version *v = NULL;
    struct zone_marks marks;
    const struct zone_marks *given = marks_of(&marks, to, to->plan != from->plan);
    size_t used = chunk_used_bytes(zone->pool);
    if (discard_first) {
        assert_int_equal(zone_apply(&v, zone->current, c, given), ERR_OK);
        if (to->serial & 1)
            zone_pack(v);
        zone_discard(v);
        assert_int_equal(chunk_used_bytes(zone->pool), used);
        assert_null(zone->current->newer);
    }
    bool same = !c->removed->cnt && !c->added->cnt;
    v = same ? zone_remark(zone->current, given) : NULL;
    assert_true(v || !zone->current->newer);
    if (!v)
        assert_int_equal(zone_apply(&v, zone->current, c, given), ERR_OK);
    expect_losses(zone->current, v);
    expect_foreign_told(zone->current, v);
    if (pack)
        zone_pack(v);
    give_handles(v);
    changeset_free(c);
    c = changeset_diff(v, records);
    assert_int_equal(c->removed->cnt + c->added->cnt, 0);
    changeset_free(c);
    zone_records_free(records);
    return v;
}

static void random_chain(struct random_state *rng)
{
    static struct state states[STEPS];
    struct zone_version *versions[STEPS];
    bool held[STEPS] = {false};
    memset(&states[0], 0, sizeof(states[0]));
    state_change(&states[0], rng, random_below(rng, 200));
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = state_records(&states[0]);
    struct zone_marks marks;
    states[0].plan = random_below(rng, PLANS);
    versions[0] = zone_build(zone, records, marks_of(&marks, &states[0], false));
    if (random_below(rng, 4) == 0)
        zone_pack(versions[0]);
    give_handles(versions[0]);
    zone_records_free(records);
    assert_null(zone_publish(zone, versions[0]));
    for (unsigned i = 1; i < STEPS; i++) {
        states[i] = states[i - 1];
        unsigned what = random_below(rng, 4);
        if (what)
            state_change(&states[i], rng, 1 + random_below(rng, random_below(rng, 3) ? 4 : 150));
        if (what < 2)
            states[i].plan = random_below(rng, PLANS);
        versions[i] = step(zone, &states[i - 1], &states[i], random_below(rng, 4) == 0, random_below(rng, 3) == 0);
        held[i - 1] = random_below(rng, 2);
        if (held[i - 1])
            zone_version_get(versions[i - 1]);
        struct zone_version *before = zone_publish(zone, versions[i]);
        assert_ptr_equal(before, versions[i - 1]);
        zone_version_put(before);
        for (unsigned j = 0; j < i; j++)
            if (held[j] && random_below(rng, 4) == 0) {
                expect_built(versions[j], &states[j]);
                zone_version_put(versions[j]);
                held[j] = false;
            }
    }
    for (unsigned i = 0; i < STEPS - 1; i++)
        if (held[i]) {
            expect_built(versions[i], &states[i]);
            zone_version_put(versions[i]);
        }
    /* Alone now: exactly the bytes of a zone that was built. */
    assert_ptr_equal(zone->oldest, versions[STEPS - 1]);
    assert_int_equal(chunk_used_bytes(zone->pool), expect_built(zone->current, &states[STEPS - 1]));
    rcu_publish(zone->current, NULL);
    zone->latest = NULL;
    zone_version_put(versions[STEPS - 1]);
    assert_null(zone->oldest);
    assert_int_equal(chunk_used_bytes(zone->pool), 0);
    zone_free(zone);
}

static void test_the_tests_meet_collisions(void **state)
{
    (void)state;
    uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    put_wire(a, "a.collide-1");
    put_wire(b, "a.collide-2");
    assert_int_equal(name_hash(a, &test_key), name_hash(b, &test_key));
}

static void test_apply_makes_what_build_makes(void **state)
{
    (void)state;
    struct random_state rng = {{2026, 1}};
    for (unsigned round = 0; round < 150; round++)
        random_chain(&rng);
}

/* A changeset for another zone's content: refused without a trace, or applied to something that is whole. */
static void test_changes_that_belong_elsewhere(void **state)
{
    (void)state;
    struct random_state rng = {{77, 1}};
    unsigned refused = 0;
    for (unsigned round = 0; round < 300; round++) {
        static struct state a, b;
        memset(&a, 0, sizeof(a));
        state_change(&a, &rng, 100);
        b = a;
        state_change(&b, &rng, random_below(&rng, 60));
        b.serial = a.serial;
        struct zone_records *a_records = state_records(&a), *b_records = state_records(&b);
        struct zone *zone_a = zone_new(test_apex, &test_key), *zone_b = zone_new(test_apex, &test_key);
        assert_null(zone_publish(zone_a, zone_build(zone_a, a_records, NULL)));
        assert_null(zone_publish(zone_b, zone_build(zone_b, b_records, NULL)));
        state_change(&a, &rng, 6);
        struct zone_records *next = state_records(&a);
        struct changeset *c = changeset_diff(zone_a->current, next);
        struct zone_version *v = NULL;
        size_t used = chunk_used_bytes(zone_b->pool);
        if (zone_apply(&v, zone_b->current, c, NULL)) {
            refused++;
            assert_null(v);
        } else {
            zone_discard(v);
        }
        assert_int_equal(chunk_used_bytes(zone_b->pool), used);
        assert_null(zone_b->current->newer);
        changeset_free(c);
        zone_records_free(next);
        zone_records_free(a_records);
        zone_records_free(b_records);
        zone_free(zone_a);
        zone_free(zone_b);
    }
    assert_true(refused > 10 && refused < 290);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tests_meet_collisions),
        cmocka_unit_test(test_apply_makes_what_build_makes),
        cmocka_unit_test(test_changes_that_belong_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
