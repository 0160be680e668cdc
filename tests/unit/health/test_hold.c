#include "health/hold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"

/* ---- a world: targets with checks every second, and a clock that is moved by hand */

enum { INTERVAL_MS = 1000, WINDOW_MS = 1000 + 100 + 200 + HEALTH_PUBLISH_MS, MAX_MS = 60000, MANY = 40 };

static const struct health_timing timing = {
    .interval_ms = INTERVAL_MS, .fast_interval_ms = 100, .timeout_ms = 200, .rise = 2, .fall = 3};

static struct hold hold;
static struct hold_target targets[MANY];
static unsigned target_cnt;
static uint64_t now_ms;

static void begin(unsigned cnt, unsigned anchor_cnt, enum health_verdict verdict)
{
    now_ms = 1000000;
    hold_init(&hold);
    hold_set_max(&hold, MAX_MS, now_ms);
    target_cnt = cnt;
    for (unsigned i = 0; i < cnt; i++) {
        hold_add(&hold, &targets[i], &timing, verdict, false, false, now_ms);
        hold_set_anchor(&hold, &targets[i], i < anchor_cnt);
    }
    now_ms += 100000;
}

static void end(void)
{
    for (unsigned i = 0; i < target_cnt; i++)
        hold_remove(&hold, &targets[i]);
    assert_int_equal(hold.target_cnt, 0);
    assert_int_equal(hold.passing_cnt, 0);
    assert_int_equal(hold.fresh_cnt, 0);
    assert_int_equal(hold.differing_cnt, 0);
    assert_int_equal(hold.anchor_cnt, 0);
    assert_null(hold.windows);
    hold_fini(&hold);
}

/* How many were told to count as something else. */
static unsigned settle(void)
{
    struct hold_target *target;
    unsigned cnt = 0;
    while (hold_next(&hold, &target, now_ms))
        cnt += target != NULL;
    return cnt;
}

static void see(unsigned target, enum health_verdict verdict, bool unsettled)
{
    hold_observe(&hold, &targets[target], verdict, unsettled, now_ms);
}
static void fails(unsigned target) { see(target, HEALTH_UP, true); }
static void dies(unsigned target) { see(target, HEALTH_DOWN, false); }
static void passes(unsigned target) { see(target, HEALTH_DOWN, true); }
static void lives(unsigned target) { see(target, HEALTH_UP, false); }

/* Each in turn, a little later. */
static void each(void (*what)(unsigned target), unsigned first, unsigned end_at)
{
    for (unsigned i = first; i < end_at; i++, now_ms += 10)
        what(i);
}

static void wait_ms(uint64_t ms)
{
    now_ms += ms;
    hold_advance(&hold, now_ms);
    settle();
}

/* u, d or ? for each. */
static void expect_counts(const char *expected)
{
    char got[MANY + 1] = "";
    settle();
    for (unsigned i = 0; i < target_cnt; i++)
        got[i] = "?ud"[targets[i].counts];
    assert_string_equal(got, expected);
}

/* ---- nothing of ours */

static void verdicts_count_at_once(void **state)
{
    (void)state;
    begin(4, 1, HEALTH_UNKNOWN);
    each(lives, 0, 3);
    dies(3);
    expect_counts("uuud");
    fails(1);
    assert_true(hold_target_unsettled(&targets[1]));
    dies(1);
    expect_counts("udud");
    passes(1);
    expect_counts("udud");
    lives(1);
    expect_counts("uuud");
    assert_true(hold_due_ms(&hold) == UINT64_MAX);
    end();
}

/* Two sites with an anchor each. */
static void one_of_two_sites_may_die(void **state)
{
    (void)state;
    begin(20, 2, HEALTH_UP);
    fails(0);
    each(fails, 2, 11);
    dies(0);
    each(dies, 2, 11);
    assert_false(hold.is_on);
    expect_counts("duddddddddduuuuuuuuu");
    end();
    /* without anchors */
    begin(20, 0, HEALTH_UP);
    each(fails, 0, 10);
    each(dies, 0, 10);
    assert_false(hold.is_on);
    expect_counts("dddddddddduuuuuuuuuu");
    end();
}

static void nine_of_ten_are_not_more_than_nine_tenths(void **state)
{
    (void)state;
    begin(20, 0, HEALTH_UP);
    each(dies, 0, 18);
    assert_false(hold.is_on);
    dies(18);
    assert_true(hold.is_on);
    end();
    begin(9, 0, HEALTH_UP);
    each(dies, 0, 9);
    assert_false(hold.is_on);
    end();
}

/* However many: what takes longer than an interval is no broken network of ours. */
static void a_slow_dying_is_real(void **state)
{
    (void)state;
    begin(20, 0, HEALTH_UP);
    each(dies, 0, 10);
    wait_ms(WINDOW_MS);
    each(dies, 10, 20);
    assert_false(hold.is_on);
    expect_counts("dddddddddddddddddddd");
    end();
}

/* Ten more, asked every ten seconds. */
static void add_slow(void)
{
    static const struct health_timing slow = {
        .interval_ms = 10000, .fast_interval_ms = 100, .timeout_ms = 200, .rise = 2, .fall = 3};
    for (unsigned i = 0; i < 10; i++)
        hold_add(&hold, &targets[target_cnt++], &slow, HEALTH_UP, false, false, now_ms);
}

/* Who is asked more often fails earlier. */
static void intervals_may_differ(void **state)
{
    (void)state;
    begin(10, 0, HEALTH_UP);
    add_slow();
    each(dies, 0, 10);
    wait_ms(9000);
    each(dies, 10, 20);
    assert_true(hold.is_on);
    expect_counts("uuuuuuuuuuuuuuuuuuuu");
    end();
}

/* That some are asked rarely does not put together what others began far apart. */
static void slow_ones_do_not_stretch_the_interval(void **state)
{
    (void)state;
    begin(30, 0, HEALTH_UP);
    target_cnt = 30;
    add_slow();
    for (unsigned i = 0; i < 30; i++) {
        dies(i);
        wait_ms(200);
    }
    each(dies, 30, 40);
    assert_false(hold.is_on);
    expect_counts("dddddddddddddddddddddddddddddddddddddddd");
    /* one that died before all others by itself keeps nobody from seeing it */
    each(lives, 0, 40);
    wait_ms(20000);
    dies(35);
    wait_ms(WINDOW_MS + 1000);
    each(dies, 0, 30);
    wait_ms(8000);
    each(dies, 30, 35);
    each(dies, 36, 40);
    assert_true(hold.is_on);
    end();
}

/* With an anchor that answers, it is not us. */
static void all_may_die_while_an_anchor_answers(void **state)
{
    (void)state;
    begin(20, 1, HEALTH_UP);
    each(fails, 1, 20);
    each(dies, 1, 20);
    assert_false(hold.is_on);
    /* and when it fails later, what died before stays dead */
    wait_ms(10000);
    fails(0);
    dies(0);
    assert_true(hold.is_on);
    expect_counts("uddddddddddddddddddd");
    end();
}

/* ---- anchors */

static void anchors_hold_what_failed_since_they_did(void **state)
{
    (void)state;
    begin(8, 2, HEALTH_UP);
    dies(7); /* long before */
    wait_ms(10000);
    each(fails, 2, 4);
    each(dies, 2, 4);
    expect_counts("uudduuud"); /* nobody knows yet */
    each(fails, 0, 2);
    dies(0);
    assert_false(hold.is_on);
    dies(1);
    assert_true(hold.is_on);
    assert_int_equal(hold.cause, HOLD_BY_ANCHORS);
    assert_true(hold_due_ms(&hold) == hold.since_ms + MAX_MS);
    expect_counts("uuuuuuud");
    assert_true(hold_target_restored(&hold, &targets[2]) && hold_target_unsettled(&targets[2]));
    /* later verdicts are not heeded, whatever they are */
    dies(4);
    lives(7);
    expect_counts("uuuuuuud");
    /* an anchor answers: who is up counts at once, who is down has the time for another check */
    passes(0);
    assert_true(hold.is_on);
    lives(0);
    assert_false(hold.is_on);
    assert_int_equal(hold.end, HOLD_END_ANSWER);
    expect_counts("uuuuuuuu");
    passes(2);
    wait_ms(WINDOW_MS - 1);
    expect_counts("uuuuuuuu");
    assert_true(hold_due_ms(&hold) == now_ms + 1);
    wait_ms(1);
    expect_counts("ududduuu");
    lives(2);
    assert_false(hold_target_restored(&hold, &targets[2]));
    end();
}

static void who_passes_after_a_hold_was_never_down(void **state)
{
    (void)state;
    begin(4, 1, HEALTH_UP);
    each(fails, 0, 4);
    each(dies, 0, 4);
    expect_counts("uuuu");
    lives(0);
    wait_ms(500);
    passes(1);
    wait_ms(WINDOW_MS);
    expect_counts("uudd");
    lives(1);
    expect_counts("uudd");
    /* one that passes and fails again is down */
    end();
    begin(2, 1, HEALTH_UP);
    each(dies, 0, 2);
    expect_counts("uu");
    lives(0);
    passes(1);
    dies(1);
    expect_counts("ud");
    assert_true(hold_due_ms(&hold) == UINT64_MAX);
    end();
}

/* A site's network comes and goes: what a hold left to be seen is held on. */
static void a_second_hold_before_all_was_seen(void **state)
{
    (void)state;
    begin(4, 1, HEALTH_UP);
    each(dies, 0, 4);
    lives(0);
    expect_counts("uuuu");
    wait_ms(200);
    dies(0);
    assert_true(hold.is_on);
    assert_int_equal(hold.begun_cnt, 2);
    wait_ms(10000);
    expect_counts("uuuu");
    lives(0);
    wait_ms(WINDOW_MS);
    expect_counts("uddd");
    end();
}

/* An anchor that nobody cared for. */
static void the_last_anchor_to_fail_says_when(void **state)
{
    (void)state;
    begin(6, 2, HEALTH_UP);
    dies(0);
    wait_ms(100000);
    each(dies, 2, 4);
    wait_ms(100000);
    each(dies, 4, 6);
    dies(1);
    assert_true(hold.is_on);
    expect_counts("duddu" "u");
    end();
}

/* ---- nine tenths */

static void the_hold_of_all_targets_ends_with_most_of_them(void **state)
{
    (void)state;
    begin(20, 0, HEALTH_UP);
    dies(0);
    wait_ms(10000);
    each(fails, 1, 10);
    each(dies, 1, 10);
    expect_counts("dddddddddduuuuuuuuuu");
    each(fails, 10, 20);
    assert_true(hold.is_on);
    assert_int_equal(hold.cause, HOLD_BY_TARGETS);
    expect_counts("duuuuuuuuuuuuuuuuuuu");
    each(dies, 10, 20);
    expect_counts("duuuuuuuuuuuuuuuuuuu");
    each(passes, 1, 11);
    assert_true(hold.is_on); /* ten of twenty */
    passes(11);
    assert_false(hold.is_on);
    assert_int_equal(hold.end, HOLD_END_PASS);
    each(lives, 1, 12);
    each(passes, 12, 18);
    wait_ms(WINDOW_MS);
    expect_counts("duuuuuuuuuuuuuuuuudd");
    end();
}

/* What nobody has ever seen alive is unknown, as before. */
static void at_a_start_all_stay_unknown(void **state)
{
    (void)state;
    begin(12, 0, HEALTH_UNKNOWN);
    each(dies, 0, 12);
    assert_false(hold.is_on); /* without anchors there is nothing to go by */
    expect_counts("dddddddddddd");
    end();
    begin(12, 1, HEALTH_UNKNOWN);
    each(dies, 1, 12);
    dies(0);
    assert_true(hold.is_on);
    expect_counts("????????????");
    /* but who is up is up */
    lives(3);
    expect_counts("???u????????");
    fails(3);
    dies(3);
    expect_counts("???u????????");
    wait_ms(MAX_MS);
    assert_int_equal(hold.end, HOLD_END_LONG);
    expect_counts("dddddddddddd");
    end();
}

/* ---- other ends */

static void a_hold_lasts_no_longer_than_it_may(void **state)
{
    (void)state;
    begin(3, 1, HEALTH_UP);
    each(dies, 0, 3);
    wait_ms(MAX_MS - 100);
    expect_counts("uuu");
    wait_ms(100);
    assert_false(hold.is_on);
    assert_int_equal(hold.end, HOLD_END_LONG);
    expect_counts("ddd"); /* at once */
    /* not again, before things were well once */
    passes(0);
    dies(0);
    passes(1);
    dies(1);
    assert_false(hold.is_on);
    each(lives, 0, 3);
    expect_counts("uuu");
    each(dies, 0, 3);
    assert_true(hold.is_on);
    expect_counts("uuu");
    end();
}

static void an_operator_ends_it(void **state)
{
    (void)state;
    begin(3, 1, HEALTH_UP);
    assert_false(hold_release(&hold, now_ms));
    each(dies, 0, 3);
    passes(2);
    expect_counts("uuu");
    assert_true(hold_release(&hold, now_ms));
    assert_int_equal(hold.end, HOLD_END_RELEASED);
    expect_counts("ddd");
    dies(2);
    assert_false(hold.is_on || hold_release(&hold, now_ms));
    end();
}

static void without_a_time_there_is_none(void **state)
{
    (void)state;
    begin(3, 1, HEALTH_UP);
    each(dies, 0, 2);
    assert_true(hold.is_on);
    hold_set_max(&hold, 0, now_ms);
    assert_false(hold.is_on);
    expect_counts("ddu");
    hold_set_max(&hold, 0, now_ms);
    each(lives, 0, 3);
    each(dies, 0, 3);
    assert_false(hold.is_on);
    expect_counts("ddd");
    end();
}

/* ---- coming and going */

static void targets_come_and_go_during_a_hold(void **state)
{
    (void)state;
    begin(4, 1, HEALTH_UP);
    each(dies, 0, 4);
    /* one that changes its settings brings what was seen of it along, and is unknown: what it counted as is kept
     * elsewhere */
    hold_add(&hold, &targets[4], &timing, HEALTH_DOWN, false, false, now_ms);
    hold_remove(&hold, &targets[3]);
    targets[3] = (struct hold_target){0};
    hold_add(&hold, &targets[3], &timing, HEALTH_UNKNOWN, false, false, now_ms);
    target_cnt = 5;
    expect_counts("uuu??");
    dies(3);
    expect_counts("uuu??");
    /* without anchors it is for the targets to end it */
    hold_set_anchor(&hold, &targets[0], false);
    hold_advance(&hold, now_ms);
    assert_true(hold.is_on);
    each(lives, 0, 3);
    assert_false(hold.is_on);
    wait_ms(WINDOW_MS);
    expect_counts("uuudd");
    end();
}

/* Anything in any order: what is counted is what there is, and in the end all verdicts count. */
static void whatever_happens_is_counted(void **state)
{
    (void)state;
    srand(4711);
    for (unsigned round = 0; round < 200; round++) {
        bool there[MANY];
        begin(MANY, (unsigned)rand() % 3, HEALTH_UNKNOWN);
        memset(there, 1, sizeof there);
        unsigned broken = 0;
        for (unsigned step = 0; step < 600; step++) {
            unsigned i = (unsigned)rand() % MANY;
            broken = rand() % 100 ? broken : !broken;
            if (there[i] && rand() % 100 == 0) {
                hold_remove(&hold, &targets[i]);
                there[i] = false;
            } else if (!there[i]) {
                hold_add(&hold, &targets[i], &timing, (enum health_verdict)(rand() % 3), false, false, now_ms);
                there[i] = true;
            } else {
                unsigned what = (unsigned)rand() % 8;
                see(i, (what > 6) == !broken ? HEALTH_DOWN : HEALTH_UP, targets[i].seen && what % 2);
            }
            if (rand() % 300 == 0)
                hold_release(&hold, now_ms);
            if (rand() % 4 == 0)
                settle();
            now_ms += (uint64_t)(rand() % 60);
            hold_advance(&hold, now_ms);
            size_t passing = 0, differing = 0, cnt = 0;
            for (unsigned t = 0; t < MANY; t++) {
                if (!there[t])
                    continue;
                cnt++;
                differing += hold_target_differs(&targets[t]);
                passing += (targets[t].seen == HEALTH_UP && !targets[t].unsettled) ||
                           (targets[t].seen == HEALTH_DOWN && targets[t].unsettled);
            }
            assert_int_equal(hold.target_cnt, cnt);
            assert_int_equal(hold.passing_cnt, passing);
            assert_int_equal(hold.differing_cnt, differing);
        }
        for (unsigned t = 0; t < MANY; t++)
            if (!there[t])
                hold_add(&hold, &targets[t], &timing, HEALTH_UNKNOWN, false, false, now_ms);
        each(lives, 0, MANY);
        assert_false(hold.is_on);
        wait_ms(WINDOW_MS);
        for (unsigned t = 0; t < MANY; t++)
            assert_int_equal(targets[t].counts, HEALTH_UP);
        assert_int_equal(hold.differing_cnt, 0);
        end();
    }
}

/* A hundred thousand begin to fail: no event, and no piece of the beginning, keeps anybody waiting. */
static void many_take_no_longer(void **state)
{
    (void)state;
    enum { CROWD = 100000 };
    struct hold_target *crowd = mem_zalloc(CROWD, sizeof *crowd), *target;
    struct timespec from, to;
    uint64_t most_ns = 0;
    now_ms = 1000000;
    hold_init(&hold);
    hold_set_max(&hold, MAX_MS, now_ms);
    for (unsigned i = 0; i < CROWD; i++)
        hold_add(&hold, &crowd[i], &timing, HEALTH_UP, false, false, now_ms);
    for (unsigned i = 0; i < CROWD; i++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        hold_observe(&hold, &crowd[i], HEALTH_DOWN, false, now_ms);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        uint64_t ns = (uint64_t)((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec);
        most_ns = ns > most_ns ? ns : most_ns;
    }
    assert_true(hold.is_on);
    unsigned restored = 0;
    while (hold_next(&hold, &target, now_ms))
        restored += target != NULL;
    assert_in_range(restored, CROWD * 9 / 10, CROWD * 9 / 10 + 1);
    print_message("the longest event of %d: %.3f ms\n", CROWD, (double)most_ns / 1e6);
    assert_true(most_ns < 5000000);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(crowd[i].counts, HEALTH_UP);
        hold_remove(&hold, &crowd[i]);
    }
    hold_fini(&hold);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_count_at_once),
        cmocka_unit_test(one_of_two_sites_may_die),
        cmocka_unit_test(nine_of_ten_are_not_more_than_nine_tenths),
        cmocka_unit_test(a_slow_dying_is_real),
        cmocka_unit_test(intervals_may_differ),
        cmocka_unit_test(slow_ones_do_not_stretch_the_interval),
        cmocka_unit_test(all_may_die_while_an_anchor_answers),
        cmocka_unit_test(anchors_hold_what_failed_since_they_did),
        cmocka_unit_test(who_passes_after_a_hold_was_never_down),
        cmocka_unit_test(a_second_hold_before_all_was_seen),
        cmocka_unit_test(the_last_anchor_to_fail_says_when),
        cmocka_unit_test(the_hold_of_all_targets_ends_with_most_of_them),
        cmocka_unit_test(at_a_start_all_stay_unknown),
        cmocka_unit_test(a_hold_lasts_no_longer_than_it_may),
        cmocka_unit_test(an_operator_ends_it),
        cmocka_unit_test(without_a_time_there_is_none),
        cmocka_unit_test(targets_come_and_go_during_a_hold),
        cmocka_unit_test(whatever_happens_is_counted),
        cmocka_unit_test(many_take_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
