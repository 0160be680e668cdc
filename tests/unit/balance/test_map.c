#include "balance/map.h"

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
        if (MAP_ITEM(link, struct thing, link)->number == number)
            return MAP_ITEM(link, struct thing, link);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_empty), cmocka_unit_test(test_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
