#include "base/places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_turns(void **state)
{
    static const struct {
        struct places places;
        uint32_t taken, most;
        bool other_waits, hung_waits;
        enum places_turn turn;
    } rows[] = {
        {{0, 0}, 0, 4, false, false, PLACES_NOBODY}, {{0, 0}, 0, 4, true, false, PLACES_OTHER},
        {{0, 0}, 3, 4, true, true, PLACES_OTHER},    {{0, 0}, 4, 4, true, true, PLACES_NOBODY},
        {{0, 0}, 2, 4, false, true, PLACES_HUNG},    {{3, 0}, 3, 4, false, true, PLACES_NOBODY},
        {{0, 6}, 3, 4, true, true, PLACES_OTHER},    {{0, 7}, 3, 4, true, true, PLACES_HUNG},
        {{0, 7}, 4, 4, true, true, PLACES_NOBODY},   {{2, 9}, 3, 4, true, true, PLACES_HUNG},
        {{3, 9}, 3, 4, true, true, PLACES_OTHER},    {{0, 7}, 3, 4, false, true, PLACES_HUNG},
        {{3, 7}, 3, 4, false, true, PLACES_NOBODY},  {{0, 9}, 3, 4, true, false, PLACES_OTHER},
        {{0, 0}, 0, 1, false, true, PLACES_HUNG},    {{0, 7}, 0, 1, true, true, PLACES_HUNG},
        {{0, 0}, 5, 4, true, true, PLACES_NOBODY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(
            places_next(&rows[i].places, rows[i].taken, rows[i].most, rows[i].other_waits, rows[i].hung_waits),
            rows[i].turn);
}

/* All places are in use all the time, and in both queues somebody waits always: each has its share. */
static void test_shares(void **state)
{
    struct places places = {0, 0};
    bool held[8] = {false}; /* by whom, in the order in which they end */
    unsigned hung_cnt = 0;
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        places_take(&places, false, true);
    for (unsigned i = 0; i < 8000; i++) {
        places_leave(&places, held[i % 8]);
        enum places_turn turn = places_next(&places, 7, 8, true, true);
        assert_int_not_equal(turn, PLACES_NOBODY);
        held[i % 8] = turn == PLACES_HUNG;
        hung_cnt += held[i % 8];
        places_take(&places, held[i % 8], true);
    }
    assert_in_range(hung_cnt, 8000 / PLACES_SHARE - 1, 8000 / PLACES_SHARE + 1);
}

/* What others had while nobody else waited is not owed. */
static void test_nothing_is_owed_to_who_comes(void **state)
{
    struct places places = {0, 0};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        places_take(&places, false, false);
    assert_int_equal(places_next(&places, 3, 4, true, true), PLACES_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_nothing_is_owed_to_who_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
