/* lag: the longest turn of a loop, and for how long it is remembered. */
#include "loop/lag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

struct fixture {
    uv_loop_t loop;
    uv_timer_t timer;
    struct lag lag;
    uint64_t work_ms; /* of the next call of the timer */
};

static void on_timer(uv_timer_t *timer)
{
    const struct fixture *f = timer->data;
    clock_t end = clock() + (clock_t)f->work_ms * CLOCKS_PER_SEC / 1000;
    while (clock() < end)
        continue;
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    if (uv_loop_init(&f->loop) || uv_timer_init(&f->loop, &f->timer))
        return -1;
    f->timer.data = f;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    lag_stop(&f->lag);
    uv_close((uv_handle_t *)&f->timer, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&f->loop);
    free(f);
    return err;
}

/* Two turns: the first ends when the second waits for events. */
static void work(struct fixture *f, uint64_t ms)
{
    f->work_ms = ms;
    uv_timer_start(&f->timer, on_timer, 0, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void test_the_longest_turn_counts(void **state)
{
    struct fixture *f = *state;
    lag_start(&f->lag, &f->loop);
    work(f, 0);
    assert_true(lag_longest_us(&f->lag) < 20000);
    work(f, 30);
    work(f, 1);
    assert_in_range(lag_longest_us(&f->lag), 29000, 60000);
}

static void test_time_asleep_does_not_count(void **state)
{
    struct fixture *f = *state;
    lag_start(&f->lag, &f->loop);
    work(f, 0);
    uv_timer_start(&f->timer, on_timer, 50, 0);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    usleep(50000);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(lag_longest_us(&f->lag) < 20000);
}

static void test_what_was_before_the_start_does_not_count(void **state)
{
    struct fixture *f = *state;
    work(f, 30);
    lag_start(&f->lag, &f->loop);
    work(f, 0);
    assert_true(lag_longest_us(&f->lag) < 20000);
}

/* It stays for this window and the next. */
static void test_it_is_forgotten(void **state)
{
    struct fixture *f = *state;
    lag_start(&f->lag, &f->loop);
    work(f, 0);
    work(f, 30);
    f->lag.window_ms -= LAG_WINDOW_MS - 1000;
    assert_true(lag_longest_us(&f->lag) >= 29000);
    f->lag.window_ms -= LAG_WINDOW_MS;
    assert_true(lag_longest_us(&f->lag) >= 29000);
    work(f, 0);
    assert_true(lag_longest_us(&f->lag) >= 29000);
    f->lag.window_ms -= LAG_WINDOW_MS;
    assert_true(lag_longest_us(&f->lag) < 29000);
    work(f, 30);
    f->lag.window_ms -= 5 * LAG_WINDOW_MS;
    assert_true(lag_longest_us(&f->lag) < 29000);
}

static void test_never_started(void **state)
{
    struct fixture *f = *state;
    lag_stop(&f->lag); /* and again at the end */
}

#define story(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(test_the_longest_turn_counts),
        story(test_time_asleep_does_not_count),
        story(test_what_was_before_the_start_does_not_count),
        story(test_it_is_forgotten),
        story(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
