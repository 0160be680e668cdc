/* What the log says of outgoing transfers: a line for each that ends, until there are many. A secondary that starts may
 * fetch ten thousand zones: then the first OUTGOING_LOG_LINES of ten seconds have a line each, the others one together
 * when those are over, with their number and size. What was broken off, refused or damaged has limits of its own, so
 * that no number of good transfers hides it. [control] */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/log.h"
#include "io/io.h"
#include "sync/outgoing_choose.h"

enum {
    OUTGOING_LOG_LINES = 50, /* a busy zone's few changes a second, for a few secondaries */
    OUTGOING_LOG_WINDOW_MS = 10000,
    OUTGOING_LOG_FAULTS = 20, /* lines of each kind, see log_rate_ok */
    OUTGOING_LOG_TEXT_MAX = 2500, /* two names of NAME_TEXT_MAX */
};

/* A transfer that ended. All is borrowed. */
struct outgoing_ended {
    const uint8_t *zone;       /* its apex */
    const struct addr *client;
    const uint8_t *key;        /* the name of that which signed it; NULL: none did */
    bool is_ixfr, is_udp;
    enum outgoing_way way;
    uint32_t from, to;         /* serials; `from` of an IXFR that is answered with changes */
    uint64_t rr_cnt, bytes, took_ms;
    enum io_stream_end end;
};

struct outgoing_log {
    uv_timer_t timer;  /* the window's end, once there is something to sum up */
    uint64_t begin_ms; /* of the window */
    unsigned line_cnt; /* in it */
    uint64_t whole_cnt, change_cnt, bytes; /* of those without a line */
    struct log_rate broken, refused, damaged;
};

void outgoing_log_init(struct outgoing_log *log, uv_loop_t *loop) ATTR_NONNULL_ALL;
/* Sums up what there is, and closes the timer; `closed` is called in the loop's next round. */
void outgoing_log_close(struct outgoing_log *log, uv_close_cb closed) ATTR_NONNULL_ALL;

void outgoing_log_ended(struct outgoing_log *log, const struct outgoing_ended *ended) ATTR_NONNULL_ALL;
/* The same as text; returns its level. */
enum log_level outgoing_ended_text(char text[OUTGOING_LOG_TEXT_MAX], const struct outgoing_ended *ended)
    ATTR_NONNULL_ALL;
/* The window is over: one line for those that had none, if any. For the timer, and tests. */
void outgoing_log_sum_up(struct outgoing_log *log) ATTR_NONNULL_ALL;

/* The transfer did not begin as `why`. */
void outgoing_log_refused(struct outgoing_log *log, const uint8_t *zone, const struct addr *client, const char *why)
    ATTR_NONNULL_ALL;
/* The zone's changes cannot be read. */
void outgoing_log_damaged(struct outgoing_log *log, const uint8_t *zone, uint32_t serial, const char *why)
    ATTR_NONNULL_ALL;
