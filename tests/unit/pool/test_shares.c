#include "pool/shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_shares shares;

/* Members whose share k·w/W reaches 1 leave, one after the other, heaviest first: the rule from the definition. What is
 * left of k and W. */
static void split_by_definition(bool *always, unsigned *k, uint64_t *total, const uint32_t *weight, unsigned cnt)
{
    *total = 0;
    for (unsigned i = 0; i < cnt; i++) {
        always[i] = false;
        *total += weight[i];
    }
    for (;;) {
        int heaviest = -1;
        for (unsigned i = 0; i < cnt; i++)
            if (!always[i] && (heaviest < 0 || weight[i] > weight[heaviest]))
                heaviest = (int)i;
        if (!*k || heaviest < 0 || (uint64_t)*k * weight[heaviest] < *total)
            return;
        always[heaviest] = true;
        *total -= weight[heaviest];
        --*k;
    }
}

static void check(const uint32_t *weight, unsigned cnt, unsigned answers)
{
    bool always[POOL_MEMBERS_MAX];
    uint64_t total, in[POOL_MEMBERS_MAX] = {0}, length = 0;
    unsigned k = answers < cnt ? answers : cnt;
    pool_shares_make(&shares, weight, cnt, answers);
    assert_int_equal(shares.rr_cnt, k);
    assert_in_range(shares.cnt, 1, cnt);
    for (unsigned s = 0; s < shares.cnt; s++) {
        assert_true(shares.length[s] > 0);
        length += shares.length[s];
        for (unsigned i = 0; i < shares.rr_cnt; i++) {
            assert_true(shares.member[s][i] < cnt);
            assert_true(!i || shares.member[s][i - 1] < shares.member[s][i]); /* nobody twice */
            in[shares.member[s][i]] += shares.length[s];
        }
    }
    split_by_definition(always, &k, &total, weight, cnt);
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(in[i], always[i] ? length : k * weight[i]);
    assert_int_equal(length, k ? total : 1);
}

static void one_answer_makes_one_set_a_member(void **state)
{
    (void)state;
    static const uint32_t weight[] = {4, 1, 1};
    pool_shares_make(&shares, weight, 3, 1);
    assert_int_equal(shares.cnt, 3);
    assert_int_equal(shares.rr_cnt, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(shares.member[i][0], i);
        assert_int_equal(shares.length[i], weight[i]);
    }
}

static void the_heavy_are_in_every_set(void **state)
{
    (void)state;
    static const uint32_t weight[] = {1, 10, 1};
    pool_shares_make(&shares, weight, 3, 2);
    assert_int_equal(shares.cnt, 2);
    assert_int_equal(shares.member[0][0], 0);
    assert_int_equal(shares.member[0][1], 1);
    assert_int_equal(shares.member[1][0], 1);
    assert_int_equal(shares.member[1][1], 2);
    assert_int_equal(shares.length[0], shares.length[1]);
    /* 2·3 ≥ 6 leaves, then 1·3 ≥ 3 in a tie: who has all the weight there is is in */
    static const uint32_t one[] = {7};
    pool_shares_make(&shares, one, 1, 16);
    assert_int_equal(shares.cnt, 1);
    assert_int_equal(shares.rr_cnt, 1);
}

static void inclusion_is_exact(void **state)
{
    (void)state;
    static const uint32_t ranges[] = {1, 2, 5, 50, 1000, 65535};
    uint64_t seed = 3;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t weight[POOL_MEMBERS_MAX], range = ranges[help_random(&seed, 6)];
        unsigned cnt = 1 + help_random(&seed, round % 50 ? 20 : POOL_MEMBERS_MAX);
        for (unsigned i = 0; i < cnt; i++)
            weight[i] = 1 + help_random(&seed, range);
        if (!help_random(&seed, 4))
            weight[help_random(&seed, cnt)] = 65535;
        check(weight, cnt, 1 + help_random(&seed, 16));
    }
}

static void the_greatest_fit(void **state)
{
    (void)state;
    uint32_t weight[POOL_MEMBERS_MAX];
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++)
        weight[i] = 65535 - (i & 1);
    for (unsigned answers = 1; answers <= 16; answers++)
        check(weight, POOL_MEMBERS_MAX, answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_answer_makes_one_set_a_member),
        cmocka_unit_test(the_heavy_are_in_every_set),
        cmocka_unit_test(inclusion_is_exact),
        cmocka_unit_test(the_greatest_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
