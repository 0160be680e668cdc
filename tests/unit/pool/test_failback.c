#include "pool/failback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool/ramp.h"
#include "pool_help.h"

/* Members as a word for each, of tier and verdict: "1u 1d 2?"; behind a "|" those of the other family. */
static void tiers_of(struct pool_tiers *tiers, const char *text)
{
    struct pool_member members[16];
    unsigned cnt = 0, part = 0;
    pool_tiers_init(tiers);
    for (; *text; text += text[2] ? 3 : 2) {
        if (*text == '|') {
            pool_tiers_add(tiers, part++, members, cnt);
            cnt = 0;
            text--;
            continue;
        }
        members[cnt] = (struct pool_member){.address = help_address(ADDR_V4, cnt),
                                            .tier = (uint32_t)(text[0] - '0'),
                                            .weight = 1,
                                            .probed = true,
                                            .verdict = text[1] == 'u'   ? HEALTH_UP
                                                       : text[1] == 'd' ? HEALTH_DOWN
                                                                        : HEALTH_UNKNOWN};
        cnt++;
    }
    pool_tiers_add(tiers, part, members, cnt);
}

static void the_tier_of_both_families(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        unsigned min_up, tier;
    } cases[] = {
        {"1u | 1u", 0, 1},
        {"1u 2u | 1d 2u", 0, 2},
        {"1d 2u | 1u 2u", 0, 2},
        /* a family without members there has no say */
        {"1u 2u | 2u", 0, 1},
        {"1d | 1u 2u", 0, 2},
        {"2u | 1d 2u", 0, 2},
        /* none is good for both: the first in which anybody is live */
        {"1u | 1d", 0, 1},
        {"1d 2u | 1u 2d", 0, 1},
        {"1d 2u | 1d 2d", 0, 2},
        {"1d | 1d", 0, 0},
        /* each family by itself is held against min_up */
        {"1u 1u 2u | 1u 1d 2u", 500, 1},
        {"1u 1u 2u | 1u 1d 2u", 501, 2},
        {"1u 1d 2u | 1u 1u 2u", 501, 2},
        {"1u 1d 2u | 1u 1d 2d", 501, 1},
        /* unknown members live where their family has nobody up */
        {"1? 2u | 1u 2u", 0, 1},
        {"1? | 1?", 0, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct pool_tiers tiers;
        tiers_of(&tiers, cases[c].members);
        const struct pool_tier *tier = pool_tiers_choose(&tiers, cases[c].min_up * (POOL_MIN_UP_ONE / 1000));
        if ((tier ? tier->number : 0) != cases[c].tier)
            fail_msg("%s: tier %u", cases[c].members, tier ? tier->number : 0);
    }
}

struct moment {
    unsigned at; /* seconds */
    const char *members;
    unsigned tier, better;
};

static void tell(struct pool_failback *state, const struct moment *moment, uint64_t wait_ms)
{
    struct pool_tiers tiers;
    tiers_of(&tiers, moment->members);
    uint32_t tier = pool_failback_step(state, &tiers, POOL_MIN_UP_ONE / 2, wait_ms, moment->at * UINT64_C(1000));
    if (tier != moment->tier || state->better != moment->better)
        fail_msg("at %u, \"%s\": tier %u, better %u", moment->at, moment->members, tier, state->better);
}

#define STORY(wait_ms, ...)                                                                                            \
    do {                                                                                                               \
        static const struct moment moments[] = {__VA_ARGS__};                                                         \
        struct pool_failback told = {0};                                                                               \
        for (size_t m = 0; m < sizeof moments / sizeof *moments; m++)                                                  \
            tell(&told, &moments[m], (wait_ms));                                                                       \
    } while (0)

static void auto_goes_where_the_pipeline_goes(void **state)
{
    (void)state;
    STORY(POOL_FAILBACK_AUTO, {1, "1u 2u", 1, 0}, {2, "1d 2u", 2, 0}, {3, "1u 2u", 1, 0}, {4, "1d 2d", 0, 0},
          {5, "1d 2u", 2, 0}, {6, "1d 2d 3u", 3, 0}, {7, "1u 2d 3u", 1, 0});
}

static void manual_stays(void **state)
{
    (void)state;
    STORY(POOL_FAILBACK_MANUAL, {1, "1u 2u 3u", 1, 0}, {2, "1d 2u 3u", 2, 0}, {3, "1u 2u 3u", 2, 1},
          {90000, "1u 2u 3u", 2, 1}, {90001, "1d 2u 3u", 2, 0},
          /* but not with the dead, nor with nobody */
          {90002, "1d 2d 3u", 3, 0}, {90003, "1d 2u 3u", 3, 2}, {90004, "1u 2u 3u", 3, 2}, {90005, "1u 2u 3d", 1, 0},
          {90006, "1d 2d 3u", 3, 0}, {90007, "1d 2d 3d", 0, 0}, {90008, "1u 2d 3u", 1, 0});
    /* a tier that has too few is left for a higher one, and kept when there is only a lower one */
    STORY(POOL_FAILBACK_MANUAL, {1, "1u 1u 1u 2u", 1, 0}, {2, "1u 1d 1d 2u", 2, 0}, {3, "1u 1u 1d 2u", 2, 1});
    STORY(POOL_FAILBACK_MANUAL, {1, "1d 2u 2u 2u", 2, 0}, {2, "1u 2u 2d 2d", 2, 1}, {3, "1u 2d 2d 2d", 1, 0});
}

static void a_time_must_pass(void **state)
{
    (void)state;
    struct pool_failback failback = {0};
    struct pool_tiers tiers;
    STORY(10000, {1, "1u 2u", 1, 0}, {2, "1d 2u", 2, 0}, {3, "1u 2u", 2, 1}, {12, "1u 2u", 2, 1}, {13, "1u 2u", 1, 0},
          /* without a break */
          {20, "1d 2u", 2, 0}, {21, "1u 2u", 2, 1}, {30, "1d 2u", 2, 0}, {31, "1u 2u", 2, 1}, {40, "1u 2u", 2, 1},
          {41, "1u 2u", 1, 0});
    /* one that comes and goes does not keep it from one that stays */
    STORY(10000, {1, "1d 2d 3u", 3, 0}, {2, "1d 2u 3u", 3, 2}, {8, "1u 2u 3u", 3, 2}, {9, "1d 2u 3u", 3, 2},
          {11, "1u 2u 3u", 3, 2}, {12, "1u 2u 3u", 2, 0}, {13, "1u 2u 3u", 2, 1}, {22, "1u 2u 3u", 2, 1},
          {23, "1u 2u 3u", 1, 0});
    tiers_of(&tiers, "1d 2u");
    pool_failback_step(&failback, &tiers, 0, 10000, 1000);
    assert_true(pool_failback_due_ms(&failback, 10000) == UINT64_MAX);
    tiers_of(&tiers, "1u 2u");
    pool_failback_step(&failback, &tiers, 0, 10000, 5000);
    assert_true(pool_failback_due_ms(&failback, 10000) == 15000);
    assert_true(pool_failback_due_ms(&failback, POOL_FAILBACK_MANUAL) == UINT64_MAX);
}

/* min_up is a half here: with one of three known, tier 1 seems to have too few. */
static void a_start_binds_nobody(void **state)
{
    (void)state;
    STORY(POOL_FAILBACK_MANUAL, {1, "1? 1? 1? 2?", 1, 0}, {2, "1u 1? 1? 2u", 2, 0}, {3, "1u 1u 1? 2u", 1, 0});
    STORY(POOL_FAILBACK_MANUAL, {1, "1? 1? 1? 2u", 1, 0}, {2, "1u 1? 1? 2u", 2, 0}, {3, "1u 1d 1? 2u", 2, 0},
          {4, "1u 1d 1u 2u", 1, 0});
    /* but all that were known do: later ones are news */
    STORY(POOL_FAILBACK_MANUAL, {1, "1? 1? 1? 2u", 1, 0}, {2, "1u 1? 1? 2u", 2, 0}, {3, "1u 1d 1d 2u", 2, 0},
          {4, "1u 1d 1u 2u", 2, 1}, {5, "1u 1d 1u 1? 2u", 2, 1});
}

static void told_to_go_it_goes(void **state)
{
    (void)state;
    struct pool_failback failback = {0};
    static const struct moment moments[] = {{1, "1u 2u", 1, 0}, {2, "1d 2u", 2, 0}, {3, "1u 2u", 2, 1},
                                            {4, "1u 2u", 1, 0}};
    for (unsigned m = 0; m < 4; m++) {
        if (m == 3)
            pool_failback_go(&failback);
        tell(&failback, &moments[m], POOL_FAILBACK_MANUAL);
    }
}

static void what_was_our_own_failure_is_taken_back(void **state)
{
    (void)state;
    static const struct moment before[] = {{1, "1u 2u", 1, 0}, {10, "1d 2u", 2, 0}}, after = {11, "1u 2u", 1, 0},
                               stays = {11, "1u 2u", 2, 1};
    for (unsigned since = 9; since <= 11; since++) {
        struct pool_failback failback = {0};
        tell(&failback, &before[0], POOL_FAILBACK_MANUAL);
        tell(&failback, &before[1], POOL_FAILBACK_MANUAL);
        pool_failback_undo(&failback, since * UINT64_C(1000));
        tell(&failback, since <= 10 ? &after : &stays, POOL_FAILBACK_MANUAL);
    }
}

/* ---- slow starts */

static void a_slow_start_takes_even_steps(void **state)
{
    (void)state;
    const uint64_t begin = 1000, length = 60000;
    uint64_t at = begin;
    uint32_t last = POOL_PART_ONE;
    unsigned steps = 0;
    assert_in_range(pool_ramp_withheld(begin, length, 0), POOL_PART_ONE * 95 / 100 - 1, POOL_PART_ONE * 95 / 100);
    for (uint32_t withheld; (withheld = pool_ramp_withheld(begin, length, at)) != 0; steps++) {
        uint64_t due = pool_ramp_due_ms(begin, length, at);
        assert_true(withheld < last && due > at);
        assert_int_equal(pool_ramp_withheld(begin, length, due - 1), withheld);
        last = withheld;
        at = due;
    }
    assert_int_equal(steps, POOL_RAMP_STEPS);
    assert_int_equal(at, begin + length);
    assert_int_equal(pool_ramp_withheld(begin, length, begin + length / 2), POOL_PART_ONE * 95 / 200);
    /* shorter than its steps */
    assert_int_equal(pool_ramp_withheld(5, 3, 8), 0);
    assert_true(pool_ramp_due_ms(5, 3, 5) == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tier_of_both_families),
        cmocka_unit_test(auto_goes_where_the_pipeline_goes),
        cmocka_unit_test(manual_stays),
        cmocka_unit_test(a_time_must_pass),
        cmocka_unit_test(a_start_binds_nobody),
        cmocka_unit_test(told_to_go_it_goes),
        cmocka_unit_test(what_was_our_own_failure_is_taken_back),
        cmocka_unit_test(a_slow_start_takes_even_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
