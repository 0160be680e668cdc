#include "loop/lag.h"

#include <stdbool.h>
#include <time.h>

static uint64_t thread_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void move_window(struct lag *lag)
{
    uint64_t age_ms = uv_now(lag->prepare.loop) - lag->window_ms;
    if (age_ms < LAG_WINDOW_MS)
        return;
    lag->longest_ns[1] = age_ms < 2 * LAG_WINDOW_MS ? lag->longest_ns[0] : 0;
    lag->longest_ns[0] = 0;
    lag->window_ms += age_ms - age_ms % LAG_WINDOW_MS;
}

/* libuv calls this right before it waits; callbacks for events, closed handles
 * and timers all run between two such calls. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct lag *lag = prepare->data;
    uint64_t now_ns = thread_ns(), took_ns = now_ns - lag->turn_ns;
    uint64_t passed_ns = uv_hrtime() - uv_metrics_idle_time(prepare->loop), most_ns = passed_ns - lag->passed_ns;
    bool whole = lag->turn_ns != 0;
    lag->turn_ns = now_ns;
    lag->passed_ns = passed_ns;
    took_ns = took_ns < most_ns ? took_ns : most_ns;
    move_window(lag);
    if (whole && took_ns > lag->longest_ns[0])
        lag->longest_ns[0] = took_ns;
}

void lag_start(struct lag *lag, uv_loop_t *loop)
{
    (void)uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &lag->prepare);
    lag->prepare.data = lag;
    lag->window_ms = uv_now(loop);
    uv_prepare_start(&lag->prepare, on_prepare);
    uv_unref((uv_handle_t *)&lag->prepare);
}

void lag_stop(struct lag *lag)
{
    if (lag->prepare.data)
        uv_close((uv_handle_t *)&lag->prepare, NULL);
    lag->prepare.data = NULL;
}

uint64_t lag_longest_us(struct lag *lag)
{
    move_window(lag);
    uint64_t longest_ns = lag->longest_ns[0] > lag->longest_ns[1] ? lag->longest_ns[0] : lag->longest_ns[1];
    return longest_ns / 1000;
}
