#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* A line with its prefix is cut to this: names in text form take up to 1,016 bytes, paths 4,095. */
enum { LINE_MOST = 8192, TEXT_MOST = 6144 };

enum sink { SINK_UNKNOWN, SINK_PLAIN, SINK_STAMPED, SINK_JOURNAL };

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
enum { LEVEL_CNT = sizeof level_names / sizeof *level_names };

static _Atomic int level_now = LOG_LEVEL_INFO;
static _Atomic int sink_now = SINK_UNKNOWN;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LEVEL_CNT ? level_names[level] : "unknown";
}

enum err log_level_from_name(enum log_level *level, const char *name)
{
    for (unsigned i = 0; i < LEVEL_CNT; i++) {
        if (!strcmp(level_names[i], name)) {
            *level = (enum log_level)i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* JOURNAL_STREAM is "DEVICE:INODE" of the journal's socket; it is inherited by programs whose standard error was
 * redirected elsewhere, hence the comparison (systemd.exec(5)). */
static bool is_journal(const struct stat *st)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && dev == st->st_dev && ino == st->st_ino;
}

static enum sink sink_find(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st))
        return SINK_PLAIN;
    if (is_journal(&st))
        return SINK_JOURNAL;
    return S_ISREG(st.st_mode) || isatty(STDERR_FILENO) ? SINK_STAMPED : SINK_PLAIN;
}

static enum sink sink_get(void)
{
    int sink = atomic_load_explicit(&sink_now, memory_order_relaxed);
    if (sink == SINK_UNKNOWN) {
        sink = sink_find();
        atomic_store_explicit(&sink_now, sink, memory_order_relaxed);
    }
    return (enum sink)sink;
}

static size_t put_stamp(char *out, size_t cap)
{
    uint64_t now_ms = clock_wall_ms();
    time_t now_sec = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&now_sec, &tm);
    size_t len = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(out + len, cap - len, ".%03uZ ", (unsigned)(now_ms % 1000));
}

static size_t put_prefix(char *out, size_t cap, enum log_level level)
{
    static const char priority[] = {'3', '4', '5', '6', '7'}; /* syslog(3) */
    enum sink sink = sink_get();
    size_t len = 0;
    if (sink == SINK_STAMPED)
        len = put_stamp(out, cap);
    else if (sink == SINK_JOURNAL)
        len = (size_t)snprintf(out, cap, "<%c>", priority[level]);
    return len + (size_t)snprintf(out + len, cap - len, "%s: ", log_level_name(level));
}

/* Control characters are escaped: what a client sent can neither forge a line nor talk to a terminal. */
static size_t put_text(char *out, size_t cap, const char *text)
{
    size_t len = 0;
    for (; *text && len + 5 <= cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= ' ' && c != 127)
            out[len++] = (char)c;
        else
            len += (size_t)sprintf(out + len, "\\%03u", c);
    }
    return len;
}

/* A standard error that takes nothing (closed, full and non-blocking) loses the line: there is nobody to tell. */
static void write_line(const char *line, size_t len)
{
    while (len) {
        ssize_t done = write(STDERR_FILENO, line, len);
        if (done < 0 && errno != EINTR)
            return;
        if (done > 0) {
            line += done;
            len -= (size_t)done;
        }
    }
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if ((unsigned)level >= LEVEL_CNT || level > log_get_level())
        return;
    int saved_errno = errno;
    char text[TEXT_MOST], line[LINE_MOST];
    va_list args;
    va_start(args, fmt);
    int text_len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (text_len < 0)
        return;
    if ((size_t)text_len >= sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    size_t len = put_prefix(line, sizeof line, level);
    len += put_text(line + len, sizeof line - len - 1, text);
    line[len++] = '\n';
    write_line(line, len);
    errno = saved_errno;
}

bool log_rate_ok(struct log_rate *rate, uint32_t burst)
{
    enum { WINDOW_MS = 10000 };
    uint64_t now_ms = clock_mono_ms();
    if (now_ms - rate->last_ms >= WINDOW_MS)
        rate->written = 0;
    if (rate->written >= burst) {
        rate->suppressed++;
        return false;
    }
    if (rate->suppressed)
        log_notice("%u similar lines suppressed", rate->suppressed);
    rate->suppressed = 0;
    rate->written++;
    rate->last_ms = now_ms;
    return true;
}
