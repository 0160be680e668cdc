#include "pool/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

/* A member in four characters: tier, verdict (u up, d down, ? unknown, n not probed; in capitals (U, D): unsettled),
 * weight, site (a 1, b 2, …, - none). */
static unsigned parse(struct pool_member *members, const char *text)
{
    unsigned cnt = 0;
    for (; *text; text += text[4] ? 5 : 4, cnt++) {
        char verdict = text[1];
        members[cnt] =
            (struct pool_member){.address = help_address(ADDR_V4, cnt),
                                 .tier = (uint32_t)(text[0] - '0'),
                                 .weight = (uint32_t)(text[2] - '0'),
                                 .verdict = verdict == 'u' || verdict == 'U'                     ? HEALTH_UP
                                            : verdict == 'd' || verdict == 'D' || verdict == 'n' ? HEALTH_DOWN
                                                                                                 : HEALTH_UNKNOWN,
                                 .unsettled = verdict == 'U' || verdict == 'D',
                                 .probed = verdict != 'n',
                                 .site = text[3] == '-' ? 0 : (uint16_t)(text[3] - 'a' + 1)};
    }
    return cnt;
}

static const struct {
    const char *members;
    unsigned min_up; /* thousandths */
    unsigned site;   /* of the clients */
    enum pool_state state;
    unsigned tier;
    const char *used; /* member:weight */
    unsigned chosen_from;
} cases[] = {
    {"", 0, 1, POOL_EMPTY, 0, "", 0},
    /* one's own go first, whatever their tier */
    {"1u1a 1u2b", 0, 0, POOL_LIVE, 1, "0:1 1:2", 0},
    {"1u1a 1u2b", 0, 1, POOL_LIVE, 1, "0:1", 1},
    {"1u1a 1u2b", 0, 2, POOL_LIVE, 1, "1:2", 2},
    {"1u1a 1u2b", 0, 3, POOL_LIVE, 1, "0:1 1:2", 0},
    {"1u1- 1u2-", 0, 1, POOL_LIVE, 1, "0:1 1:2", 0},
    {"1u1b 2u2a", 0, 1, POOL_LIVE, 2, "1:2", 1},
    /* tiers and min_up among one's own */
    {"1u1b 1u1a 2u1a", 0, 1, POOL_LIVE, 1, "1:1", 1},
    {"1u1b 1d1a 2u1a", 0, 1, POOL_LIVE, 2, "2:1", 1},
    {"1u1b 1u1b 1u1a 1d1a 2u1a", 501, 1, POOL_LIVE, 2, "4:1", 1},
    {"1u1b 1u1b 1u1a 1d1a 2u1a", 501, 0, POOL_LIVE, 1, "0:1 1:1 2:1", 0},
    {"1u1b 1u1b 1u1a 1d1a 2d1a", 501, 1, POOL_LIVE, 1, "2:1", 1},
    /* none of one's own is live: all others by tier */
    {"1u1b 1d1a", 0, 1, POOL_LIVE, 1, "0:1", 0},
    {"2u1b 1u1- 1d1a", 0, 1, POOL_LIVE, 1, "1:1", 0},
    {"1u1b 1u0a", 0, 1, POOL_LIVE, 1, "0:1", 0},
    {"1u1b 1u0a 1d1a", 0, 1, POOL_LIVE, 1, "0:1", 0},
    /* a drained one of one's own does not count */
    {"1u1b 1u0a 1u1a", 0, 1, POOL_LIVE, 1, "2:1", 1},
    /* unknown ones count as they do for everybody */
    {"1u1b 1?1a", 0, 1, POOL_LIVE, 1, "0:1", 0},
    {"1u1b 2?1a", 0, 1, POOL_LIVE, 2, "1:1", 1},
    {"1?1b 1?1a", 0, 1, POOL_LIVE, 1, "1:1", 1},
    {"1d1b 1?1a", 0, 1, POOL_LIVE, 1, "1:1", 1},
    {"1u1b 1?1a 1u1a", 0, 1, POOL_LIVE, 1, "2:1", 1},
    {"1u1b 1?1a 1d1a 2u1a", 0, 1, POOL_LIVE, 2, "3:1", 1},
    /* not probed ones are up */
    {"1u1b 1n1a", 0, 1, POOL_LIVE, 1, "1:1", 1},
    /* everybody is drained: drains are ignored, nearness is not */
    {"1u0b 1u0a", 0, 1, POOL_ALL_DRAINED, 1, "1:1", 1},
    {"1u0b 1d0a", 0, 1, POOL_ALL_DRAINED, 1, "0:1", 0},
    {"1u0b 1d0a", 0, 2, POOL_ALL_DRAINED, 1, "0:1", 2},
    /* everybody is down, serve_all: as if up, so the near ones */
    {"1d1b 1d1a 2d1a", 0, 1, POOL_ALL_DOWN, 1, "1:1", 1},
    {"1d1b 2d1a", 0, 1, POOL_ALL_DOWN, 2, "1:1", 1},
    {"1d1b 1d0a", 0, 1, POOL_ALL_DOWN, 1, "0:1", 0}, /* one's own are drained, not all */
    {"1d0b 1d0a", 0, 1, POOL_ALL_DOWN, 1, "1:1", 1},
};

static void sites_choose_their_own(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct pool_member members[16];
        struct pool_choice choice;
        char used[256] = "";
        unsigned cnt = parse(members, cases[c].members);
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.min_up = cases[c].min_up * (POOL_MIN_UP_ONE / 1000);
        settings.site = (uint16_t)cases[c].site;
        pool_choose(&choice, &settings, members, cnt);
        for (unsigned i = 0; i < choice.cnt; i++)
            sprintf(used + strlen(used), "%s%u:%u", i ? " " : "", choice.member[i], choice.weight[i]);
        if (strcmp(used, cases[c].used) || choice.state != cases[c].state || choice.tier != cases[c].tier ||
            choice.site != cases[c].chosen_from)
            fail_msg("\"%s\" for %u: used \"%s\", state %d, tier %u, of site %u", cases[c].members, cases[c].site,
                     used, choice.state, choice.tier, choice.site);
    }
}

static void other_words_for_all_down_go_for_sites_too(void **state)
{
    (void)state;
    static const enum pool_all_down words[] = {POOL_SERVE_NONE, POOL_SERVFAIL, POOL_FALLBACK};
    for (unsigned w = 0; w < 3; w++) {
        struct pool_member members[4];
        struct pool_choice choice;
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.all_down = words[w];
        settings.site = 1;
        pool_choose(&choice, &settings, members, parse(members, "1d1a 1d1b"));
        assert_int_equal(choice.state, POOL_ALL_DOWN);
        assert_int_equal(choice.cnt, 0);
        pool_choose(&choice, &settings, members, parse(members, "1d1a 1u1b"));
        assert_int_equal(choice.state, POOL_LIVE);
        assert_int_equal(choice.member[0], 1);
    }
}

static void only_those_used_are_unsettled_or_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        bool unsettled, unknown;
    } rows[] = {{"1U1a 1u1b", true, false},  {"1u1a 1U1b", false, false}, {"1?1a 1?1b", false, true},
                {"1u1a 2?1b", false, false}, {"1D1a 1U1b", true, false},  {"1D1a 1D1b", true, false}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct pool_member members[4];
        struct pool_choice choice;
        struct pool_settings settings = help_settings(POOL_ROUND_ROBIN, 1);
        settings.site = 1;
        pool_choose(&choice, &settings, members, parse(members, rows[r].members));
        assert_int_equal(choice.unsettled, rows[r].unsettled);
        assert_int_equal(choice.unknown, rows[r].unknown);
    }
}

/* The pool stays on a tier, or both families do: a site does not go back below it while it has somebody there, but
 * counts min_up by its own members all the same. */
static void staying_binds_a_site_as_far_as_it_can(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        unsigned min_up, wish, tier;
    } rows[] = {
        {"1u1a 1u1b 2u1a", 0, 2, 2},      {"1u1a 1u1b 2u1b", 0, 2, 1},      {"1u1a 1d1a 1u1b 1u1b 2u1a", 501, 1, 2},
        {"1u1a 1d1a 1u1b 1u1b", 501, 1, 1}, {"1u1a 1u1b 2u1a", 0, 0, 1},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct pool_member members[8];
        struct pool_choice choice;
        struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
        settings.site = 1;
        settings.tier = rows[r].wish;
        settings.min_up = rows[r].min_up * (POOL_MIN_UP_ONE / 1000);
        pool_choose(&choice, &settings, members, parse(members, rows[r].members));
        assert_int_equal(choice.site, 1);
        assert_int_equal(choice.tier, rows[r].tier);
    }
}

/* A thousand members, each of them without a verdict and of a site of its own. */
static void many_members_are_no_trouble(void **state)
{
    (void)state;
    static struct pool_member members[POOL_MEMBERS_MAX];
    static struct pool_choice choice;
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V6, POOL_MEMBERS_MAX);
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++) {
        members[i].verdict = HEALTH_UNKNOWN;
        members[i].site = (uint16_t)(i + 1);
    }
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i += 64) {
        settings.site = (uint16_t)(i + 1);
        pool_choose(&choice, &settings, members, POOL_MEMBERS_MAX);
        assert_int_equal(choice.cnt, 1);
        assert_int_equal(choice.member[0], i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sites_choose_their_own),
        cmocka_unit_test(other_words_for_all_down_go_for_sites_too),
        cmocka_unit_test(only_those_used_are_unsettled_or_unknown),
        cmocka_unit_test(staying_binds_a_site_as_far_as_it_can),
        cmocka_unit_test(many_members_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
