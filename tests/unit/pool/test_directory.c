#include "pool/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_table *a_table(void)
{
    struct pool_member member;
    struct pool_settings settings = help_settings(POOL_ROUND_ROBIN, 1);
    help_members(&member, ADDR_V4, 1);
    return help_compile(&settings, &member, 1);
}

static void handles_are_reused(void **state)
{
    (void)state;
    struct pool_directory directory;
    pool_directory_init(&directory);
    for (uint32_t i = 1; i <= 1000; i++)
        assert_int_equal(pool_directory_take(&directory), i);
    for (uint32_t i = 100; i < 300; i++)
        pool_directory_give(&directory, i);
    static bool seen[1001];
    for (unsigned i = 0; i < 200; i++) {
        uint32_t handle = pool_directory_take(&directory);
        assert_in_range(handle, 100, 299);
        assert_false(seen[handle]);
        seen[handle] = true;
    }
    assert_int_equal(pool_directory_take(&directory), 1001);
    pool_directory_fini(&directory);
}

static void tables_are_set_and_returned(void **state)
{
    (void)state;
    struct pool_directory directory;
    pool_directory_init(&directory);
    uint32_t handle = pool_directory_take(&directory);
    struct pool_entry *entries = directory.entries;
    struct pool_table *first = a_table(), *second = a_table(), *six = a_table();
    assert_null(pool_directory_set(&directory, handle, 0, first));
    assert_null(pool_directory_set(&directory, handle, 1, six));
    assert_ptr_equal(rcu_read(entries[handle].tables[0]), first);
    assert_ptr_equal(pool_directory_set(&directory, handle, 0, second), first);
    assert_ptr_equal(rcu_read(entries[handle].tables[0]), second);
    assert_ptr_equal(rcu_read(entries[handle].tables[1]), six);
    assert_ptr_equal(pool_directory_set(&directory, handle, 0, NULL), second);
    assert_ptr_equal(pool_directory_set(&directory, handle, 1, NULL), six);
    pool_directory_give(&directory, handle);
    assert_int_equal(pool_directory_take(&directory), handle);
    assert_null(entries[handle].tables[0]);
    assert_null(entries[0].tables[0]);
    pool_table_free(first);
    pool_table_free(second);
    pool_table_free(six);
    pool_directory_fini(&directory);
}

static void when_all_are_given_there_is_none(void **state)
{
    (void)state;
    struct pool_directory directory;
    pool_directory_init(&directory);
    for (uint32_t i = 1; i < POOL_HANDLES_MAX; i++)
        assert_int_equal(pool_directory_take(&directory), i);
    assert_int_equal(pool_directory_take(&directory), 0);
    assert_int_equal(pool_directory_take(&directory), 0);
    assert_null(directory.entries[POOL_HANDLES_MAX - 1].tables[1]);
    pool_directory_give(&directory, 4711);
    assert_int_equal(pool_directory_take(&directory), 4711);
    assert_int_equal(pool_directory_take(&directory), 0);
    pool_directory_fini(&directory);
}

static void pools_come_before_classes(void **state)
{
    (void)state;
    struct pool_directory directory;
    pool_directory_init(&directory);
    uint32_t cnt = 0;
    while (pool_directory_take_spare(&directory))
        cnt++;
    assert_in_range(cnt, POOL_HANDLES_MAX / 2 - 2, POOL_HANDLES_MAX / 2);
    assert_int_equal(pool_directory_take(&directory), cnt + 1);
    pool_directory_give(&directory, 4711);
    assert_int_equal(pool_directory_take_spare(&directory), 0);
    pool_directory_give(&directory, 4712);
    pool_directory_give(&directory, 4713);
    assert_true(pool_directory_take_spare(&directory) != 0);
    pool_directory_fini(&directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_are_reused),
        cmocka_unit_test(tables_are_set_and_returned),
        cmocka_unit_test(when_all_are_given_there_is_none),
        cmocka_unit_test(pools_come_before_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
