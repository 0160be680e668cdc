#include "daemon/limit_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

static bool is_equal(const struct limit_log_sums *a, const struct limit_log_sums *b)
{
    return a->dropped == b->dropped && a->slipped == b->slipped && a->leaked == b->leaked;
}

/* "WHAT: 3 answers dropped, …" of those between the two. */
static void describe(char text[LIMIT_LOG_TEXT_MAX], const char *what, const struct limit_log_sums *from,
                     const struct limit_log_sums *to)
{
    snprintf(text, LIMIT_LOG_TEXT_MAX,
             "%s: %" PRIu64 " answers dropped, %" PRIu64 " truncated, %" PRIu64 " sent whole", what,
             to->dropped - from->dropped, to->slipped - from->slipped, to->leaked - from->leaked);
}

static void tell_exceeded(struct limit_log *log, bool log_only, uint64_t now_ms, char text[LIMIT_LOG_TEXT_MAX])
{
    const char *what = log_only ? "rate limit exceeded, but rate_limit_log_only is set" : "rate limit exceeded";
    describe(text, what, &log->told, &log->seen);
    log->told = log->seen;
    log->told_ms = now_ms;
}

bool limit_log_look(struct limit_log *log, const struct answer_counters *counters, bool log_only, uint64_t now_ms,
                    char text[LIMIT_LOG_TEXT_MAX])
{
    const struct limit_log_sums before = log->seen;
    log->seen = (struct limit_log_sums){counters->rate_limited, counters->rate_slipped, counters->rate_leaked};
    bool has_grown = !is_equal(&log->seen, &before);
    if (has_grown)
        log->grown_ms = now_ms;
    if (has_grown && !log->is_exceeded) {
        log->is_exceeded = true;
        log->began = log->told = before;
        tell_exceeded(log, log_only, now_ms, text);
        return true;
    }
    if (!log->is_exceeded || now_ms - log->told_ms < LIMIT_LOG_LINE_MS)
        return false;
    if (!is_equal(&log->seen, &log->told)) {
        tell_exceeded(log, log_only, now_ms, text);
        return true;
    }
    if (now_ms - log->grown_ms < LIMIT_LOG_LINE_MS)
        return false;
    log->is_exceeded = false;
    describe(text, "rate limit no longer exceeded, in all", &log->began, &log->seen);
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct limit_log *log = timer->data;
    struct answer_counters answers;
    struct io_counters sockets;
    char text[LIMIT_LOG_TEXT_MAX];
    io_sum_counters(log->io, &answers, &sockets);
    if (limit_log_look(log, &answers, log->shared->settings->limit.log_only, uv_now(timer->loop), text))
        log_notice("%s", text);
}

void limit_log_start(struct limit_log *log, uv_loop_t *loop, const struct io *io, const struct answer_shared *shared)
{
    log->io = io;
    log->shared = shared;
    uv_timer_init(loop, &log->timer);
    log->timer.data = log;
    uv_update_time(loop);
    uv_timer_start(&log->timer, on_timer, LIMIT_LOG_LOOK_MS, LIMIT_LOG_LOOK_MS);
    uv_unref((uv_handle_t *)&log->timer);
}

void limit_log_stop(struct limit_log *log)
{
    if (log->timer.data)
        uv_close((uv_handle_t *)&log->timer, NULL);
    log->timer.data = NULL;
}
