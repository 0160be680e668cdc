/* Sockets and the worker threads that answer on them. One UDP thread a worker and listening address (SO_REUSEPORT,
 * blocking recvmmsg and sendmmsg of 32), one stream thread a worker (epoll over all addresses). Everything is
 * allocated at open or start; the workers allocate nothing.
 *
 * The control thread opens (before privileges are dropped), starts, stops and reads counters; workers read zones
 * and settings through `struct answer_shared` (RCU).
 *
 * Locks: one, gate.lock (io/gate.h), taken when a TCP connection is accepted or closed, for a few dozen
 * instructions. */
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
    X(tcp_idle_closed, "TCP connections closed for being idle")

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

struct io;

/* Closes the sockets; workers must be stopped. */
void io_close(struct io *io);
/* Opens and binds every socket, reserves the memory of TCP connections, and raises the limit of open files to what
 * tcp_max needs. Errors ("cannot listen on 127.0.0.1@53 (UDP): permission denied") go to `diag`, all at once;
 * ERR_IO then. Queries wait in the sockets until io_start. */
enum err io_open(struct io **io, const struct io_options *options, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Starts the threads. `shared` is borrowed until io_stop. ERR_IO when a thread cannot be made. */
enum err io_start(struct io *io, const struct answer_shared *shared) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Ends the threads and waits for them; what is in the UDP buffers and not yet accepted stays there, TCP
 * connections are closed. Returns within a second. io_start may follow. */
void io_stop(struct io *io) ATTR_NONNULL_ALL;
/* Adds up all workers' counters. */
void io_sum_counters(const struct io *io, struct answer_counters *answers, struct io_counters *sockets)
    ATTR_NONNULL_ALL;
/* TCP connections open now. */
size_t io_tcp_open(const struct io *io) ATTR_NONNULL_ALL;
size_t io_worker_cnt(const struct io *io) ATTR_NONNULL_ALL;
