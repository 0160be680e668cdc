#include "daemon/limit_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

static bool is_equal(const struct limit_log_sums *a, const struct limit_log_sums *b)
{
    return a->dropped == b->dropped && a->slipped == b->slipped && a->leaked == b->leaked;
}

/* "WHAT: 3 answers dropped, …" of those between the two; what did not happen is left out. */
static void describe(char text[LIMIT_LOG_TEXT_MAX], const char *what, bool log_only, const struct limit_log_sums *from,
                     const struct limit_log_sums *to)
{
    const struct {
        uint64_t cnt;
        const char *fate;
    } parts[] = {
        {to->dropped - from->dropped, "dropped"},
        {to->slipped - from->slipped, "truncated"},
        {to->leaked - from->leaked, "sent whole"},
    };
    int len = snprintf(text, LIMIT_LOG_TEXT_MAX, "%s", what);
    bool is_first = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].cnt)
            continue;
        len += snprintf(text + len, (size_t)(LIMIT_LOG_TEXT_MAX - len), "%s%" PRIu64 "%s%s %s", is_first ? ": " : ", ",
                        parts[i].cnt, !is_first ? "" : parts[i].cnt == 1 ? " answer" : " answers",
                        is_first && log_only ? " would have been" : "", parts[i].fate);
        is_first = false;
    }
}

static void tell_exceeded(struct limit_log *log, bool log_only, uint64_t now_ms, char text[LIMIT_LOG_TEXT_MAX])
{
    const char *what = log_only ? "rate limit exceeded, but rate_limit_log_only is set" : "rate limit exceeded";
    describe(text, what, log_only, &log->told, &log->seen);
    log->told = log->seen;
    log->told_ms = now_ms;
}

static struct limit_log_sums sums_of(const struct answer_counters *counters)
{
    return (struct limit_log_sums){counters->rate_limited, counters->rate_slipped, counters->rate_leaked};
}

bool limit_log_look(struct limit_log *log, const struct answer_counters *counters, bool log_only, uint64_t now_ms,
                    char text[LIMIT_LOG_TEXT_MAX])
{
    const struct limit_log_sums before = log->seen;
    log->seen = sums_of(counters);
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
    describe(text, "rate limit no longer exceeded, in all", log_only, &log->began, &log->seen);
    return true;
}

bool limit_log_flush(struct limit_log *log, const struct answer_counters *counters, bool log_only,
                     char text[LIMIT_LOG_TEXT_MAX])
{
    const struct limit_log_sums from = log->is_exceeded ? log->began : log->seen;
    log->seen = sums_of(counters);
    log->is_exceeded = false;
    if (is_equal(&log->seen, &from))
        return false;
    describe(text, "rate limit exceeded until rate_limit_log_only was changed, in all", log_only, &from, &log->seen);
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

void limit_log_before_change(struct limit_log *log, bool log_only)
{
    struct answer_counters answers;
    struct io_counters sockets;
    char text[LIMIT_LOG_TEXT_MAX];
    if (!log->timer.data || log->shared->settings->limit.log_only == log_only)
        return;
    io_sum_counters(log->io, &answers, &sockets);
    if (limit_log_flush(log, &answers, !log_only, text))
        log_notice("%s", text);
}

void limit_log_stop(struct limit_log *log)
{
    if (log->timer.data)
        uv_close((uv_handle_t *)&log->timer, NULL);
    log->timer.data = NULL;
}
