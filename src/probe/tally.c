#include "probe/tally.h"

/* Whoever looks while a window is cleared sees a little less of it. */
static void turn_window(struct tally *tally, uint64_t now_us)
{
    unsigned next = !tally->now;
    histogram_clear(&tally->lags[next]);
    if (now_us - tally->window_us >= 2 * (uint64_t)TALLY_WINDOW_US)
        histogram_clear(&tally->lags[tally->now]); /* nothing was begun for a whole window */
    tally->now = next;
    tally->window_us = now_us;
}

void tally_lag(struct tally *tally, uint64_t now_us, uint64_t lag_us)
{
    if (now_us - tally->window_us >= TALLY_WINDOW_US)
        turn_window(tally, now_us);
    histogram_add(&tally->lags[tally->now], lag_us);
}

void tally_look(struct tally_view *view, const struct tally *tally)
{
    struct histogram lags = {{0}};
    histogram_merge(&lags, &tally->lags[0]);
    histogram_merge(&lags, &tally->lags[1]);
    *view = (struct tally_view){
#define X(name, help) .name = __atomic_load_n(&tally->name, __ATOMIC_RELAXED),
        TALLY_COUNTERS(X)
#undef X
        .running = __atomic_load_n(&tally->running, __ATOMIC_RELAXED),
        .waiting = __atomic_load_n(&tally->waiting, __ATOMIC_RELAXED),
        .lag_p50_us = histogram_quantile(&lags, 500),
        .lag_p99_us = histogram_quantile(&lags, 990),
        .lag_max_us = histogram_quantile(&lags, 1000),
    };
}
