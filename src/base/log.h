/* The log: lines on standard error, one write(2) each, so that lines of several threads never mix. A line is "LEVEL:
 * text"; with a terminal or a plain file as standard error a UTC time stamp stands before it, under systemd
 * (JOURNAL_STREAM) the "<n>" priority instead. Any thread; the query path never logs. Lines of over 4,096 bytes are
 * cut. A pipe or socket that is full is not waited for: the line is lost, and the next one that goes out is preceded by
 * "N log lines lost".
 *
 * Style: lower case, no full stop, variable text in quotes, cause last, zone or member named. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above `level` are not written (default: info). Any thread, at any time. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warning", … */
const char *log_level_name(enum log_level level);
/* ERR_NOT_FOUND when `name` is no level. */
enum err log_level_from_name(enum log_level *level, const char *name) ATTR_MUST_USE;

void log_write(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Limits what a packet or a client can trigger: at most `burst` lines in any 10 s, then silence until 10 s
 * after the last of them; the first line after a silence is preceded by "N similar lines suppressed".
 * Zero-initialise; one writer at a time a struct. */
struct log_rate {
    uint64_t last_ms; /* of the last line written */
    uint32_t written; /* since 10 s without any */
    uint32_t suppressed;
};
/* True when the caller may write its line now. */
bool log_rate_ok(struct log_rate *rate, uint32_t burst) ATTR_NONNULL_ALL;
