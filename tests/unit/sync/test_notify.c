/* Outgoing NOTIFY of a zone in virtual time. */
#include "sync/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TARGETS = 3 };

struct rig {
    struct notify n;
    struct random_state rng;
    uint64_t now_ms;
    struct sync_peer peers[TARGETS];
};

static void start(struct rig *g)
{
    *g = (struct rig){.rng = {{UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xD1B54A32D192ED03)}}, .now_ms = 100};
    for (uint8_t i = 0; i < TARGETS; i++)
        g->peers[i].addr = (struct addr){.family = ADDR_V4, .port = 53, .bytes = {192, 0, 2, (uint8_t)(i + 1)}};
    notify_init(&g->n, &g->rng);
    notify_set_targets(&g->n, g->peers, TARGETS);
}

static struct notify_step expect(struct rig *g, enum notify_step_kind kind, uint32_t target)
{
    struct notify_step step;
    assert_true(notify_due_ms(&g->n) <= g->now_ms);
    assert_true(notify_next(&g->n, &step, g->now_ms));
    assert_int_equal(step.kind, kind);
    assert_int_equal(step.target, target);
    assert_false(addr_cmp(&step.peer->addr, &g->peers[target].addr));
    return step;
}

static void expect_nothing(struct rig *g)
{
    struct notify_step step;
    assert_false(notify_next(&g->n, &step, g->now_ms));
    assert_true(notify_due_ms(&g->n) > g->now_ms);
}

/* Everybody is told of the serial, for the first time. */
static void expect_all(struct rig *g, uint32_t serial)
{
    for (uint32_t i = 0; i < TARGETS; i++) {
        struct notify_step step = expect(g, NOTIFY_SEND, i);
        assert_int_equal(step.serial, serial);
        assert_int_equal(step.try, 0);
    }
    expect_nothing(g);
}

static enum notify_verdict answer(struct rig *g, uint32_t target, unsigned rcode)
{
    return notify_answered(&g->n, target, g->n.round, rcode);
}

static void all_answer(struct rig *g)
{
    for (uint32_t i = 0; i < TARGETS; i++)
        assert_int_equal(answer(g, i, RCODE_NOERROR), NOTIFY_DONE);
    assert_int_equal(notify_answered_cnt(&g->n), TARGETS);
}

static void test_the_first_change_is_told_at_once(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    assert_int_equal(notify_due_ms(&g.n), NOTIFY_NEVER);
    assert_false(notify_now(&g.n, g.now_ms));
    notify_serial(&g.n, 1, g.now_ms);
    expect_all(&g, 1);
    all_answer(&g);
    assert_int_equal(notify_due_ms(&g.n), NOTIFY_NEVER);
    g.now_ms += 5000;
    notify_serial(&g.n, 1, g.now_ms); /* it has that one */
    expect_nothing(&g);
    notify_serial(&g.n, 2, g.now_ms);
    expect_all(&g, 2);
    notify_fini(&g.n);
}

/* A second change soon after waits for 0.2 s of quiet. */
static void test_changes_wait_for_quiet(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    notify_serial(&g.n, 1, g.now_ms);
    expect_all(&g, 1);
    all_answer(&g);
    g.now_ms += 50;
    notify_serial(&g.n, 2, g.now_ms);
    expect_nothing(&g);
    g.now_ms += 150;
    notify_serial(&g.n, 3, g.now_ms);
    expect_nothing(&g);
    assert_int_equal(notify_due_ms(&g.n), g.now_ms + NOTIFY_QUIET_MS);
    g.now_ms += NOTIFY_QUIET_MS - 1;
    expect_nothing(&g);
    g.now_ms++;
    expect_all(&g, 3);
    all_answer(&g);
    /* One second after the last announcement it is at once again. */
    g.now_ms += NOTIFY_REST_MS;
    notify_serial(&g.n, 4, g.now_ms);
    expect_all(&g, 4);
    notify_fini(&g.n);
}

/* A stream that never pauses: announced every second, with the newest serial. */
static void test_a_stream_of_changes(void **state)
{
    (void)state;
    struct rig g;
    unsigned announced = 0;
    uint64_t longest_ms = 0, last_ms;
    start(&g);
    last_ms = g.now_ms;
    for (uint32_t serial = 1; serial <= 1000; serial++, g.now_ms += 10) {
        struct notify_step step;
        notify_serial(&g.n, serial, g.now_ms);
        while (notify_next(&g.n, &step, g.now_ms)) {
            assert_int_equal(step.serial, serial);
            assert_int_equal(step.try, 0);
            announced += step.target == 0;
            if (g.now_ms - last_ms > longest_ms)
                longest_ms = g.now_ms - last_ms;
            last_ms = g.now_ms;
            assert_int_equal(answer(&g, step.target, RCODE_NOERROR), NOTIFY_DONE);
        }
    }
    assert_in_range(announced, 10, 11);
    assert_in_range(longest_ms, NOTIFY_LATEST_MS, NOTIFY_LATEST_MS + 10);
    notify_fini(&g.n);
}

/* RFC 1996 3.6: 1 to 2 s, then doubling, with an end. */
static void test_retries(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    notify_set_targets(&g.n, g.peers, 1);
    notify_serial(&g.n, 1, g.now_ms);
    uint64_t began_ms = g.now_ms, wait_ms = 1000;
    for (unsigned try = 0; try < NOTIFY_TRIES; try++, wait_ms *= 2) {
        assert_int_equal(expect(&g, NOTIFY_SEND, 0).try, try);
        expect_nothing(&g);
        assert_in_range(notify_due_ms(&g.n) - g.now_ms, wait_ms, 2 * wait_ms);
        g.now_ms = notify_due_ms(&g.n);
    }
    expect(&g, NOTIFY_GIVE_UP, 0);
    assert_int_equal(notify_due_ms(&g.n), NOTIFY_NEVER);
    assert_in_range(g.now_ms - began_ms, 63000, 126000);
    assert_int_equal(answer(&g, 0, RCODE_NOERROR), NOTIFY_IGNORED);
    assert_int_equal(notify_answered_cnt(&g.n), 0);
    /* The next time it is given up in silence, and once it has answered no more. */
    for (unsigned round = 0; round < 3; round++) {
        struct notify_step step;
        unsigned sends = 0, told = 0;
        assert_true(notify_now(&g.n, g.now_ms));
        while (notify_due_ms(&g.n) != NOTIFY_NEVER) {
            g.now_ms = notify_due_ms(&g.n);
            while (notify_next(&g.n, &step, g.now_ms)) {
                sends += step.kind == NOTIFY_SEND;
                told += step.kind == NOTIFY_GIVE_UP;
                if (round == 1 && sends == 2)
                    assert_int_equal(answer(&g, 0, RCODE_NOERROR), NOTIFY_DONE);
            }
        }
        assert_int_equal(sends, round == 1 ? 2 : NOTIFY_TRIES);
        assert_int_equal(told, round == 2);
    }
    notify_fini(&g.n);
}

/* Targets that are down together are not told in step. */
static void test_retries_part(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    notify_serial(&g.n, 1, g.now_ms);
    expect_all(&g, 1);
    assert_int_not_equal(g.n.targets[0].due_ms, g.n.targets[1].due_ms);
    assert_int_not_equal(g.n.targets[1].due_ms, g.n.targets[2].due_ms);
    notify_fini(&g.n);
}

static void test_any_rcode_ends_it_and_is_told_once(void **state)
{
    (void)state;
    struct rig g;
    static const struct {
        unsigned rcode;
        enum notify_verdict verdict;
    } rows[] = {
        {RCODE_REFUSED, NOTIFY_REFUSED}, {RCODE_REFUSED, NOTIFY_DONE}, {RCODE_NOTIMP, NOTIFY_REFUSED},
        {RCODE_NOERROR, NOTIFY_DONE},    {RCODE_NOERROR, NOTIFY_DONE}, {RCODE_NOTIMP, NOTIFY_REFUSED},
    };
    start(&g);
    notify_set_targets(&g.n, g.peers, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, g.now_ms += 5000) {
        notify_serial(&g.n, (uint32_t)i + 1, g.now_ms);
        expect(&g, NOTIFY_SEND, 0);
        assert_int_equal(answer(&g, 0, rows[i].rcode), rows[i].verdict);
        assert_int_equal(answer(&g, 0, rows[i].rcode), NOTIFY_IGNORED);
        assert_int_equal(notify_due_ms(&g.n), NOTIFY_NEVER);
    }
    notify_fini(&g.n);
}

/* A newer announcement begins anew; an answer to the old one says nothing of it. */
static void test_a_newer_announcement(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    notify_serial(&g.n, 1, g.now_ms);
    assert_int_equal(answer(&g, 0, RCODE_NOERROR), NOTIFY_IGNORED); /* to nothing that was sent */
    expect_all(&g, 1);
    uint32_t round = g.n.round;
    answer(&g, 0, RCODE_NOERROR);
    g.now_ms += 10000;
    for (uint32_t i = 1; i < TARGETS; i++)
        assert_int_equal(expect(&g, NOTIFY_SEND, i).try, 1);
    notify_serial(&g.n, 2, g.now_ms);
    expect_all(&g, 2);
    assert_int_equal(notify_answered(&g.n, 1, round, RCODE_NOERROR), NOTIFY_IGNORED);
    all_answer(&g);
    notify_fini(&g.n);
}

/* The owner has no room for more: what is due stays due, and its time runs from its send. */
static void test_the_owner_may_wait(void **state)
{
    (void)state;
    struct rig g;
    start(&g);
    notify_serial(&g.n, 1, g.now_ms);
    expect(&g, NOTIFY_SEND, 0);
    g.now_ms += 900;
    assert_true(notify_due_ms(&g.n) < g.now_ms);
    expect(&g, NOTIFY_SEND, 1);
    assert_true(g.n.targets[1].due_ms >= g.now_ms + NOTIFY_FIRST_WAIT_MS);
    notify_fini(&g.n);
}

static void test_other_targets(void **state)
{
    (void)state;
    struct rig g;
    struct tsig_key *key = calloc(1, sizeof *key);
    uint8_t name[] = "\3xfr";
    start(&g);
    tsig_key_init(key, name, TSIG_HMAC_SHA256, name, sizeof name);
    notify_serial(&g.n, 1, g.now_ms);
    expect_all(&g, 1);
    uint32_t round = g.n.round;
    notify_set_targets(&g.n, g.peers, TARGETS); /* the same ones */
    assert_int_equal(notify_answered(&g.n, 2, round, RCODE_NOERROR), NOTIFY_DONE);
    /* The first leaves, the second moves up, the third gets a key and is another one so. */
    struct sync_peer peers[2] = {g.peers[1], g.peers[2]};
    peers[1].key = key;
    notify_set_targets(&g.n, peers, 2);
    memcpy(g.peers, peers, sizeof peers);
    assert_int_equal(notify_answered(&g.n, 0, round, RCODE_NOERROR), NOTIFY_IGNORED);
    struct notify_step told = expect(&g, NOTIFY_SEND, 1); /* at once: the others have been told */
    assert_int_equal(told.try, 0);
    assert_int_equal(notify_answered(&g.n, 1, told.round, RCODE_NOERROR), NOTIFY_DONE);
    g.now_ms += 2000;
    struct notify_step step = expect(&g, NOTIFY_SEND, 0);
    assert_int_equal(step.try, 1);
    assert_int_equal(notify_answered(&g.n, 0, step.round, RCODE_NOERROR), NOTIFY_DONE);
    expect_nothing(&g);
    notify_serial(&g.n, 2, g.now_ms);
    expect(&g, NOTIFY_SEND, 0);
    assert_ptr_equal(expect(&g, NOTIFY_SEND, 1).peer->key, key);
    notify_set_targets(&g.n, NULL, 0);
    assert_int_equal(notify_due_ms(&g.n), NOTIFY_NEVER);
    notify_fini(&g.n);
    free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_change_is_told_at_once),
        cmocka_unit_test(test_changes_wait_for_quiet),
        cmocka_unit_test(test_a_stream_of_changes),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_retries_part),
        cmocka_unit_test(test_any_rcode_ends_it_and_is_told_once),
        cmocka_unit_test(test_a_newer_announcement),
        cmocka_unit_test(test_the_owner_may_wait),
        cmocka_unit_test(test_other_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
