#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* A line with its prefix is cut to this: what a pipe that takes anything takes at once (pipe(7)). */
enum { LINE_MOST = PIPE_BUF };

enum sink { SINK_UNKNOWN, SINK_PLAIN, SINK_STAMPED, SINK_JOURNAL };

/* What may block for as long as somebody else pleases. A terminal is not among them: whoever stops one wants that, and
 * a slow line is no reason to lose lines. */
enum { PEER_NONE, PEER_PIPE, PEER_SOCKET };

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
enum { LEVEL_CNT = sizeof level_names / sizeof *level_names };

static _Atomic int level_now = LOG_LEVEL_INFO;
static _Atomic int sink_now = SINK_UNKNOWN;
static _Atomic int peer_now = PEER_NONE; /* set before sink_now */

/* Between the look at a pipe and the write to it no other thread may fill it. Whoever holds it never waits. */
static pthread_mutex_t pipe_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t lost_cnt; /* lines since the last that went out; under the lock */

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
    int peer = S_ISFIFO(st.st_mode) ? PEER_PIPE : S_ISSOCK(st.st_mode) ? PEER_SOCKET : PEER_NONE;
    atomic_store_explicit(&peer_now, peer, memory_order_relaxed);
    if (is_journal(&st))
        return SINK_JOURNAL;
    return S_ISREG(st.st_mode) || isatty(STDERR_FILENO) ? SINK_STAMPED : SINK_PLAIN;
}

static enum sink sink_get(void)
{
    int sink = atomic_load_explicit(&sink_now, memory_order_acquire);
    if (sink == SINK_UNKNOWN) {
        sink = sink_find();
        atomic_store_explicit(&sink_now, sink, memory_order_release);
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

/* Control characters are escaped: what a client sent can neither forge a line nor talk to a
 * terminal. Text that is too long ends in "...". */
static size_t put_text(char *out, size_t cap, const char *text)
{
    enum { ESCAPE_LEN = 4, DOTS_LEN = 3 };
    size_t len = 0;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= ' ' && c != 127;
        if (len + (plain ? 1 : ESCAPE_LEN) > cap - DOTS_LEN - 1)
            return len + (size_t)sprintf(out + len, "...");
        if (plain)
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

/* Writes at most LINE_MOST bytes if that can be done at once. O_NONBLOCK would do, but belongs to the open file, which
 * is others' too: whoever started us may have the same one as its standard error. A pipe that is writable has room for
 * PIPE_BUF bytes; only another process could take it in between. A unix socket takes a line whole or not at all. */
static bool try_write(int peer, const char *line, size_t len)
{
    ssize_t done;
    struct pollfd pipe = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (peer == PEER_PIPE && (poll(&pipe, 1, 0) != 1 || !(pipe.revents & POLLOUT)))
        return false;
    do
        done = peer == PEER_PIPE ? write(STDERR_FILENO, line, len)
                                 : send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (done < 0 && errno == EINTR);
    return done == (ssize_t)len;
}

static size_t put_lost(char *line, size_t cap)
{
    size_t len = put_prefix(line, cap, LOG_LEVEL_WARNING);
    return len + (size_t)snprintf(line + len, cap - len, "%llu log lines lost, standard error took none\n",
                                  (unsigned long long)lost_cnt);
}

/* Whoever reads the other end may have stopped reading: then the line is lost, and counted. Waiting for it would stop
 * the control thread, and with it the whole daemon but for its answers. */
static void offer_line(int peer, const char *line, size_t len)
{
    char lost[128];
    pthread_mutex_lock(&pipe_lock);
    if (lost_cnt && try_write(peer, lost, put_lost(lost, sizeof lost)))
        lost_cnt = 0;
    if (lost_cnt || !try_write(peer, line, len))
        lost_cnt++;
    pthread_mutex_unlock(&pipe_lock);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if ((unsigned)level >= LEVEL_CNT || level > log_get_level())
        return;
    int saved_errno = errno;
    char text[LINE_MOST], line[LINE_MOST];
    va_list args;
    va_start(args, fmt);
    int text_len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (text_len < 0)
        return;
    size_t len = put_prefix(line, sizeof line, level);
    len += put_text(line + len, sizeof line - len - 1, text);
    line[len++] = '\n';
    int peer = atomic_load_explicit(&peer_now, memory_order_relaxed);
    if (peer == PEER_NONE)
        write_line(line, len);
    else
        offer_line(peer, line, len);
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
