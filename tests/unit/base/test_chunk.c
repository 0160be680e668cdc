#include "base/chunk.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned random_state = 1;
static unsigned random_next(void)
{
    random_state = random_state * 1103515245u + 12345u;
    return random_state >> 8;
}

struct object {
    unsigned char *p;
    size_t size;
    unsigned char mark;
};

static void object_make(struct chunk_pool *pool, struct object *object)
{
    size_t most = random_next() % 50 ? 200 : random_next() % 10 ? 5000 : 200000;
    object->size = 1 + random_next() % most;
    object->p = chunk_alloc(pool, object->size);
    object->mark = (unsigned char)random_next();
    assert_int_equal((uintptr_t)object->p % 8, 0);
    assert_int_equal((uintptr_t)object->p >> 48, 0);
    memset(object->p, object->mark, object->size);
}

static void object_free(struct chunk_pool *pool, struct object *object)
{
    for (size_t i = 0; i < object->size; i++)
        assert_int_equal(object->p[i], object->mark);
    chunk_free(pool, object->p, object->size);
    object->p = NULL;
}

static void objects_never_overlap(void **state)
{
    (void)state;
    enum { CNT = 2000, STEPS = 100000 };
    struct object *objects = calloc(CNT, sizeof *objects);
    struct chunk_pool *pool = chunk_pool_new();
    for (int i = 0; i < STEPS; i++) {
        struct object *object = &objects[random_next() % CNT];
        if (object->p)
            object_free(pool, object);
        else
            object_make(pool, object);
    }
    assert_true(chunk_used_bytes(pool) <= chunk_total_bytes(pool));
    for (int i = 0; i < CNT; i++)
        if (objects[i].p)
            object_free(pool, &objects[i]);
    assert_int_equal(chunk_used_bytes(pool), 0);
    chunk_pool_free(pool);
    free(objects);
}

static void a_freed_object_is_the_next_of_its_size(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    void *a = chunk_alloc(pool, 33);
    void *b = chunk_alloc(pool, 33);
    assert_ptr_not_equal(a, b);
    chunk_free(pool, a, 33);
    assert_ptr_equal(chunk_alloc(pool, 40), a); /* the same size in grains */
    assert_int_equal(chunk_used_bytes(pool), 80);
    chunk_pool_free(pool);
}

static void small_objects_have_no_overhead(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    for (int i = 0; i < 1000000; i++)
        memset(chunk_alloc(pool, 24), 1, 24);
    assert_int_equal(chunk_used_bytes(pool), 24000000);
    assert_true(chunk_total_bytes(pool) < 24000000 + 24000000 / 1000 + 2 * 1024 * 1024);
    chunk_pool_free(pool);
}

static void large_objects_go_back_at_once(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    *(uint64_t *)chunk_alloc(pool, 8) = 1;
    size_t before = chunk_total_bytes(pool);
    char *a = chunk_alloc(pool, 10000), *b = chunk_alloc(pool, 10000000), *c = chunk_alloc(pool, 4097);
    memset(a, 1, 10000);
    memset(b, 2, 10000000);
    memset(c, 3, 4097);
    assert_true(chunk_total_bytes(pool) > before + 10014097);
    chunk_free(pool, b, 10000000);
    chunk_free(pool, a, 10000);
    assert_int_equal(c[4096], 3);
    chunk_free(pool, c, 4097);
    assert_int_equal(chunk_total_bytes(pool), before);
    assert_int_equal(chunk_used_bytes(pool), 8);
    chunk_pool_free(pool);
    chunk_pool_free(NULL);
}

/* What a zone that changes all the time does: its memory stays what its largest state needs. */
static void churn_does_not_grow(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    size_t after_first = 0;
    void *objects[500];
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 500; i++)
            objects[i] = chunk_alloc(pool, 8 + (size_t)(i % 50) * 16);
        for (int i = 0; i < 500; i++)
            chunk_free(pool, objects[i], 8 + (size_t)(i % 50) * 16);
        if (!round)
            after_first = chunk_total_bytes(pool);
    }
    assert_int_equal(chunk_total_bytes(pool), after_first);
    chunk_pool_free(pool);
}

/* A small zone's pool is small itself: a server may have many thousands. */
static void a_pool_of_little_takes_little(void **state)
{
    (void)state;
    struct chunk_pool *pool = chunk_pool_new();
    size_t before = mallinfo2().uordblks;
    chunk_pool_free(pool);
    pool = chunk_pool_new();
    void *objects[8];
    for (size_t i = 0; i < 8; i++)
        objects[i] = chunk_alloc(pool, 100 + i * 10);
    for (size_t i = 0; i < 8; i++)
        chunk_free(pool, objects[i], 100 + i * 10);
    assert_true(malloc_usable_size(pool) <= 128);
    /* The address sanitizer's mallinfo2 knows nothing. */
    assert_true(mallinfo2().uordblks <= before + chunk_total_bytes(pool) + 512);
    chunk_pool_free(pool);
}

/* What chunk.h promises to whoever copies what lives into a new pool. */
static void a_pool_that_was_only_filled_is_tight(void **state)
{
    (void)state;
    static const size_t sizes[] = {8, 100, 1000, 2056, 4096, 5000, 70000};
    for (size_t s = 0; s <= sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct chunk_pool *pool = chunk_pool_new();
        while (chunk_used_bytes(pool) < 5000000) {
            size_t size = s < 7 ? sizes[s] : 1 + random_next() % (random_next() % 4 ? 200 : 4096);
            *(char *)chunk_alloc(pool, size) = 1;
            assert_true(chunk_total_bytes(pool) <= 2 * chunk_used_bytes(pool) + CHUNK_FRESH_BYTES);
        }
        chunk_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_never_overlap),
        cmocka_unit_test(a_freed_object_is_the_next_of_its_size),
        cmocka_unit_test(small_objects_have_no_overhead),
        cmocka_unit_test(large_objects_go_back_at_once),
        cmocka_unit_test(churn_does_not_grow),
        cmocka_unit_test(a_pool_of_little_takes_little),
        cmocka_unit_test(a_pool_that_was_only_filled_is_tight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
