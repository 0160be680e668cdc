#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct thing {
    unsigned number;
    struct map_link link;
};

static struct thing *find(const struct map *map, uint64_t hash, unsigned number)
{
    for (struct map_link *link = map_first(map, hash); link; link = map_next(link))
        if (container_of(link, struct thing, link)->number == number)
            return container_of(link, struct thing, link);
    return NULL;
}

static void test_empty(void **state)
{
    (void)state;
    struct map map = {0};
    assert_null(map_first(&map, 0));
    map_fini(&map);
}

/* Hashes that agree whole, in their low bits, and not at all. */
static void test_many(void **state)
{
    (void)state;
    enum { CNT = 1000 };
    struct map map = {0};
    struct thing *things = calloc(CNT, sizeof *things);
    for (unsigned i = 0; i < CNT; i++) {
        things[i].number = i;
        map_add(&map, &things[i].link, (uint64_t)(i / 3) << (i % 2 ? 32 : 0));
    }
    assert_int_equal(map.cnt, CNT);
    for (unsigned i = 0; i < CNT; i += 2)
        map_remove(&map, &things[i].link);
    for (unsigned i = 0; i < CNT; i++)
        assert_ptr_equal(find(&map, (uint64_t)(i / 3) << (i % 2 ? 32 : 0), i), i % 2 ? &things[i] : NULL);
    assert_int_equal(map.cnt, CNT / 2);
    free(things);
    map_fini(&map);
}

/* While it grows, all that came so far is found, and what left is not; a walk finds each once. */
static void test_while_it_grows(void **state)
{
    (void)state;
    enum { CNT = 3000 };
    struct map map = {0};
    struct thing *things = calloc(CNT, sizeof *things);
    for (unsigned i = 0; i < CNT; i++) {
        things[i].number = i;
        map_add(&map, &things[i].link, i * UINT64_C(0x9e3779b97f4a7c15));
        if (i % 3 == 2) {
            map_remove(&map, &things[i / 2].link);
            map_add(&map, &things[i / 2].link, things[i / 2].link.hash);
        }
        for (unsigned j = 0; j <= i; j += 1 + i / 50)
            assert_ptr_equal(find(&map, j * UINT64_C(0x9e3779b97f4a7c15), j), &things[j]);
        if (i % 700)
            continue;
        size_t cnt = 0;
        map_settle(&map);
        for (size_t b = 0; b < map.bucket_cnt; b++)
            for (const struct map_link *link = map.buckets[b]; link; link = link->next)
                cnt++;
        assert_int_equal(cnt, map.cnt);
    }
    assert_int_equal(map.cnt, CNT);
    free(things);
    map_fini(&map);
}

/* No addition moves more than a few things, however many there are; and all have moved before it grows again. */
static void test_growing_takes_no_time(void **state)
{
    (void)state;
    enum { CNT = 1 << 17 };
    struct map map = {0};
    struct thing *things = calloc(CNT, sizeof *things);
    for (unsigned i = 0; i < CNT; i++) {
        size_t moved = map.old ? map.moved : 0, bucket_cnt = map.bucket_cnt;
        map_add(&map, &things[i].link, i * UINT64_C(0x9e3779b97f4a7c15));
        if (map.bucket_cnt == bucket_cnt && map.old)
            assert_in_range(map.moved - moved, 1, 2);
        if (map.cnt == map.bucket_cnt)
            assert_null(map.old);
    }
    free(things);
    map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_while_it_grows),
        cmocka_unit_test(test_growing_takes_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
