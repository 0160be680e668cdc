#include "zone_help.h"

#include "base/mem.h"
#include "base/random.h"
#include "zone/trie.h"

/* Nodes whose name carries the hash that they are put with, so that a test can force any: "<8 bytes hash><number>.". */
enum { LABEL = 12, NAME_LEN = LABEL + 2 };

static void make_name(uint8_t name[NAME_LEN], uint64_t hash, uint32_t number)
{
    name[0] = LABEL;
    memcpy(name + 1, &hash, 8);
    memcpy(name + 9, &number, 4);
    name[LABEL + 1] = 0;
}

static struct zone_node *make_node(struct chunk_pool *pool, uint64_t hash, uint32_t number, uint32_t mark)
{
    struct zone_node *n = chunk_alloc(pool, sizeof(*n) + NAME_LEN);
    *n = (struct zone_node){.size = sizeof(*n) + NAME_LEN, .name_len = NAME_LEN, .depth = 1, .pool = mark};
    make_name((uint8_t *)n->rrsets, hash, number);
    return n;
}

static uint64_t hash_of(const void *arg, const struct zone_node *node)
{
    uint64_t hash;
    (void)arg;
    memcpy(&hash, zone_node_name(node) + 1, 8);
    return hash;
}

static const struct zone_node *find(uint64_t root, uint64_t hash, uint32_t number)
{
    uint8_t name[NAME_LEN];
    make_name(name, hash, number);
    const struct zone_node *n = trie_find(root, hash, name, NAME_LEN);
    struct trie_walk w = trie_walk_start(root, hash);
    while (trie_walk_more(&w))
        trie_walk_step(&w);
    assert_ptr_equal(trie_walk_end(&w, name, NAME_LEN), n);
    return n;
}

static struct trie_edit edit_of(uint64_t root, struct chunk_pool *pool, struct trie_garbage *garbage)
{
    return (struct trie_edit){.root = root, .pool = pool, .garbage = garbage, .hash_fn = hash_of};
}

static void put(struct trie_edit *e, uint64_t hash, uint32_t number, uint32_t mark)
{
    trie_edit_put(e, hash, make_node(e->pool, hash, number, mark));
}

static void take(struct trie_edit *e, uint64_t hash, uint32_t number)
{
    uint8_t name[NAME_LEN];
    make_name(name, hash, number);
    trie_edit_remove(e, hash, name, NAME_LEN);
}

static void count(void *arg, const struct zone_node *node)
{
    (void)node;
    ++*(size_t *)arg;
}

static size_t cnt_of(uint64_t root)
{
    size_t cnt = 0;
    trie_each(root, count, &cnt);
    return cnt;
}

static void test_an_empty_trie_has_nothing(void **state)
{
    (void)state;
    assert_null(find(0, 0, 0));
    assert_null(find(0, ~UINT64_C(0), 7));
    assert_int_equal(cnt_of(0), 0);
    struct chunk_pool *pool = chunk_pool_new();
    assert_int_equal(trie_build(pool, NULL, NULL, 0), 0);
    chunk_pool_free(pool);
}

/* Hashes that agree to the very last level, to the list, and wholly. */
static void test_names_with_one_hash(void **state)
{
    (void)state;
    const uint64_t hash = 0xabcdef0123456789;
    struct chunk_pool *pool = chunk_pool_new();
    struct trie_garbage garbage = {0};
    struct trie_edit e = edit_of(0, pool, &garbage);
    for (uint32_t i = 0; i < TRIE_LIST_MAX - 2; i++)
        put(&e, hash, i, i);
    put(&e, hash ^ 1, 1000, 0);  /* in the list with them, by another hash */
    put(&e, hash ^ 8, 1000, 0);
    put(&e, hash ^ 16, 1000, 0); /* beside the list */
    uint64_t root = trie_edit_root(&e);
    for (uint32_t i = 0; i < TRIE_LIST_MAX - 2; i++)
        assert_int_equal(find(root, hash, i)->pool, i);
    assert_null(find(root, hash, TRIE_LIST_MAX));
    assert_null(find(root, hash ^ 2, 0));
    assert_null(find(root, hash ^ 32, 1000));
    assert_non_null(find(root, hash ^ 1, 1000));
    assert_non_null(find(root, hash ^ 8, 1000));
    assert_non_null(find(root, hash ^ 16, 1000));
    assert_int_equal(cnt_of(root), TRIE_LIST_MAX + 1);

    struct trie_edit e2 = edit_of(root, pool, &garbage);
    for (uint32_t i = 1; i < TRIE_LIST_MAX - 2; i++)
        take(&e2, hash, i);
    take(&e2, hash, 12345); /* was never there */
    take(&e2, hash ^ 1, 1000);
    take(&e2, hash ^ 8, 1000);
    uint64_t root2 = trie_edit_root(&e2);
    assert_int_equal(cnt_of(root2), 2);
    assert_non_null(find(root2, hash, 0));
    assert_int_equal(cnt_of(root), TRIE_LIST_MAX + 1);
    trie_garbage_free(&garbage, pool);
    assert_int_equal(cnt_of(root2), 2);
    struct trie_edit e3 = edit_of(root2, pool, &garbage);
    take(&e3, hash ^ 16, 1000);
    assert_true(trie_is_node(trie_edit_root(&e3))); /* the last one has folded all the way up */
    trie_discard(e3.root, 0, pool);
    trie_garbage_free(&garbage, pool);
    assert_int_equal(chunk_used_bytes(pool), 0);
    chunk_pool_free(pool);
}

/* Branches and nodes in the same places; order in lists is free. */
static void expect_same_shape(uint64_t a, uint64_t b, int shift)
{
    assert_int_equal(trie_is_node(a), trie_is_node(b));
    assert_int_equal(a & 6, 0);
    if (!a || trie_is_node(a)) {
        assert_int_equal(a >> 48, b >> 48);
        assert_true(!a == !b);
        return;
    }
    const struct trie_branch *x = trie_branch(a), *y = trie_branch(b);
    assert_int_equal(x->bitmap, y->bitmap);
    for (int i = 0; shift >= 4 && i < __builtin_popcountll(x->bitmap); i++)
        expect_same_shape(x->refs[i], y->refs[i], shift - TRIE_BITS);
}

enum { MODEL = 600 };
struct model {
    uint64_t hashes[MODEL];
    uint32_t marks[MODEL]; /* 0: not in the trie */
};

static void expect_model(uint64_t root, const struct model *m)
{
    size_t cnt = 0;
    for (uint32_t i = 0; i < MODEL; i++) {
        const struct zone_node *n = find(root, m->hashes[i], i);
        cnt += m->marks[i] != 0;
        assert_int_equal(n ? n->pool : 0, m->marks[i]);
    }
    assert_int_equal(cnt_of(root), cnt);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = hash_of(NULL, *(const struct zone_node *const *)a),
             y = hash_of(NULL, *(const struct zone_node *const *)b);
    return x < y ? -1 : x > y;
}

/* The trie that trie_build makes of the model's names. */
static uint64_t build_of(struct chunk_pool *pool, const struct model *m)
{
    const struct zone_node *nodes[MODEL];
    uint64_t hashes[MODEL];
    size_t cnt = 0;
    for (uint32_t i = 0; i < MODEL; i++)
        if (m->marks[i])
            nodes[cnt++] = make_node(pool, m->hashes[i], i, m->marks[i]);
    qsort(nodes, cnt, sizeof(nodes[0]), by_hash);
    for (size_t i = 0; i < cnt; i++)
        hashes[i] = hash_of(NULL, nodes[i]);
    return trie_build(pool, nodes, hashes, cnt);
}

/* Hashes close together, far apart and equal. */
static void choose_hashes(struct model *m, struct random_state *rng)
{
    static const unsigned shifts[] = {0, 0, 20, 40, 54, 58};
    uint64_t base = random_u64(rng);
    for (uint32_t i = 0; i < MODEL; i++) {
        uint64_t r = random_u64(rng) >> shifts[random_below(rng, 6)];
        m->hashes[i] = random_below(rng, 2) ? base ^ r : r;
        if (i > 40 && random_below(rng, 50) == 0)
            m->hashes[i] = m->hashes[random_below(rng, 40)];
    }
}

static void change_at_random(struct trie_edit *e, struct model *m, struct random_state *rng, uint32_t *mark)
{
    for (unsigned i = 0, n = 1 + random_below(rng, 200); i < n; i++) {
        uint32_t at = random_below(rng, MODEL);
        if (random_below(rng, 5) < 3) {
            m->marks[at] = ++*mark;
            put(e, m->hashes[at], at, *mark);
        } else {
            m->marks[at] = 0;
            take(e, m->hashes[at], at);
        }
    }
}

/* A chain of edits, each leaving the tries before it as they were; garbage goes
 * in order; in the end nothing is left. */
static void test_edits_leave_older_tries_alone(void **state)
{
    (void)state;
    enum { STEPS = 8 };
    struct random_state rng = {{11, 5}};
    for (unsigned round = 0; round < 60; round++) {
        struct chunk_pool *pool = chunk_pool_new(), *other = chunk_pool_new();
        struct trie_garbage garbage[STEPS + 1] = {0};
        static struct model models[STEPS + 1];
        uint64_t roots[STEPS + 1] = {0};
        uint32_t mark = 0;
        memset(models, 0, sizeof(models));
        choose_hashes(&models[0], &rng);
        for (unsigned s = 1; s <= STEPS; s++) {
            models[s] = models[s - 1];
            struct trie_edit e = edit_of(roots[s - 1], pool, &garbage[s]);
            change_at_random(&e, &models[s], &rng, &mark);
            roots[s] = trie_edit_root(&e);
            expect_same_shape(roots[s], build_of(other, &models[s]), 58);
        }
        for (unsigned s = 0; s <= STEPS; s++)
            expect_model(roots[s], &models[s]);
        for (unsigned s = 1; s < STEPS; s++) {
            trie_garbage_free(&garbage[s], pool);
            expect_model(roots[s], &models[s]);
        }
        /* The last edit is thrown away: the one before it is whole, and nothing else is left. */
        trie_discard(roots[STEPS], roots[STEPS - 1], pool);
        expect_model(roots[STEPS - 1], &models[STEPS - 1]);
        trie_discard(roots[STEPS - 1], 0, pool);
        assert_int_equal(chunk_used_bytes(pool), 0);
        free(garbage[STEPS].items);
        chunk_pool_free(pool);
        chunk_pool_free(other);
    }
}

/* A copy is the same trie and shares nothing. */
static void test_a_copy_stands_alone(void **state)
{
    (void)state;
    struct random_state rng = {{4, 4}};
    static struct model m;
    uint32_t mark = 0;
    for (unsigned round = 0; round < 20; round++) {
        struct chunk_pool *pool = chunk_pool_new(), *other = chunk_pool_new();
        choose_hashes(&m, &rng);
        for (uint32_t i = 0; i < MODEL; i++)
            m.marks[i] = random_below(&rng, 3) ? ++mark : 0;
        uint64_t root = build_of(pool, &m), copy = trie_copy(root, other);
        assert_int_equal(trie_copy(0, other), 0);
        size_t used = chunk_used_bytes(pool);
        expect_same_shape(copy, root, 58);
        chunk_pool_free(pool);
        expect_model(copy, &m);
        assert_int_equal(chunk_used_bytes(other), used);
        trie_discard(copy, 0, other);
        assert_int_equal(chunk_used_bytes(other), 0);
        chunk_pool_free(other);
    }
}

/* A trie that nobody else has is changed in place and makes no garbage. */
static void test_an_owned_trie_is_changed_in_place(void **state)
{
    (void)state;
    struct random_state rng = {{3, 9}};
    struct chunk_pool *pool = chunk_pool_new(), *other = chunk_pool_new();
    struct trie_garbage garbage = {0};
    static struct model m;
    uint32_t mark = 0;
    choose_hashes(&m, &rng);
    for (uint32_t i = 0; i < MODEL; i += 2)
        m.marks[i] = ++mark;
    for (unsigned round = 0; round < 20; round++) {
        uint64_t root = build_of(pool, &m);
        struct trie_edit e = edit_of(root, pool, &garbage);
        e.owns_all = true;
        change_at_random(&e, &m, &rng, &mark);
        root = trie_edit_root(&e);
        expect_model(root, &m);
        expect_same_shape(root, build_of(other, &m), 58);
        assert_int_equal(garbage.cnt, 0);
        trie_discard(root, 0, pool);
        assert_int_equal(chunk_used_bytes(pool), 0);
    }
    chunk_pool_free(pool);
    chunk_pool_free(other);
}

static void expect_ascending(void *arg, const struct zone_node *node)
{
    uint64_t *last = arg, hash = hash_of(NULL, node);
    assert_true(hash >= *last || (hash ^ *last) < 16);
    *last = hash;
}

static void test_each_goes_by_hash(void **state)
{
    (void)state;
    struct random_state rng = {{8, 1}};
    struct chunk_pool *pool = chunk_pool_new();
    static struct model m;
    uint64_t last = 0;
    choose_hashes(&m, &rng);
    memset(m.marks, 1, sizeof(m.marks));
    uint64_t root = build_of(pool, &m);
    trie_each(root, expect_ascending, &last);
    assert_int_equal(cnt_of(root), MODEL);
    chunk_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_trie_has_nothing),
        cmocka_unit_test(test_names_with_one_hash),
        cmocka_unit_test(test_edits_leave_older_tries_alone),
        cmocka_unit_test(test_a_copy_stands_alone),
        cmocka_unit_test(test_an_owned_trie_is_changed_in_place),
        cmocka_unit_test(test_each_goes_by_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
