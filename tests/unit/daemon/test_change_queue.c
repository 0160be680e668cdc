/* change_queue: what waits becomes one, what cancels out is not told, nobody is told of twice at a time. */
#include "daemon/change_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 2 };

static void add(struct change_queue *q, const char *member, const char *before, const char *now)
{
    char reason[32];
    snprintf(reason, sizeof reason, "why %s", now);
    change_queue_add(q, "example.com", "www.example.com", member, before, now, reason);
}

static struct change *next(struct change_queue *q, const char *member, const char *before, const char *now)
{
    char reason[32];
    struct change *change = change_queue_next(q);
    assert_non_null(change);
    snprintf(reason, sizeof reason, "why %s", now);
    assert_string_equal(change->pool, "www.example.com");
    assert_string_equal(change->member, member);
    assert_string_equal(change->before, before);
    assert_string_equal(change->now, now);
    assert_string_equal(change->reason, reason);
    return change;
}

static void test_in_order_and_a_few_at_a_time(void **state)
{
    struct change_queue q;
    (void)state;
    change_queue_init(&q, MOST);
    assert_null(change_queue_next(&q));
    add(&q, "a", "unknown", "up");
    add(&q, "b", "unknown", "down");
    add(&q, "c", "unknown", "up");
    struct change *a = next(&q, "a", "unknown", "up"), *b = next(&q, "b", "unknown", "down");
    assert_null(change_queue_next(&q)); /* two are under way */
    change_queue_told(&q, b);
    struct change *c = next(&q, "c", "unknown", "up");
    change_queue_told(&q, a);
    change_queue_told(&q, c);
    assert_null(change_queue_next(&q));
    assert_int_equal(q.changes.cnt, 0);
    change_queue_fini(&q);
}

static void test_what_waits_becomes_one(void **state)
{
    struct change_queue q;
    (void)state;
    change_queue_init(&q, MOST);
    add(&q, "a", "unknown", "up");
    add(&q, "b", "unknown", "up");
    add(&q, "a", "up", "down"); /* keeps its place */
    change_queue_told(&q, next(&q, "a", "unknown", "down"));
    change_queue_told(&q, next(&q, "b", "unknown", "up"));
    add(&q, "a", "up", "down");
    add(&q, "a", "down", "up"); /* as if nothing had been */
    assert_null(change_queue_next(&q));
    assert_int_equal(q.changes.cnt, 0);
    add(&q, "a", "up", "down");
    add(&q, "b", "up", "down");
    add(&q, "a", "down", "up");
    add(&q, "a", "up", "down"); /* again, behind b */
    change_queue_told(&q, next(&q, "b", "up", "down"));
    change_queue_told(&q, next(&q, "a", "up", "down"));
    change_queue_fini(&q);
}

static void test_pools_are_apart(void **state)
{
    struct change_queue q;
    (void)state;
    change_queue_init(&q, MOST);
    change_queue_add(&q, "z", "www", "a", "up", "down", "x");
    change_queue_add(&q, "z", "api", "a", "up", "down", "x");
    change_queue_add(&q, "z", "ww", "wa", "up", "down", "x"); /* the same bytes, cut otherwise */
    change_queue_add(&q, "y", "www", "a", "down", "up", "x"); /* a pool of that name in another zone */
    assert_int_equal(q.changes.cnt, 4);
    change_queue_fini(&q);
}

/* What happens while it is told of waits, and becomes one too; against what was told, not what it was before. */
static void test_while_it_is_told(void **state)
{
    struct change_queue q;
    (void)state;
    change_queue_init(&q, MOST);
    add(&q, "a", "up", "down");
    struct change *a = next(&q, "a", "up", "down");
    add(&q, "a", "down", "up");
    assert_null(change_queue_next(&q)); /* there is a place, but not for a second one of the same */
    add(&q, "a", "up", "down");
    assert_null(change_queue_next(&q)); /* cancelled out */
    change_queue_told(&q, a);
    assert_int_equal(q.changes.cnt, 0);
    add(&q, "a", "down", "up");
    a = next(&q, "a", "down", "up");
    add(&q, "a", "up", "down");
    add(&q, "b", "up", "down");
    change_queue_told(&q, a);
    change_queue_told(&q, next(&q, "b", "up", "down"));
    change_queue_told(&q, next(&q, "a", "up", "down"));
    assert_int_equal(q.changes.cnt, 0);
    change_queue_fini(&q);
}

static void test_clear(void **state)
{
    struct change_queue q;
    (void)state;
    change_queue_init(&q, MOST);
    add(&q, "a", "up", "down");
    add(&q, "b", "up", "down");
    add(&q, "c", "up", "down");
    struct change *a = next(&q, "a", "up", "down");
    add(&q, "a", "down", "up");
    change_queue_clear(&q);
    assert_null(change_queue_next(&q));
    assert_int_equal(q.changes.cnt, 1); /* it is being told of yet */
    change_queue_told(&q, a);
    assert_int_equal(q.changes.cnt, 0);
    add(&q, "b", "down", "up");
    (void)next(&q, "b", "down", "up"); /* under way at the end */
    change_queue_fini(&q);
}

/* As many as there are members, however often each changes. */
static void test_bound(void **state)
{
    struct change_queue q;
    char member[16];
    (void)state;
    change_queue_init(&q, MOST);
    for (unsigned round = 0; round < 51; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            snprintf(member, sizeof member, "%u", i);
            add(&q, member, round % 2 ? "down" : "up", round % 2 ? "up" : "down");
        }
        assert_int_equal(q.changes.cnt, round % 2 ? 0 : 1000);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(member, sizeof member, "%u", i);
        change_queue_told(&q, next(&q, member, "up", "down"));
    }
    change_queue_fini(&q);
}

static void test_long_words(void **state)
{
    struct change_queue q;
    char text[1000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    change_queue_init(&q, MOST);
    change_queue_add(&q, text, text, text, "up", text, text);
    struct change *change = change_queue_next(&q);
    assert_string_equal(change->pool, text);
    assert_string_equal(change->member, text);
    assert_int_equal(strlen(change->reason), CHANGE_REASON_MAX - 1);
    assert_int_equal(strlen(change->now), CHANGE_WORD_MAX - 1);
    change_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_and_a_few_at_a_time),
        cmocka_unit_test(test_what_waits_becomes_one),
        cmocka_unit_test(test_pools_are_apart),
        cmocka_unit_test(test_while_it_is_told),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
