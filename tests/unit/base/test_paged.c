#include "base/paged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_grows_in_pages(void **state)
{
    (void)state;
    struct paged paged = {.item_len = sizeof(uint64_t)};
    assert_int_equal(paged_cnt(&paged), 0);
    paged_grow(&paged, 1);
    assert_int_equal(paged_cnt(&paged), PAGED_ITEMS);
    paged_grow(&paged, PAGED_ITEMS);
    assert_int_equal(paged_cnt(&paged), PAGED_ITEMS);
    paged_grow(&paged, PAGED_ITEMS + 1);
    assert_int_equal(paged_cnt(&paged), 2 * PAGED_ITEMS);
    paged_grow(&paged, 1);
    assert_int_equal(paged_cnt(&paged), 2 * PAGED_ITEMS);
    paged_fini(&paged);
    assert_int_equal(paged_cnt(&paged), 0);
}

static void test_items_stay_and_begin_as_zero(void **state)
{
    (void)state;
    enum { CNT = 50 * PAGED_ITEMS };
    struct paged paged = {.item_len = sizeof(uint64_t)};
    paged_grow(&paged, 1);
    uint64_t *first = paged_at(&paged, 0);
    for (uint32_t i = 0; i < CNT; i++) {
        paged_grow(&paged, i + 1);
        uint64_t *item = paged_at(&paged, i);
        assert_int_equal(*item, 0);
        *item = i;
    }
    assert_ptr_equal(paged_at(&paged, 0), first);
    for (uint32_t i = 0; i < CNT; i++)
        assert_int_equal(*(uint64_t *)paged_at(&paged, i), i);
    paged_fini(&paged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_in_pages),
        cmocka_unit_test(test_items_stay_and_begin_as_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
