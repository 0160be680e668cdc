#include "sync/outgoing_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/container.h"
#include "dns/name.h"

/* ---- a line */

enum { SIZE_TEXT_MAX = 32 };

/* "812 bytes", "1.2 kB", "56 kB", "3.4 GB" */
static const char *size_text(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
    static const char units[] = "kMGTPE";
    double value = (double)bytes / 1000;
    const char *unit = units;
    for (; value >= 999.5 && unit[1]; unit++)
        value /= 1000;
    if (bytes < 1000)
        snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 " bytes", bytes);
    else
        snprintf(out, SIZE_TEXT_MAX, value < 9.95 ? "%.1f %cB" : "%.0f %cB", value, *unit);
    return out;
}

static const char *cause_of(enum io_stream_end end)
{
    switch (end) {
    case IO_STREAM_FAILED: return "a record does not fit in a message";
    case IO_STREAM_EXPIRED: return "it took longer than transfer_max";
    case IO_STREAM_STALLED: return "the client took nothing for a minute";
    case IO_STREAM_CLOSED: return "the client closed the connection";
    case IO_STREAM_STOPPED: return "the workers stopped";
    case IO_STREAM_RUNNING:
    case IO_STREAM_DONE: break;
    }
    return NULL; /* none: it was sent to its end */
}

static enum log_level level_of(enum io_stream_end end)
{
    if (end == IO_STREAM_DONE)
        return LOG_LEVEL_INFO;
    return end == IO_STREAM_FAILED || end == IO_STREAM_EXPIRED ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE;
}

enum { SERIALS_MAX = 64 };

static const char *serials_text(char out[SERIALS_MAX], const struct outgoing_ended *e)
{
    if (e->is_ixfr && e->way != OUTGOING_WHOLE)
        snprintf(out, SERIALS_MAX, "serial %u to %u%s", e->from, e->to, e->way == OUTGOING_JOINED ? " condensed" : "");
    else
        snprintf(out, SERIALS_MAX, "%sserial %u", e->is_ixfr ? "the whole zone, " : "", e->to);
    return out;
}

enum log_level outgoing_ended_text(char text[OUTGOING_LOG_TEXT_MAX], const struct outgoing_ended *e)
{
    char zone[NAME_TEXT_MAX], key[NAME_TEXT_MAX] = "", client[ADDR_TEXT_MAX], serials[SERIALS_MAX], size[SIZE_TEXT_MAX];
    const char *cause = cause_of(e->end);
    if (e->key)
        name_to_text(key, e->key);
    snprintf(text, OUTGOING_LOG_TEXT_MAX,
             "zone \"%s\": %s to %s%s%s, %s, %" PRIu64 " records, %s, %" PRIu64 " ms%s%s%s%s%s",
             name_to_text_bare(zone, e->zone), e->is_ixfr ? "IXFR" : "AXFR", addr_to_text(client, e->client),
             e->is_udp ? " by UDP" : "", cause ? " broken off" : "", serials_text(serials, e), e->rr_cnt,
             size_text(size, e->bytes), e->took_ms, e->key ? ", key \"" : "", key, e->key ? "\"" : "",
             cause ? ": " : "", cause ? cause : "");
    return level_of(e->end);
}

/* ---- many */

void outgoing_log_sum_up(struct outgoing_log *log)
{
    char size[SIZE_TEXT_MAX];
    uint64_t cnt = log->whole_cnt + log->change_cnt;
    if (cnt)
        log_info("transfers sent besides: %" PRIu64 " (whole zones %" PRIu64 ", changes %" PRIu64 "), %s", cnt,
                 log->whole_cnt, log->change_cnt, size_text(size, log->bytes));
    uv_timer_stop(&log->timer);
    log->line_cnt = 0;
    log->whole_cnt = log->change_cnt = log->bytes = 0;
}

static void on_timer(uv_timer_t *timer) { outgoing_log_sum_up(container_of(timer, struct outgoing_log, timer)); }

void outgoing_log_init(struct outgoing_log *log, uv_loop_t *loop)
{
    *log = (struct outgoing_log){.line_cnt = 0};
    uv_timer_init(loop, &log->timer);
    uv_unref((uv_handle_t *)&log->timer); /* it keeps no loop alive */
}

void outgoing_log_close(struct outgoing_log *log, uv_close_cb closed)
{
    outgoing_log_sum_up(log);
    uv_close((uv_handle_t *)&log->timer, closed);
}

/* It has no line; false: it may have one. */
static bool pass_over(struct outgoing_log *log, const struct outgoing_ended *e)
{
    uint64_t now_ms = clock_mono_ms(), passed_ms = now_ms - log->begin_ms;
    if (passed_ms >= OUTGOING_LOG_WINDOW_MS) {
        outgoing_log_sum_up(log); /* the timer is late */
        log->begin_ms = now_ms;
        passed_ms = 0;
    }
    if (log->line_cnt < OUTGOING_LOG_LINES) {
        log->line_cnt++;
        return false;
    }
    if (!log->whole_cnt && !log->change_cnt)
        uv_timer_start(&log->timer, on_timer, OUTGOING_LOG_WINDOW_MS - passed_ms, 0);
    *(e->way == OUTGOING_WHOLE ? &log->whole_cnt : &log->change_cnt) += 1;
    log->bytes += e->bytes;
    return true;
}

void outgoing_log_ended(struct outgoing_log *log, const struct outgoing_ended *ended)
{
    char text[OUTGOING_LOG_TEXT_MAX];
    bool goes = ended->end == IO_STREAM_DONE ? !pass_over(log, ended) : log_rate_ok(&log->broken, OUTGOING_LOG_FAULTS);
    if (goes) {
        enum log_level level = outgoing_ended_text(text, ended);
        log_write(level, "%s", text);
    }
}

/* ---- what does not begin */

void outgoing_log_refused(struct outgoing_log *log, const uint8_t *zone, const struct addr *client, const char *why)
{
    char name[NAME_TEXT_MAX], host[ADDR_TEXT_MAX];
    if (log_rate_ok(&log->refused, OUTGOING_LOG_FAULTS))
        log_notice("zone \"%s\": transfer to %s refused: %s", name_to_text_bare(name, zone), addr_to_text(host, client),
                   why);
}

void outgoing_log_damaged(struct outgoing_log *log, const uint8_t *zone, uint32_t serial, const char *why)
{
    char name[NAME_TEXT_MAX];
    if (log_rate_ok(&log->damaged, OUTGOING_LOG_FAULTS))
        log_warning("zone \"%s\": changes since serial %u cannot be sent: %s", name_to_text_bare(name, zone), serial,
                    why);
}
