#include "base/arena.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void objects_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { CNT = 5000 };
    static struct {
        unsigned char *p;
        size_t size;
    } objects[CNT];
    struct arena arena;
    arena_init(&arena);
    unsigned random = 1;
    for (size_t i = 0; i < CNT; i++) {
        random = random * 1103515245u + 12345u;
        size_t align = (size_t)1 << (random >> 28) % 5;
        objects[i].size = (random >> 12) % 300;
        objects[i].p = arena_alloc(&arena, objects[i].size, align);
        assert_int_equal((uintptr_t)objects[i].p % align, 0);
        memset(objects[i].p, (int)(i % 251), objects[i].size);
    }
    for (size_t i = 0; i < CNT; i++)
        for (size_t j = 0; j < objects[i].size; j++)
            assert_int_equal(objects[i].p[j], i % 251);
    arena_fini(&arena);
    assert_int_equal(arena.total_bytes, 0);
}

static void a_large_object_does_not_waste_the_block(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char *a = arena_alloc(&arena, 10, 1);
    char *large = arena_alloc(&arena, 5000000, 16);
    char *b = arena_alloc(&arena, 10, 1);
    memset(large, 1, 5000000);
    assert_ptr_equal(b, a + 10);
    assert_int_equal((uintptr_t)large % 16, 0);
    assert_true(arena.total_bytes < 5000000 + 4096);
    arena_fini(&arena);
}

static void an_empty_arena_can_begin_with_anything(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_non_null(arena_alloc(&arena, 0, 1));
    arena_fini(&arena);
    arena_init(&arena);
    memset(arena_alloc(&arena, 3000, 8), 1, 3000);
    memset(arena_alloc(&arena, 3, 1), 1, 3);
    arena_fini(&arena);
    arena_fini(&arena);
}

static void blocks_grow_with_what_is_used(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    *(char *)arena_alloc(&arena, 1, 1) = 1;
    assert_int_equal(arena.total_bytes, 1024);
    for (int i = 0; i < 1000000; i++)
        memset(arena_alloc(&arena, 16, 8), 0, 16);
    assert_true(arena.total_bytes >= 16000000);
    assert_true(arena.total_bytes < 16000000 + 2 * 1024 * 1024);
    arena_fini(&arena);
}

static void copies_are_equal(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char *s = arena_strdup(&arena, "rondo");
    assert_string_equal(s, "rondo");
    uint64_t v = 42, *p = arena_dup(&arena, &v, sizeof v, 8);
    assert_int_equal(*p, 42);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_aligned_and_apart),
        cmocka_unit_test(a_large_object_does_not_waste_the_block),
        cmocka_unit_test(an_empty_arena_can_begin_with_anything),
        cmocka_unit_test(blocks_grow_with_what_is_used),
        cmocka_unit_test(copies_are_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
