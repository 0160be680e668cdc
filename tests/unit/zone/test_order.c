/* Lists in canonical order, against a sorted array that changes likewise. */
#include "zone_help.h"

#include "base/mem.h"
#include "base/random.h"
#include "zone/node_make.h"
#include "zone/order.h"

/* ---- nodes and the model */

static struct chunk_pool *node_pool;

static const struct zone_node *node_new(const uint8_t *name)
{
    struct node_maker maker = {.apex = test_apex};
    struct node_spec spec = {.name = name};
    const struct zone_node *made = node_make(&maker, &spec);
    struct zone_node *node = chunk_alloc(node_pool, made->size);
    memcpy(node, made, made->size);
    node_maker_fini(&maker);
    return node;
}

static const struct zone_node *node_of_text(const char *text)
{
    uint8_t name[NAME_MAX_LEN];
    put_wire(name, text);
    return node_new(name);
}

/* Bytes that sort oddly as signed ones or beside the end of a label, and few, so that names share their beginnings. */
static unsigned random_name(uint8_t out[NAME_MAX_LEN], struct random_state *rng)
{
    static const uint8_t bytes[] = {0, 1, 2, '*', '-', 'a', 'a', 'a', 'z', 0x7f, 0x80, 0xff};
    unsigned len = 0;
    for (unsigned labels = random_below(rng, 4); labels > 0; labels--) {
        unsigned label_len = random_below(rng, 8) ? 1 + random_below(rng, 4) : 1 + random_below(rng, 12);
        out[len++] = (uint8_t)label_len;
        while (label_len--)
            out[len++] = bytes[random_below(rng, sizeof(bytes))];
    }
    memcpy(out + len, test_apex, sizeof(test_apex));
    return len + (unsigned)sizeof(test_apex);
}

struct model {
    const struct zone_node **nodes; /* sorted */
    size_t cnt;
};

static size_t model_count_to(const struct model *m, const uint8_t *name)
{
    size_t low = 0;
    for (size_t high = m->cnt; low < high;) {
        size_t middle = (low + high) / 2;
        if (name_cmp(zone_node_name(m->nodes[middle]), name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NULL: the name is not there. */
static const struct zone_node *model_has(const struct model *m, const uint8_t *name)
{
    size_t at = model_count_to(m, name);
    return at && name_equal(zone_node_name(m->nodes[at - 1]), name) ? m->nodes[at - 1] : NULL;
}

static void model_change(struct model *m, const struct zone_order_change *c)
{
    size_t at = model_count_to(m, zone_node_name(c->old ? c->old : c->node));
    if (c->old && c->node) {
        assert_ptr_equal(m->nodes[at - 1], c->old);
        m->nodes[at - 1] = c->node;
        return;
    }
    m->nodes = mem_realloc(m->nodes, m->cnt + 1, sizeof(*m->nodes));
    if (c->node) {
        memmove(m->nodes + at + 1, m->nodes + at, (m->cnt - at) * sizeof(*m->nodes));
        m->nodes[at] = c->node;
        m->cnt++;
    } else {
        memmove(m->nodes + at - 1, m->nodes + at, (m->cnt - at) * sizeof(*m->nodes));
        m->cnt--;
    }
}

struct comparing {
    const struct model *model;
    size_t cnt;
};

static void compare_node(void *arg, const struct zone_node *node)
{
    struct comparing *c = arg;
    assert_true(c->cnt < c->model->cnt);
    assert_ptr_equal(c->model->nodes[c->cnt], node);
    c->cnt++;
}

static void expect_found(const struct zone_order *order, const struct model *m, const uint8_t *name)
{
    bool exact;
    size_t at = model_count_to(m, name);
    const struct zone_node *found = zone_order_find(order, name, &exact);
    assert_ptr_equal(found, m->nodes[at ? at - 1 : m->cnt - 1]);
    assert_int_equal(exact, model_has(m, name) != NULL);
}

static void expect_same(const struct zone_order *order, const struct model *m, struct random_state *rng)
{
    struct comparing c = {m, 0};
    assert_int_equal(order != NULL, m->cnt != 0);
    if (!order)
        return;
    assert_int_equal(zone_order_cnt(order), m->cnt);
    zone_order_each(order, compare_node, &c);
    assert_int_equal(c.cnt, m->cnt);
    for (unsigned i = 0; i < 50; i++) {
        uint8_t name[NAME_MAX_LEN];
        random_name(name, rng);
        expect_found(order, m, name);
        expect_found(order, m, zone_node_name(m->nodes[random_below(rng, (uint32_t)m->cnt)]));
    }
}

/* ---- versions of a list */

enum { CHAIN_MOST = 6 };

struct version {
    const struct zone_order *order;
    struct trie_garbage replaced; /* of the version before it */
    struct model model;
};

struct chain {
    struct chunk_pool *pool;
    struct version versions[CHAIN_MOST]; /* from old to new */
    size_t cnt;
    struct random_state *rng;
};

static struct model model_dup(const struct model *m)
{
    return (struct model){mem_dup(m->nodes, m->cnt * sizeof(*m->nodes)), m->cnt};
}

/* A change of a name that is not among the `cnt` so far; false: it was. */
static bool random_change(struct zone_order_change *changes, size_t cnt, const struct model *m, unsigned come_of_10,
                          struct random_state *rng)
{
    uint8_t name[NAME_MAX_LEN];
    random_name(name, rng);
    if (random_below(rng, 10) >= come_of_10 && m->cnt)
        name_to_lower(name, zone_node_name(m->nodes[random_below(rng, (uint32_t)m->cnt)]));
    for (size_t i = 0; i < cnt; i++)
        if (name_equal(zone_node_name(changes[i].old ? changes[i].old : changes[i].node), name))
            return false;
    const struct zone_node *old = model_has(m, name);
    changes[cnt] = (struct zone_order_change){old, old && random_below(rng, 3) ? NULL : node_new(name)};
    return true;
}

static void push_version(struct chain *c, unsigned change_cnt, unsigned come_of_10)
{
    struct version *before = &c->versions[c->cnt - 1], *v = &c->versions[c->cnt++];
    struct zone_order_change *changes = mem_zalloc(change_cnt, sizeof(*changes));
    size_t cnt = 0;
    *v = (struct version){.model = model_dup(&before->model)};
    for (unsigned i = 0; i < change_cnt; i++)
        cnt += random_change(changes, cnt, &before->model, come_of_10, c->rng);
    for (size_t i = 0; i < cnt; i++)
        model_change(&v->model, &changes[i]);
    if (before->order)
        v->order = zone_order_edit(before->order, changes, cnt, c->pool, &v->replaced);
    else
        v->order = zone_order_build(c->pool, 2, v->model.nodes, v->model.cnt);
    free(changes);
}

static void pop_newest(struct chain *c)
{
    struct version *v = &c->versions[--c->cnt];
    zone_order_discard(v->order, c->cnt ? c->versions[c->cnt - 1].order : NULL, c->pool);
    free(v->replaced.items);
    free(v->model.nodes);
}

static void pop_oldest(struct chain *c)
{
    trie_garbage_free(&c->versions[1].replaced, c->pool);
    free(c->versions[0].model.nodes);
    memmove(c->versions, c->versions + 1, --c->cnt * sizeof(c->versions[0]));
}

static const struct zone_node *same_node(void *arg, const struct zone_node *node)
{
    ++*(size_t *)arg;
    return node;
}

static void expect_copy(const struct version *v, struct random_state *rng)
{
    struct chunk_pool *pool = chunk_pool_new();
    size_t asked = 0;
    const struct zone_order *copy = zone_order_copy(v->order, pool, same_node, &asked);
    assert_int_equal(asked, v->model.cnt);
    expect_same(copy, &v->model, rng);
    zone_order_discard(copy, NULL, pool);
    assert_int_equal(chunk_used_bytes(pool), 0);
    chunk_pool_free(pool);
}

static void random_step(struct chain *c, unsigned come_of_10)
{
    unsigned what = random_below(c->rng, 10);
    if (what < 2 && c->cnt > 1) {
        size_t used = chunk_used_bytes(c->pool);
        pop_newest(c);
        assert_true(chunk_used_bytes(c->pool) <= used);
    } else if (c->cnt == CHAIN_MOST || (what < 4 && c->cnt > 1)) {
        pop_oldest(c);
    } else {
        push_version(c, random_below(c->rng, random_below(c->rng, 3) ? 4 : 400), come_of_10);
    }
    for (size_t i = 0; i < c->cnt; i++)
        expect_same(c->versions[i].order, &c->versions[i].model, c->rng);
    if (what == 9)
        expect_copy(&c->versions[c->cnt - 1], c->rng);
}

/* Lists grow, then shrink to nothing. */
static void test_versions_are_what_an_array_is(void **state)
{
    (void)state;
    struct random_state rng = {{5, 155}};
    struct chain c = {.pool = chunk_pool_new(), .cnt = 1, .rng = &rng};
    size_t most = 0, empty = 0;
    c.versions[0] = (struct version){0};
    for (unsigned round = 0; round < 480; round++) {
        random_step(&c, round / 60 % 2 ? 0 : 9);
        most = c.versions[c.cnt - 1].model.cnt > most ? c.versions[c.cnt - 1].model.cnt : most;
        empty += !c.versions[c.cnt - 1].model.cnt;
    }
    assert_true(most > 1000 && empty);
    while (c.cnt > 1)
        random_below(&rng, 2) ? pop_oldest(&c) : pop_newest(&c);
    pop_newest(&c);
    assert_int_equal(chunk_used_bytes(c.pool), 0);
    chunk_pool_free(c.pool);
}

static void test_none_and_one(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    struct trie_garbage garbage = {0};
    size_t asked = 0;
    bool exact;
    assert_null(zone_order_build(pool, 2, NULL, 0));
    assert_null(zone_order_copy(NULL, pool, same_node, &asked));
    zone_order_retire(NULL, &garbage);
    zone_order_discard(NULL, NULL, pool);
    const struct zone_node *b = node_of_text("b"), *other = node_of_text("b");
    const struct zone_order *order = zone_order_build(pool, 2, &b, 1);
    static const char *const names[] = {"@", "a", "b", "a.b", "c"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_ptr_equal(zone_order_find(order, zone_node_name(node_of_text(names[i])), &exact), b);
        assert_int_equal(exact, !strcmp(names[i], "b"));
    }
    assert_ptr_equal(zone_order_edit(order, NULL, 0, pool, &garbage), order);
    struct zone_order_change replace = {b, other}, take = {other, NULL};
    const struct zone_order *second = zone_order_edit(order, &replace, 1, pool, &garbage);
    assert_ptr_equal(zone_order_find(second, zone_node_name(b), &exact), other);
    assert_ptr_equal(zone_order_find(order, zone_node_name(b), &exact), b);
    assert_null(zone_order_edit(second, &take, 1, pool, &garbage));
    trie_garbage_free(&garbage, pool);
    assert_int_equal(chunk_used_bytes(pool), 0);
    chunk_pool_free(pool);
}

/* RFC 4034 6.1's example, and names that only their bytes 0, 1 and 2 tell apart. */
static void test_canonical_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "@", "\\000", "\\000.\\000", "\\000\\000", "\\000\\001", "\\001", "\\000.\\001", "\\001\\000", "\\002",
        "a", "yljkjljk.a", "z.a", "zABC.a", "z", "\\001.z", "*.z", "\\200.z",
    };
    enum { CNT = sizeof(sorted) / sizeof(sorted[0]) };
    const struct zone_node *nodes[CNT];
    struct chunk_pool *pool = chunk_pool_new();
    for (unsigned i = 0; i < CNT; i++) {
        uint8_t name[NAME_MAX_LEN], lower[NAME_MAX_LEN];
        put_wire(name, sorted[(i * 5) % CNT]);
        name_to_lower(lower, name);
        nodes[(i * 5) % CNT] = node_new(lower);
    }
    const struct zone_node *mixed[CNT];
    for (unsigned i = 0; i < CNT; i++)
        mixed[i] = nodes[(i * 5) % CNT];
    const struct zone_order *order = zone_order_build(pool, 2, mixed, CNT);
    struct model m = {nodes, CNT};
    struct comparing c = {&m, 0};
    zone_order_each(order, compare_node, &c);
    assert_int_equal(c.cnt, CNT);
    chunk_pool_free(pool);
}

/* Takes all but each 50th name out, one change each, and frees what that replaced. */
static const struct zone_order *take_most(const struct zone_order *order, struct model *m, struct chunk_pool *pool)
{
    struct zone_order_change *changes = mem_zalloc(m->cnt, sizeof(*changes));
    struct trie_garbage garbage = {0};
    size_t cnt = 0, kept = 0;
    for (size_t i = 0; i < m->cnt; i++) {
        if (i % 50)
            changes[cnt++].old = m->nodes[i];
        else
            m->nodes[kept++] = m->nodes[i];
    }
    m->cnt = kept;
    order = zone_order_edit(order, changes, cnt, pool, &garbage);
    trie_garbage_free(&garbage, pool);
    free(changes);
    return order;
}

/* A hundred thousand names; one change copies one leaf and the array of leaves, many leave no small leaves behind. */
static void test_many_names(void **state)
{
    (void)state;
    enum { CNT = 100000 };
    struct random_state rng = {{1, 2}};
    struct model m = {mem_zalloc(CNT, sizeof(*m.nodes)), CNT};
    struct chunk_pool *pool = chunk_pool_new();
    struct trie_garbage garbage = {0};
    for (unsigned i = 0; i < CNT; i++) {
        char text[64];
        snprintf(text, sizeof(text), i % 3 ? "name-%06u" : "www.name-%06u", i);
        m.nodes[i] = node_of_text(text);
    }
    const struct zone_node **mixed = mem_dup(m.nodes, CNT * sizeof(*mixed));
    for (unsigned i = CNT - 1; i > 0; i--) {
        unsigned with = random_below(&rng, i + 1);
        const struct zone_node *kept = mixed[i];
        mixed[i] = mixed[with];
        mixed[with] = kept;
    }
    const struct zone_order *order = zone_order_build(pool, 2, mixed, CNT);
    expect_same(order, &m, &rng);
    for (unsigned i = 0; i < CNT; i++)
        expect_found(order, &m, zone_node_name(m.nodes[i]));
    size_t used = chunk_used_bytes(pool);
    struct zone_order_change change = {m.nodes[777], node_new(zone_node_name(m.nodes[777]))};
    const struct zone_order *next = zone_order_edit(order, &change, 1, pool, &garbage);
    m.nodes[777] = change.node;
    expect_same(next, &m, &rng);
    assert_int_equal(garbage.cnt, 2);
    assert_true(chunk_used_bytes(pool) - used < 30000);
    trie_garbage_free(&garbage, pool);
    assert_int_equal(chunk_used_bytes(pool), used);
    order = take_most(next, &m, pool);
    expect_same(order, &m, &rng);
    /* 16 bytes a name, and leaves of 32 names at least, which take 8 + 24 bytes more */
    assert_true(chunk_used_bytes(pool) <= m.cnt * 16 + (m.cnt / 32 + 1) * 32 + 16);
    zone_order_discard(order, NULL, pool);
    assert_int_equal(chunk_used_bytes(pool), 0);
    chunk_pool_free(pool);
    free(mixed);
    free(m.nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_are_what_an_array_is),
        cmocka_unit_test(test_none_and_one),
        cmocka_unit_test(test_canonical_order),
        cmocka_unit_test(test_many_names),
    };
    node_pool = chunk_pool_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    chunk_pool_free(node_pool);
    return failed;
}
