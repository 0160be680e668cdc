/* Sockets and the worker threads that answer on them. One UDP thread a worker and listening address (SO_REUSEPORT,
 * blocking recvmmsg and sendmmsg of 32), one stream thread a worker (epoll over all addresses). Everything is
 * allocated at open or start; the workers allocate nothing.
 *
 * The control thread opens (before privileges are dropped), starts, stops and reads counters; workers read zones
 * and settings through `struct answer_shared` (RCU).
 *
 * What a worker does not answer itself, transfers, NOTIFY and UPDATE, it hands off to the control thread, which answers
 * with a message, or with a source that the connection's worker writes from, in turns with all its other connections.
 *
 * Locks: gate.lock (io/gate.h), taken when a TCP connection is accepted or closed, for a few dozen instructions; and
 * those of hand-offs (io/handoff.h), taken when a request is handed off and comes back. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"

struct io_options {
    struct opt_list listen; /* struct addr; none: all addresses, port 53 */
    int64_t workers;        /* 0: one a core */
    int64_t tcp_max;
    int64_t tcp_max_per_client;
    uint64_t tcp_idle_ms;
};
/* The keys of group "server" that fill it. */
extern const struct opt_table io_opt_table;

#define IO_COUNTERS(X)                                                          \
    X(udp_recv_errors, "recvmmsg calls that failed")                            \
    X(udp_dropped, "UDP requests dropped unread: longer than 4,096 bytes, or from port 0") \
    X(udp_send_errors, "UDP answers that the kernel did not take")              \
    X(tcp_accepted, "TCP connections accepted")                                 \
    X(tcp_accept_errors, "accept calls that failed for want of descriptors or memory") \
    X(tcp_refused_total, "TCP connections closed at once: tcp_max reached and none idle to evict") \
    X(tcp_refused_client, "TCP connections closed at once: tcp_max_per_client reached and none idle to evict") \
    X(tcp_evicted, "idle TCP connections closed to make room")                  \
    X(tcp_idle_closed, "TCP connections closed for being idle") \
    X(handoffs_full, "transfers, NOTIFYs and UPDATEs not taken because too many were waiting") \
    X(streams_done, "transfers sent to their end") \
    X(streams_failed, "transfers broken off because they could not be made") \
    X(streams_expired, "transfers broken off at their deadline") \
    X(streams_stalled, "transfers broken off because the client took nothing any more") \
    X(streams_closed, "transfers broken off by the client")

struct io_counters {
#define X(name, help) uint64_t name;
    IO_COUNTERS(X)
#undef X
};
enum { IO_COUNTER_CNT = sizeof(struct io_counters) / sizeof(uint64_t) };
extern const char *const io_counter_names[IO_COUNTER_CNT];
extern const char *const io_counter_help[IO_COUNTER_CNT];

/* The owner's way to count. */
#define io_count(counters, name, n) \
    __atomic_store_n(&(counters)->name, __atomic_load_n(&(counters)->name, __ATOMIC_RELAXED) + (n), __ATOMIC_RELAXED)

/* Adds `from` (another thread's, being written) to `to`. [any] */
void io_counters_add(struct io_counters *to, const struct io_counters *from) ATTR_NONNULL_ALL;

/* ---- hand-offs */

enum {
    /* Waiting for the control thread to decide on them; that takes it some 10 µs each, or a job and the disk. Each is
     * as long as its message, mostly some hundred bytes, and 64 KiB at most. */
    IO_HANDOFFS_MAX = 256,
    /* Of one client, so that four are needed to keep others out. A primary of many zones sends bursts of NOTIFYs, a
     * server that leases addresses one update for each. */
    IO_HANDOFFS_CLIENT_MAX = 64,
    /* UPDATEs, which wait for the disk: no flood of them, and no slow disk, keeps transfers and NOTIFYs out. */
    IO_HANDOFFS_UPDATES_MAX = 192,
};

/* A request that was handed off. It is answered once, from the control thread, whenever that likes; that gives it back.
 * Before the io is closed all are. */
struct io_handoff;
struct answer_hand_off;
/* What was asked, by whom and with which signature: as long as the hand-off is there, or the source that answers it. */
struct answer_hand_off *io_handoff_request(const struct io_handoff *handoff) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* [control] `handoff` is the callee's, to be answered now or later. */
typedef void io_handed_off_fn(void *arg, struct io_handoff *handoff);

enum io_fill {
    IO_MORE,
    IO_DONE,   /* this was the last message */
    IO_FAILED, /* the connection is to be closed, what was written last is left out */
};
enum io_stream_end {
    IO_STREAM_RUNNING,
    IO_STREAM_DONE,    /* the client, or the kernel for it, has all but the last CONN_OUT_LEN bytes */
    IO_STREAM_FAILED,  /* IO_FAILED */
    IO_STREAM_EXPIRED, /* the deadline came */
    IO_STREAM_STALLED, /* the client took nothing for stall_ms */
    IO_STREAM_CLOSED,  /* the client went */
    IO_STREAM_STOPPED, /* io_stop */
};
/* An answer of many messages. Embedded by whoever makes it. */
struct io_source {
    /* Writes the next message, *len of at most `cap` (65,535) bytes, without its length; *len 0: none for now, though
     * there are more. It is asked some times in a turn, and should take no longer than a message takes. [worker, an
     * online RCU reader] */
    enum io_fill (*fill)(struct io_source *source, uint8_t *out, size_t cap, size_t *len);
    /* Called once, when it has ended: the source is the callee's again. [control] */
    void (*release)(struct io_source *source);
    uint64_t deadline_ms; /* clock_mono_ms when it is broken off, however far it is; UINT64_MAX: never */
    uint64_t stall_ms;    /* it is broken off when the client takes nothing for so long; 0: not for that */
    /* io's, to be read in `release` */
    enum io_stream_end end;
    uint64_t sent_bytes; /* of messages and their lengths */
};

/* ---- all of it */

struct io;

/* Closes the sockets; workers must be stopped. */
void io_close(struct io *io);
/* Opens and binds every socket, reserves the memory of TCP connections, and raises the limit of open files to what
 * tcp_max needs. Errors ("cannot listen on 127.0.0.1@53 (UDP): permission denied") go to `diag`, all at once;
 * ERR_IO then. Queries wait in the sockets until io_start. */
enum err io_open(struct io **io, const struct io_options *options, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Before io_start: who is told of what is handed off. Without it all of that is refused. The caller's loop watches
 * io_handoff_fd, and calls io_run_handoffs when that is readable. */
void io_on_handed_off(struct io *io, io_handed_off_fn *fn, void *arg) ATTR_NONNULL(1, 2);
int io_handoff_fd(const struct io *io) ATTR_NONNULL_ALL;
/* Tells of what was handed off, and releases sources that have ended. */
void io_run_handoffs(struct io *io) ATTR_NONNULL_ALL;
/* Answers with one message, of at most most_len bytes, which is copied. *handoff becomes NULL. */
void io_answer(struct io *io, struct io_handoff **handoff, const uint8_t *message, size_t len) ATTR_NONNULL_ALL;
/* Answers what came by TCP with all that `source` gives, which is io's until it is released (by io_run_handoffs,
 * io_stop or io_close). *handoff becomes NULL. */
void io_stream(struct io *io, struct io_handoff **handoff, struct io_source *source) ATTR_NONNULL_ALL;
/* Does not answer; a TCP connection is closed. *handoff becomes NULL. */
void io_forget(struct io *io, struct io_handoff **handoff) ATTR_NONNULL_ALL;
/* Starts the threads. `shared` is borrowed until io_stop. ERR_IO when a thread cannot be made. */
enum err io_start(struct io *io, const struct answer_shared *shared) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Ends the threads and waits for them; what is in the UDP buffers and not yet accepted stays there, TCP
 * connections are closed, and their sources released. Returns within a second. io_start may follow. */
void io_stop(struct io *io) ATTR_NONNULL_ALL;
/* Adds up all workers' counters. */
void io_sum_counters(const struct io *io, struct answer_counters *answers, struct io_counters *sockets)
    ATTR_NONNULL_ALL;
/* The next request that some worker has refused (answer_take_refusal), for the log; false: there is none. */
bool io_take_refusal(struct io *io, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* TCP connections open now. */
size_t io_tcp_open(const struct io *io) ATTR_NONNULL_ALL;
size_t io_worker_cnt(const struct io *io) ATTR_NONNULL_ALL;
