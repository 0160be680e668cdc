/* What the log says of the rate limit: a line when answers begin to be over it, one a minute as long as there are any,
 * one when there were none for a minute, and one when a reload changes rate_limit_log_only, so that no line mixes what
 * happened with what would have. The query path only counts; this looks at the counters every few seconds.
 * [control] */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "answer/answer.h"
#include "base/attr.h"
#include "io/io.h"

enum { LIMIT_LOG_LOOK_MS = 2000, LIMIT_LOG_LINE_MS = 60 * 1000, LIMIT_LOG_TEXT_MAX = 256 };

/* Answers over the limit, and what became of them. */
struct limit_log_sums {
    uint64_t dropped, slipped, leaked;
};

/* Embed; zero-initialise. */
struct limit_log {
    uv_timer_t timer;
    const struct io *io;
    const struct answer_shared *shared;
    bool is_exceeded;
    struct limit_log_sums seen;  /* at the last look */
    struct limit_log_sums told;  /* at the last line */
    struct limit_log_sums began; /* when is_exceeded became true */
    uint64_t told_ms, grown_ms;
};

/* Looks at `io`'s counters until stopped; keeps no loop alive. */
void limit_log_start(struct limit_log *log, uv_loop_t *loop, const struct io *io, const struct answer_shared *shared)
    ATTR_NONNULL_ALL;
/* Settings with this `log_only` are about to be published. May be called when it was never started. */
void limit_log_before_change(struct limit_log *log, bool log_only) ATTR_NONNULL_ALL;
/* The handle goes with the loop's next round. May be called when it was never started. */
void limit_log_stop(struct limit_log *log) ATTR_NONNULL_ALL;
/* One look. True when there is a line to write, which is then in `text`. `log_only`: nothing was really limited. */
bool limit_log_look(struct limit_log *log, const struct answer_counters *counters, bool log_only, uint64_t now_ms,
                    char text[LIMIT_LOG_TEXT_MAX]) ATTR_NONNULL_ALL;
/* The last look while `log_only` holds: as above, of all since the limit was exceeded; sums begin anew. */
bool limit_log_flush(struct limit_log *log, const struct answer_counters *counters, bool log_only,
                     char text[LIMIT_LOG_TEXT_MAX]) ATTR_NONNULL_ALL;
