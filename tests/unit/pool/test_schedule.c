#include "pool/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pool_help.h"

static uint32_t share[POOL_MEMBERS_MAX];
static uint16_t slots[POOL_SLOTS_MAX];

static unsigned make(const uint32_t *weight, unsigned cnt, bool *exact)
{
    unsigned total = pool_schedule_shares(share, weight, cnt, exact);
    assert_in_range(total, cnt, POOL_SLOTS_MAX);
    memset(slots, 0xff, sizeof slots);
    pool_schedule_order(slots, share, cnt, total);
    return total;
}

static void known_orders(void **state)
{
    (void)state;
    static const struct {
        uint32_t weight[5];
        unsigned cnt;
        const char *order;
    } known[] = {
        {{4, 1, 1}, 3, "aabaca"}, {{8, 2, 2}, 3, "aabaca"},  {{1}, 1, "a"},      {{65535}, 1, "a"},
        {{1, 1}, 2, "ab"},        {{7, 7, 7}, 3, "abc"},     {{2, 1}, 2, "aba"}, {{1, 2}, 2, "bab"},
        {{1, 1, 4}, 3, "ccacbc"}, {{65535, 65535}, 2, "ab"}, {{3, 3}, 2, "ab"},  {{1, 1, 1, 1, 1}, 5, "abcde"},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        char order[64] = "";
        bool exact;
        unsigned total = make(known[k].weight, known[k].cnt, &exact);
        assert_true(exact);
        for (unsigned i = 0; i < total; i++)
            order[i] = (char)('a' + slots[i]);
        assert_string_equal(order, known[k].order);
    }
}

/* The same order from the definition, without heap, lists or scaled keys. */
static void order_by_definition(uint16_t *out, unsigned cnt, unsigned total)
{
    int64_t given[POOL_MEMBERS_MAX] = {0}, d = 2 * (int64_t)cnt - 2;
    for (unsigned t = 1; t <= total; t++) {
        int best = -1;
        for (unsigned i = 0; i < cnt; i++) {
            if (((int64_t)t * share[i] - given[i] * total) * d < total)
                continue; /* t·w/W − given < 1/D */
            if (best < 0 || (given[i] * d + d - 1) * share[best] < (given[best] * d + d - 1) * share[i])
                best = (int)i;
        }
        assert_true(best >= 0);
        out[t - 1] = (uint16_t)best;
        given[best]++;
    }
}

static void holds_its_promises(unsigned cnt, unsigned total)
{
    static int64_t given[POOL_MEMBERS_MAX], least[POOL_MEMBERS_MAX], most[POOL_MEMBERS_MAX];
    memset(given, 0, sizeof given);
    memset(least, 0, sizeof least);
    memset(most, 0, sizeof most);
    for (int64_t t = 1; t <= total; t++) {
        given[slots[t - 1]]++;
        for (unsigned i = 0; i < cnt; i++) {
            int64_t off = given[i] * total - t * share[i]; /* times W */
            assert_true(off < total && off > -(int64_t)total);
            least[i] = off < least[i] ? off : least[i];
            most[i] = off > most[i] ? off : most[i];
        }
    }
    for (unsigned i = 0; i < cnt; i++) {
        assert_int_equal(given[i], share[i]); /* whole cycles are exact */
        assert_true(most[i] - least[i] <
                    2 * (int64_t)total); /* the worst window, also across cycles, as they start at 0 */
    }
}

static void random_weights(uint32_t *weight, unsigned cnt, uint64_t *seed)
{
    static const uint32_t ranges[] = {2, 5, 10, 100, 1000, 65535};
    uint32_t range = ranges[help_random(seed, 6)];
    for (unsigned i = 0; i < cnt; i++)
        weight[i] = 1 + help_random(seed, range);
    if (!help_random(seed, 3))
        weight[help_random(seed, cnt)] = 65535;
}

static void any_weights_give_a_fair_order(void **state)
{
    (void)state;
    static const unsigned most[] = {4, 12, 60, 1024};
    uint64_t seed = 1;
    for (unsigned round = 0; round < 240; round++) {
        uint32_t weight[POOL_MEMBERS_MAX];
        static uint16_t expected[POOL_SLOTS_MAX];
        unsigned which = round % 120 ? round % 3 : 3, cnt = 2 + help_random(&seed, most[which] - 1);
        bool exact;
        random_weights(weight, cnt, &seed);
        unsigned total = make(weight, cnt, &exact);
        holds_its_promises(cnt, total);
        order_by_definition(expected, cnt, total);
        assert_memory_equal(slots, expected, total * sizeof *slots);
    }
}

static void exact_shares_are_the_weights_in_lowest_terms(void **state)
{
    (void)state;
    static const uint32_t weight[] = {6000, 9000, 1500};
    bool exact;
    assert_int_equal(pool_schedule_shares(share, weight, 3, &exact), 11);
    assert_true(exact);
    assert_int_equal(share[0], 4);
    assert_int_equal(share[1], 6);
    assert_int_equal(share[2], 1);
    static const uint32_t edge[] = {4095, 1}, beyond[] = {4096, 1};
    assert_int_equal(pool_schedule_shares(share, edge, 2, &exact), 4096);
    assert_true(exact);
    assert_int_equal(pool_schedule_shares(share, beyond, 2, &exact), 4096);
    assert_false(exact);
    assert_int_equal(share[0], 4095);
    assert_int_equal(share[1], 1);
}

static void more_than_4096_slots_are_rounded(void **state)
{
    (void)state;
    bool exact;
    /* 4096 · (65535, 65534, 1) / 131070: the last has less than a slot and gets one; of the other 4,095, 2047.52 and
     * 2047.48 */
    static const uint32_t three[] = {65535, 65534, 1};
    assert_int_equal(pool_schedule_shares(share, three, 3, &exact), 4096);
    assert_false(exact);
    assert_int_equal(share[0], 2048);
    assert_int_equal(share[1], 2047);
    assert_int_equal(share[2], 1);
    /* equal remainders: the earlier item gets the slot. 5000 each but one, of odd sum */
    static const uint32_t ties[] = {5001, 5000, 5000};
    assert_int_equal(pool_schedule_shares(share, ties, 3, &exact), 4096);
    assert_int_equal(share[0], 1366);
    assert_int_equal(share[1], 1365);
    assert_int_equal(share[2], 1365);
    /* what became equal by rounding is in lowest terms again */
    static const uint32_t equal[] = {65535, 65534};
    assert_int_equal(pool_schedule_shares(share, equal, 2, &exact), 2);
    assert_false(exact);
    /* a thousand light ones next to a heavy one */
    static uint32_t many[POOL_MEMBERS_MAX];
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++)
        many[i] = i == 500 ? 65535 : 1 + i % 2;
    assert_int_equal(pool_schedule_shares(share, many, POOL_MEMBERS_MAX, &exact), 4096);
    assert_int_equal(share[500], 4096 - 1023);
}

static void rounding_is_at_most_a_slot_off_for_who_is_worth_one(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 300; round++) {
        uint32_t weight[POOL_MEMBERS_MAX];
        unsigned cnt = 2 + help_random(&seed, 40), sum = 0, light = 0;
        uint64_t total = 0;
        bool exact;
        for (unsigned i = 0; i < cnt; i++)
            total += weight[i] = 65535 - help_random(&seed, 30000);
        unsigned slot_cnt = pool_schedule_shares(share, weight, cnt, &exact);
        for (unsigned i = 0; i < cnt; i++) {
            double ideal = (double)weight[i] * slot_cnt / (double)total;
            assert_true(share[i] >= 1);
            sum += share[i];
            light += ideal < 1;
            assert_true((double)share[i] - ideal < 1 && ideal - (double)share[i] < 1);
        }
        assert_int_equal(sum, slot_cnt);
        assert_int_equal(light, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_orders),
        cmocka_unit_test(any_weights_give_a_fair_order),
        cmocka_unit_test(exact_shares_are_the_weights_in_lowest_terms),
        cmocka_unit_test(more_than_4096_slots_are_rounded),
        cmocka_unit_test(rounding_is_at_most_a_slot_off_for_who_is_worth_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
