/* Whom a secondary asks, and what it fetches from whom. */
#include "refresh_rig.h"

static void test_same_serial_waits_for_refresh(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 10);
    expect_asking(&g);
    assert_int_equal(answer(&g, 1, 10), REFRESH_SAME);
    assert_int_equal(answer(&g, 1, 10), REFRESH_IGNORED);
    expect_nothing(&g);
    assert_int_equal(answer(&g, 0, 10), REFRESH_SAME);
    expect_refresh_wait(&g);
    expect_asking(&g);
    assert_int_equal(refresh_answered(&g.r, 0, g.r.round - 1, 11, g.now_ms), REFRESH_IGNORED);
    stop(&g);
}

static void test_the_newest_serial_wins(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 3, 10);
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, 11), REFRESH_NEWER);
    assert_int_equal(answer(&g, 1, 13), REFRESH_NEWER);
    expect_nothing(&g); /* the third may have newer still */
    assert_int_equal(answer(&g, 2, 9), REFRESH_OLDER);
    expect_fetch(&g, 1, 13, true);
    expect_nothing(&g);
    fetched(&g, 13);
    expect_refresh_wait(&g); /* what the first has is old news */
    stop(&g);
}

/* RFC 1982: across the wrap, and half the circle away. */
static void test_serials_wrap(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 0xfffffff0);
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, 0xfffffff5), REFRESH_NEWER);
    assert_int_equal(answer(&g, 1, 3), REFRESH_NEWER);
    expect_fetch(&g, 1, 3, true);
    fetched(&g, 3);
    expect_refresh_wait(&g);
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, UINT32_C(0x80000003)), REFRESH_OLDER);
    assert_int_equal(answer(&g, 1, UINT32_C(0x80000002)), REFRESH_NEWER);
    expect_fetch(&g, 1, UINT32_C(0x80000002), true);
    stop(&g);
}

static void test_a_dead_primary_is_passed_over(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 10);
    expect_asking(&g);
    answer(&g, 1, 11);
    expect_nothing(&g);
    wait_for(&g, REFRESH_PATIENCE_MS, REFRESH_PATIENCE_MS);
    expect_fetch(&g, 1, 11, true);
    wait_for(&g, 1000, 1000); /* the other is asked on, meanwhile */
    assert_int_equal(expect(&g, REFRESH_ASK, 0).try, 1);
    fetched(&g, 11);
    expect_nothing(&g);
    wait_for(&g, 4000, 4000);
    struct refresh_step step = expect(&g, REFRESH_ASK, 0);
    assert_true(step.try == 2 && step.over_tcp);
    expect_nothing(&g);
    wait_for(&g, 6000, 6000);
    expect_refresh_wait(&g);
    stop(&g);
}

/* It answered late, and has newer than what was fetched. */
static void test_late_news_are_fetched_too(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 10);
    expect_asking(&g);
    answer(&g, 0, 11);
    g.now_ms += REFRESH_PATIENCE_MS;
    expect_fetch(&g, 0, 11, true);
    assert_int_equal(answer(&g, 1, 12), REFRESH_NEWER);
    expect_nothing(&g); /* one at a time */
    fetched(&g, 11);
    expect_fetch(&g, 1, 12, true);
    fetched(&g, 12);
    expect_refresh_wait(&g);
    stop(&g);
}

static void test_nobody_answers(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 10);
    expect_asking(&g);
    wait_for(&g, 2000, 2000);
    assert_false(expect(&g, REFRESH_ASK, 0).over_tcp);
    assert_false(expect(&g, REFRESH_ASK, 1).over_tcp);
    refresh_unanswered(&g.r, 0, g.r.round); /* an answer with SERVFAIL, say */
    wait_for(&g, 4000, 4000);
    assert_true(expect(&g, REFRESH_ASK, 1).over_tcp);
    wait_for(&g, 6000, 6000);
    expect_retry_wait(&g);
    expect_asking(&g);
    refresh_unanswered(&g.r, 0, g.r.round);
    refresh_unanswered(&g.r, 1, g.r.round);
    expect_retry_wait(&g);
    stop(&g);
}

/* ---- transfers */

static void test_a_failed_ixfr_is_followed_by_axfr_then_by_the_next(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 3, 10);
    expect_asking(&g);
    answer(&g, 0, 12);
    answer(&g, 1, 12);
    answer(&g, 2, 11);
    expect_fetch(&g, 0, 12, true);
    failed(&g, REFRESH_REFUSED);
    expect_fetch(&g, 0, 12, false);
    failed(&g, REFRESH_REFUSED);
    expect_fetch(&g, 1, 12, true);
    failed(&g, REFRESH_UNREACHABLE); /* AXFR would not reach it either */
    expect_fetch(&g, 2, 11, true);
    fetched(&g, 11);
    expect_retry_wait(&g); /* there is a 12 yet to be had */
    stop(&g);
}

static void test_all_transfers_fail(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    expect_asking(&g);
    answer(&g, 0, 12);
    expect_fetch(&g, 0, 12, true);
    failed(&g, REFRESH_REFUSED);
    expect_fetch(&g, 0, 12, false);
    failed(&g, REFRESH_REFUSED);
    expect_retry_wait(&g);
    expect_asking(&g);
    answer(&g, 0, 12);
    expect_fetch(&g, 0, 12, true); /* from the beginning */
    failed(&g, REFRESH_REFUSED);
    fetched(&g, 12); /* of no transfer that runs */
    assert_int_equal(g.r.soa.serial, 10);
    stop(&g);
}

/* An IXFR that says that there is nothing new: what the question was answered with was wrong, or went away. */
static void test_an_empty_ixfr_ends_the_round(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    expect_asking(&g);
    answer(&g, 0, 12);
    expect_fetch(&g, 0, 12, true);
    fetched(&g, 10);
    expect_retry_wait(&g);
    assert_int_equal(refresh_good_wall_ms(&g.r, g.now_ms, WALL_MS + 7), WALL_MS + 7 - (g.now_ms - g.r.good_ms));
    stop(&g);
}

/* Nothing to start with: AXFR, and quick retries that become slower. */
static void test_a_new_zone(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 0);
    uint64_t waited_ms = REFRESH_FIRST_RETRY_MS;
    for (unsigned i = 0; i < 15; i++) {
        expect_asking(&g);
        refresh_unanswered(&g.r, 0, g.r.round);
        refresh_unanswered(&g.r, 1, g.r.round);
        expect_nothing(&g);
        wait_for(&g, waited_ms - waited_ms / 10, waited_ms);
        waited_ms = waited_ms * 2 > HOUR_MS ? HOUR_MS : waited_ms * 2;
    }
    assert_int_equal(refresh_expiry_ms(&g.r), REFRESH_NEVER);
    assert_int_equal(refresh_good_wall_ms(&g.r, g.now_ms, WALL_MS), 0);
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, 5), REFRESH_NEWER);
    assert_int_equal(answer(&g, 1, 6), REFRESH_NEWER);
    expect_fetch(&g, 1, 6, false);
    failed(&g, REFRESH_REFUSED);
    expect_fetch(&g, 0, 5, false);
    fetched(&g, 5);
    assert_int_equal(refresh_expiry_ms(&g.r), g.now_ms + UINT64_C(14000) * DAY_SEC);
    expect_retry_wait(&g);
    stop(&g);
}

/* ---- NOTIFY */

/* Its sender's word is enough: nobody else is waited for. */
static void test_a_notify_is_acted_upon_at_once(void **state)
{
    (void)state;
    struct rig g;
    uint32_t serial = 11;
    start(&g, 3, 10);
    settle(&g, 10);
    assert_true(refresh_notified(&g.r, 1, &serial, g.now_ms));
    expect_asking(&g);
    answer(&g, 2, 11);
    expect_nothing(&g);
    answer(&g, 1, 11);
    expect_fetch(&g, 1, 11, true);
    fetched(&g, 11);
    expect_nothing(&g);
    refresh_unanswered(&g.r, 0, g.r.round);
    expect_refresh_wait(&g);
    stop(&g);
}

static void test_a_notify_of_what_we_have_is_no_news(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    settle(&g, 10);
    for (uint32_t serial = 8; serial <= 10; serial++)
        assert_false(refresh_notified(&g.r, 0, &serial, g.now_ms));
    expect_nothing(&g);
    assert_true(refresh_notified(&g.r, 7, NULL, g.now_ms)); /* who is no primary may not know */
    expect_asking(&g);
    stop(&g);
}

/* A storm asks once at a time and once more afterwards. */
static void test_a_storm_of_notifies(void **state)
{
    (void)state;
    struct rig g;
    unsigned asked = 0;
    start(&g, 1, 10);
    settle(&g, 10);
    for (unsigned ms = 0; ms < 10000; ms++, g.now_ms++) {
        struct refresh_step step;
        for (unsigned i = 0; i < 10; i++)
            refresh_notified(&g.r, 0, NULL, g.now_ms);
        while (refresh_next(&g.r, &step, g.now_ms)) {
            assert_int_equal(step.kind, REFRESH_ASK);
            assert_int_equal(step.try, 0);
            asked++;
        }
        if (g.r.state == REFRESH_ASKING)
            answer(&g, 0, 10); /* 1 ms later */
    }
    unsigned every_gap = 10000 / REFRESH_NOTIFY_GAP_MS;
    assert_in_range(asked, every_gap * 9 / 10, every_gap + 1 + REFRESH_NOTIFY_BURST); /* but for the first */
    g.now_ms += 10000;
    if (g.r.again)
        settle(&g, 10);
    expect_nothing(&g);
    stop(&g);
}

static void test_one_more_round_behind_a_transfer(void **state)
{
    (void)state;
    struct rig g;
    uint32_t eleven = 11, twelve = 12;
    start(&g, 1, 10);
    settle(&g, 10);
    assert_true(refresh_notified(&g.r, 0, &eleven, g.now_ms));
    expect_asking(&g);
    answer(&g, 0, 11);
    expect_fetch(&g, 0, 11, true);
    assert_false(refresh_notified(&g.r, 0, &eleven, g.now_ms)); /* it is on its way */
    assert_true(refresh_notified(&g.r, 0, &twelve, g.now_ms));
    assert_false(refresh_notified(&g.r, 0, &twelve, g.now_ms));
    g.now_ms += 500;
    expect_nothing(&g);
    fetched(&g, 11);
    expect_asking(&g);
    answer(&g, 0, 12);
    expect_fetch(&g, 0, 12, true);
    assert_false(refresh_notified(&g.r, 0, &twelve, g.now_ms));
    fetched(&g, 12);
    expect_refresh_wait(&g);
    stop(&g);
}

/* The transfer brought more than was announced: what a NOTIFY said meanwhile is old. */
static void test_a_hint_that_came_true_asks_for_nothing(void **state)
{
    (void)state;
    struct rig g;
    uint32_t twelve = 12;
    start(&g, 1, 10);
    expect_asking(&g);
    answer(&g, 0, 11);
    expect_fetch(&g, 0, 11, true);
    assert_true(refresh_notified(&g.r, 0, &twelve, g.now_ms));
    fetched(&g, 12);
    expect_refresh_wait(&g);
    stop(&g);
}

/* So many rounds have begun that the next is the last without a gap behind it. */
static void spend(struct rig *g) { g->r.paid_ms = g->now_ms + (REFRESH_NOTIFY_BURST - 1) * REFRESH_NOTIFY_GAP_MS; }

/* Ten announcements one after the other are followed at once; then there is a gap. */
static void test_a_burst_of_news(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    settle(&g, 10);
    g.now_ms += REFRESH_NOTIFY_BURST * REFRESH_NOTIFY_GAP_MS;
    for (uint32_t serial = 11; serial < 11 + REFRESH_NOTIFY_BURST; serial++) {
        assert_true(refresh_notified(&g.r, 0, &serial, g.now_ms));
        expect_asking(&g);
        answer(&g, 0, serial);
        expect_fetch(&g, 0, serial, true);
        fetched(&g, serial);
    }
    assert_true(refresh_notified(&g.r, 0, NULL, g.now_ms));
    expect_nothing(&g);
    wait_for(&g, REFRESH_NOTIFY_GAP_MS, REFRESH_NOTIFY_GAP_MS);
    expect_asking(&g);
    stop(&g);
}

/* One that said no serial may have meant any. */
static void test_what_was_no_hint_is_asked_for(void **state)
{
    (void)state;
    uint32_t twelve = 12;
    for (unsigned first = 0; first < 2; first++) {
        struct rig g;
        start(&g, 1, 10);
        spend(&g);
        expect_asking(&g);
        answer(&g, 0, 11);
        expect_fetch(&g, 0, 11, true);
        refresh_notified(&g.r, 0, first ? &twelve : NULL, g.now_ms);
        refresh_notified(&g.r, 0, first ? NULL : &twelve, g.now_ms);
        fetched(&g, 12);
        expect_nothing(&g);
        wait_for(&g, REFRESH_NOTIFY_GAP_MS, REFRESH_NOTIFY_GAP_MS);
        expect_asking(&g);
        stop(&g);
    }
}

/* A dead primary is asked for 12 s: news of the living one do not wait for that. */
static void test_a_dead_primary_holds_up_no_news(void **state)
{
    (void)state;
    struct rig g;
    uint32_t eleven = 11, twelve = 12;
    start(&g, 2, 10);
    expect_asking(&g);
    answer(&g, 1, 10);
    expect_nothing(&g);
    g.now_ms += 300;
    spend(&g);
    assert_true(refresh_notified(&g.r, 1, &eleven, g.now_ms));
    expect_asking(&g);
    answer(&g, 1, 11);
    expect_fetch(&g, 1, 11, true);
    fetched(&g, 11);
    expect_nothing(&g);
    assert_true(refresh_notified(&g.r, 1, &twelve, g.now_ms));
    expect_nothing(&g);
    wait_for(&g, REFRESH_NOTIFY_GAP_MS, REFRESH_NOTIFY_GAP_MS);
    expect_asking(&g);
    stop(&g);
}

/* ---- an operator */

static void test_a_forced_refresh(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    settle(&g, 10);
    spend(&g);
    refresh_now(&g.r, false, g.now_ms);
    expect_asking(&g);
    refresh_now(&g.r, false, g.now_ms); /* while asking: once more */
    answer(&g, 0, 10);
    expect_nothing(&g);
    wait_for(&g, 1, REFRESH_NOTIFY_GAP_MS);
    expect_asking(&g);
    answer(&g, 0, 10);
    expect_refresh_wait(&g);
    stop(&g);
}

static void test_a_forced_transfer(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 2, 10);
    settle(&g, 10);
    refresh_now(&g.r, true, g.now_ms);
    expect_asking(&g);
    answer(&g, 0, 8);
    answer(&g, 1, 9);
    expect_fetch(&g, 1, 9, false);
    failed(&g, REFRESH_REFUSED);
    expect_fetch(&g, 0, 8, false);
    fetched(&g, 8);
    assert_int_equal(g.r.soa.serial, 8);
    expect_retry_wait(&g); /* the second has a 9 */
    expect_asking(&g);
    answer(&g, 0, 8);
    answer(&g, 1, 9);
    expect_fetch(&g, 1, 9, true); /* the ordinary way again */
    refresh_now(&g.r, true, g.now_ms); /* behind what runs */
    fetched(&g, 9);
    expect_asking(&g);
    answer(&g, 0, 8);
    answer(&g, 1, 9);
    expect_fetch(&g, 1, 9, false);
    failed(&g, REFRESH_UNREACHABLE);
    expect_fetch(&g, 0, 8, false);
    failed(&g, REFRESH_REFUSED);
    assert_int_equal(g.r.soa.serial, 9);
    expect_refresh_wait(&g); /* it is not tried again by itself, and what we have was confirmed */
    expect_asking(&g);
    answer(&g, 0, 9);
    answer(&g, 1, 9);
    expect_refresh_wait(&g);
    stop(&g);
}

static void test_a_new_configuration(void **state)
{
    (void)state;
    struct rig g;
    struct refresh_bounds shorter = bounds;
    start(&g, 2, 10);
    expect_asking(&g);
    answer(&g, 0, 11);
    answer(&g, 1, 11);
    expect_fetch(&g, 0, 11, true);
    uint32_t round = g.r.round;
    refresh_configure(&g.r, &bounds, 1, true, g.now_ms);
    struct soa soa = soa_of(11);
    refresh_transferred(&g.r, round, &soa, g.now_ms);
    assert_int_equal(refresh_answered(&g.r, 0, round, 12, g.now_ms), REFRESH_IGNORED);
    assert_int_equal(g.r.soa.serial, 10);
    expect_asking(&g);
    answer(&g, 0, 10);
    expect_nothing(&g);
    shorter.refresh_max_ms = 60000;
    shorter.expire_max_ms = 3600000;
    refresh_configure(&g.r, &shorter, 1, false, g.now_ms);
    wait_for(&g, 60000, 60000);
    assert_int_equal(refresh_expiry_ms(&g.r), g.now_ms - 60000 + 3600000);
    expect_asking(&g);
    stop(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_serial_waits_for_refresh),
        cmocka_unit_test(test_the_newest_serial_wins),
        cmocka_unit_test(test_serials_wrap),
        cmocka_unit_test(test_a_dead_primary_is_passed_over),
        cmocka_unit_test(test_late_news_are_fetched_too),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_a_failed_ixfr_is_followed_by_axfr_then_by_the_next),
        cmocka_unit_test(test_all_transfers_fail),
        cmocka_unit_test(test_an_empty_ixfr_ends_the_round),
        cmocka_unit_test(test_a_new_zone),
        cmocka_unit_test(test_a_notify_is_acted_upon_at_once),
        cmocka_unit_test(test_a_notify_of_what_we_have_is_no_news),
        cmocka_unit_test(test_a_storm_of_notifies),
        cmocka_unit_test(test_one_more_round_behind_a_transfer),
        cmocka_unit_test(test_a_hint_that_came_true_asks_for_nothing),
        cmocka_unit_test(test_a_burst_of_news),
        cmocka_unit_test(test_what_was_no_hint_is_asked_for),
        cmocka_unit_test(test_a_dead_primary_holds_up_no_news),
        cmocka_unit_test(test_a_forced_refresh),
        cmocka_unit_test(test_a_forced_transfer),
        cmocka_unit_test(test_a_new_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
