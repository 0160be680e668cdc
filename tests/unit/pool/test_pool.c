#include "pool/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

/* A member in three characters: tier, verdict (u up, d down, ? unknown, n not probed), weight; in capitals (U, D):
 * unsettled. */
static unsigned parse(struct pool_member *members, const char *text)
{
    unsigned cnt = 0;
    for (; *text; text += text[3] ? 4 : 3, cnt++) {
        char verdict = text[1];
        members[cnt] =
            (struct pool_member){.address = help_address(ADDR_V4, cnt),
                                 .tier = (uint32_t)(text[0] - '0'),
                                 .weight = (uint32_t)(text[2] - '0'),
                                 .verdict = verdict == 'u' || verdict == 'U'                     ? HEALTH_UP
                                            : verdict == 'd' || verdict == 'D' || verdict == 'n' ? HEALTH_DOWN
                                                                                                 : HEALTH_UNKNOWN,
                                 .unsettled = verdict == 'U' || verdict == 'D',
                                 .probed = verdict != 'n'};
    }
    return cnt;
}

static const struct {
    const char *members;
    unsigned min_up; /* thousandths */
    enum pool_state state;
    unsigned tier;
    const char *used; /* member:weight */
    bool unsettled, all_drained;
} cases[] = {
    {"", 0, POOL_EMPTY, 0, "", false, false},
    {"1u1 1u2", 0, POOL_LIVE, 1, "0:1 1:2", false, false},
    /* verdicts */
    {"1u1 1d2 1u3", 0, POOL_LIVE, 1, "0:1 2:3", false, false},
    {"1n4 1d2", 0, POOL_LIVE, 1, "0:4", false, false},
    /* unknown counts exactly while its tier has no up member */
    {"1?1 1?2", 0, POOL_LIVE, 1, "0:1 1:2", false, false},
    {"1?1 1u2", 0, POOL_LIVE, 1, "1:2", false, false},
    {"1?1 1n2", 0, POOL_LIVE, 1, "1:2", false, false},
    {"1?1 1d2", 0, POOL_LIVE, 1, "0:1", false, false},
    {"1?1 2u2", 0, POOL_LIVE, 1, "0:1", false, false},
    {"1?1 1u0", 0, POOL_LIVE, 1, "0:1", false, false},
    /* drains */
    {"1u0 1u2", 0, POOL_LIVE, 1, "1:2", false, false},
    {"1u0 1d2", 0, POOL_ALL_DOWN, 1, "1:2", false, false},
    {"1u0 2u2", 0, POOL_LIVE, 2, "1:2", false, false},
    {"1u0 1u0", 0, POOL_ALL_DRAINED, 1, "0:1 1:1", false, true},
    {"1d0 1u0", 0, POOL_ALL_DRAINED, 1, "1:1", false, true},
    {"1d0 2u0", 0, POOL_ALL_DRAINED, 2, "1:1", false, true},
    {"1d0 2d0", 0, POOL_ALL_DOWN, 1, "0:1", false, true},
    /* tiers, whatever their order */
    {"2u1 1u1 2u1", 0, POOL_LIVE, 1, "1:1", false, false},
    {"3u1 1d1 2u1 2u5", 0, POOL_LIVE, 2, "2:1 3:5", false, false},
    /* min_up: live ÷ undrained */
    {"1u1 1d1 2u1", 500, POOL_LIVE, 1, "0:1", false, false},
    {"1u1 1d1 2u1", 501, POOL_LIVE, 2, "2:1", false, false},
    {"1u1 1d0 2u1", 1000, POOL_LIVE, 1, "0:1", false, false},
    {"1u1 1d1 2d1", 501, POOL_LIVE, 1, "0:1", false, false},
    {"1u1 1d1 2u1 2d1", 1000, POOL_LIVE, 1, "0:1", false, false},
    {"1d1 1d1 2u1 2d1 3u1", 600, POOL_LIVE, 3, "4:1", false, false},
    {"1?1 1?1 1d1 2u1", 667, POOL_LIVE, 2, "3:1", false, false},
    {"1?1 1?1 1d1 2u1", 666, POOL_LIVE, 1, "0:1 1:1", false, false},
    {"1u1 1?1 1?1 2u1", 500, POOL_LIVE, 2, "3:1", false, false},
    /* all down, serve_all */
    {"1d1 1d2 2d1", 0, POOL_ALL_DOWN, 1, "0:1 1:2", false, false},
    {"1d0 2d2 2d0 3d1", 1000, POOL_ALL_DOWN, 2, "1:2", false, false},
    /* unsettled: of used members only */
    {"1U1 1u1", 0, POOL_LIVE, 1, "0:1 1:1", true, false},
    {"1D1 1u1", 0, POOL_LIVE, 1, "1:1", false, false},
    {"1u1 2U1", 0, POOL_LIVE, 1, "0:1", false, false},
    {"1u1 1U0", 0, POOL_LIVE, 1, "0:1", false, false},
    {"1D1 1d1", 0, POOL_ALL_DOWN, 1, "0:1 1:1", true, false},
};

static void the_pipeline_chooses(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct pool_member members[16];
        struct pool_choice choice;
        char used[256] = "";
        unsigned cnt = parse(members, cases[c].members);
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.min_up = cases[c].min_up * (POOL_MIN_UP_ONE / 1000);
        pool_choose(&choice, &settings, members, cnt);
        for (unsigned i = 0; i < choice.cnt; i++)
            sprintf(used + strlen(used), "%s%u:%u", i ? " " : "", choice.member[i], choice.weight[i]);
        if (strcmp(used, cases[c].used) || choice.state != cases[c].state || choice.tier != cases[c].tier ||
            choice.unsettled != cases[c].unsettled || choice.all_drained != cases[c].all_drained)
            fail_msg("\"%s\": used \"%s\", state %d, tier %u, unsettled %d, drained %d", cases[c].members, used,
                     choice.state, choice.tier, choice.unsettled, choice.all_drained);
        for (unsigned i = 0; i < cnt; i++) {
            char mine[16];
            snprintf(mine, sizeof mine, "%u:", i);
            if (choice.tier == members[i].tier && choice.state != POOL_ALL_DOWN)
                assert_int_equal(pool_member_live(members, cnt, i), strstr(used, mine) != NULL);
        }
    }
}

/* A tier that is wanted, and the next one's part. */
static void wanted_tiers_and_trickle(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        unsigned wanted;
        bool trickle;
        enum pool_policy policy;
        unsigned tier, trickle_tier;
        const char *used; /* those of the tier, then of the other */
        bool unsettled;
    } wishes[] = {
        {"1u1 2u2 3u3", 2, false, POOL_WEIGHTED, 2, 0, "1:2", false},
        {"1u1 2d2 3u3", 2, false, POOL_WEIGHTED, 3, 0, "2:3", false},
        {"1u1 2d2 3d3", 2, false, POOL_WEIGHTED, 1, 0, "0:1", false},
        {"1u1 2?2 3u3", 2, false, POOL_WEIGHTED, 2, 0, "1:2", false},
        {"1u1 2u0 3u3", 2, false, POOL_WEIGHTED, 3, 0, "2:3", false},
        {"1d1 2d2", 2, false, POOL_WEIGHTED, 1, 0, "0:1", false},
        {"1u1 2u2", 7, false, POOL_WEIGHTED, 1, 0, "0:1", false},
        {"2u3 1u1 2u2 3u1", 0, true, POOL_WEIGHTED, 1, 2, "1:1 0:3 2:2", false},
        {"2u3 1u1 2u2 3u1", 0, true, POOL_RANDOM, 1, 2, "1:1 0:3 2:2", false},
        {"2u3 1u1 2u2 3u1", 0, true, POOL_ROUND_ROBIN, 1, 0, "1:1", false},
        {"2u3 1u1 2u2 3u1", 0, true, POOL_HASH, 1, 0, "1:1", false},
        /* only by who is known to be up, and not drained */
        {"1u1 2?2 3u1", 0, true, POOL_WEIGHTED, 1, 3, "0:1 2:1", false},
        {"1u1 2d2 2u2 2u0", 0, true, POOL_WEIGHTED, 1, 2, "0:1 2:2", false},
        {"1u1 2d2 3?2", 0, true, POOL_WEIGHTED, 1, 0, "0:1", false},
        /* and from the next one of the tier in use, never from a better one */
        {"1u1 2u2 3u3", 2, true, POOL_WEIGHTED, 2, 3, "1:2 2:3", false},
        {"1d1 2u2", 0, true, POOL_WEIGHTED, 2, 0, "1:2", false},
        {"1u1 2U2", 0, true, POOL_WEIGHTED, 1, 2, "0:1 1:2", true},
        {"1d1 2d2", 0, true, POOL_WEIGHTED, 1, 0, "0:1", false},
        {"1u0 2u0", 0, true, POOL_WEIGHTED, 1, 0, "0:1", false},
    };
    for (size_t w = 0; w < sizeof wishes / sizeof *wishes; w++) {
        struct pool_member members[16];
        struct pool_choice choice;
        char used[256] = "";
        unsigned cnt = parse(members, wishes[w].members);
        struct pool_settings settings = help_settings(wishes[w].policy, 1);
        settings.tier = wishes[w].wanted;
        settings.trickle = wishes[w].trickle ? 50000 : 0;
        pool_choose(&choice, &settings, members, cnt);
        for (unsigned i = 0; i < choice.cnt; i++) {
            sprintf(used + strlen(used), "%s%u:%u", i ? " " : "", choice.member[i], choice.weight[i]);
            assert_int_equal(members[choice.member[i]].tier, i < choice.own_cnt ? choice.tier : choice.trickle_tier);
        }
        if (strcmp(used, wishes[w].used) || choice.tier != wishes[w].tier || choice.unsettled != wishes[w].unsettled ||
            choice.trickle_tier != wishes[w].trickle_tier)
            fail_msg("%zu \"%s\": used \"%s\", tier %u, trickle from %u", w, wishes[w].members, used, choice.tier,
                     choice.trickle_tier);
    }
}

/* Not to the thousandth: 1 of 3 is 0.3333, but not 0.3334; and 170 of 512 is 0.33203125. */
static void min_up_is_exact(void **state)
{
    (void)state;
    static const struct {
        uint64_t min_up;
        unsigned up, all, tier;
    } shares[] = {
        {UINT64_C(333300000000000), 1, 3, 1},    {UINT64_C(333333333333333), 1, 3, 1},
        {UINT64_C(333333333333334), 1, 3, 2},    {UINT64_C(333400000000000), 1, 3, 2},
        {UINT64_C(332031250000000), 170, 512, 1},   {UINT64_C(332031250000001), 170, 512, 2},
        {POOL_MIN_UP_ONE, 1023, 1023, 1},        {POOL_MIN_UP_ONE, 1022, 1023, 2},
    };
    static struct pool_member members[POOL_MEMBERS_MAX];
    static struct pool_choice choice;
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.min_up = shares[s].min_up;
        for (unsigned i = 0; i < shares[s].all; i++)
            members[i] = (struct pool_member){
                .weight = 1, .tier = 1, .probed = true, .verdict = i < shares[s].up ? HEALTH_UP : HEALTH_DOWN};
        members[shares[s].all] = (struct pool_member){.weight = 1, .tier = 2, .probed = false}; /* stands by */
        pool_choose(&choice, &settings, members, shares[s].all + 1);
        assert_int_equal(choice.tier, shares[s].tier);
    }
}

static void other_words_for_all_down_use_nobody(void **state)
{
    (void)state;
    static const enum pool_all_down words[] = {POOL_SERVE_NONE, POOL_SERVFAIL, POOL_FALLBACK};
    for (unsigned w = 0; w < 3; w++) {
        struct pool_member members[4];
        struct pool_choice choice;
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.all_down = words[w];
        pool_choose(&choice, &settings, members, parse(members, "1d1 1D1 2d0"));
        assert_int_equal(choice.state, POOL_ALL_DOWN);
        assert_int_equal(choice.cnt, 0);
        assert_false(choice.unsettled);
    }
}

static void weights_of_round_robin_are_one(void **state)
{
    (void)state;
    struct pool_member members[4];
    struct pool_choice choice;
    struct pool_settings settings = help_settings(POOL_ROUND_ROBIN, 16);
    pool_choose(&choice, &settings, members, parse(members, "1u4 1u0 1u9"));
    assert_int_equal(choice.cnt, 2);
    assert_int_equal(choice.weight[0], 1);
    assert_int_equal(choice.weight[1], 1);
}

static void a_thousand_tiers_are_possible(void **state)
{
    (void)state;
    static struct pool_member members[POOL_MEMBERS_MAX];
    struct pool_choice choice;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V4, POOL_MEMBERS_MAX);
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++) {
        members[i].tier = UINT32_MAX - i;
        members[i].verdict = i == 100 ? HEALTH_UP : HEALTH_DOWN;
    }
    pool_choose(&choice, &settings, members, POOL_MEMBERS_MAX);
    assert_int_equal(choice.tier, UINT32_MAX - 100);
    assert_int_equal(choice.cnt, 1);
    assert_int_equal(choice.member[0], 100);
    members[100].verdict = HEALTH_DOWN;
    pool_choose(&choice, &settings, members, POOL_MEMBERS_MAX);
    assert_int_equal(choice.tier, UINT32_MAX - (POOL_MEMBERS_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pipeline_chooses),
        cmocka_unit_test(wanted_tiers_and_trickle),
        cmocka_unit_test(min_up_is_exact),
        cmocka_unit_test(other_words_for_all_down_use_nobody),
        cmocka_unit_test(weights_of_round_robin_are_one),
        cmocka_unit_test(a_thousand_tiers_are_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
