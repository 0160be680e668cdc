/* A stream worker: one thread, an epoll set over its own listening sockets and the connections they bring. Made
 * and freed by the control thread while it doesn't run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/attr.h"
#include "io/conn.h"
#include "io/gate.h"
#include "io/io.h"

/* What all stream workers share; borrowed by each. */
struct tcp_common {
    const struct answer_shared *shared;
    struct handoffs *handoffs;
    struct gate *gate;
    struct conn_store *store; /* as many as the gate has slots */
    uint64_t idle_ms;
    const bool *stop;
};

struct tcp_worker;

/* Closes the connections that are left; the listening sockets stay. */
void tcp_worker_free(struct tcp_worker *worker);
/* Answers on the `fd_cnt` listening sockets at `fds` (borrowed, non-blocking). NULL, with errno, when the system
 * refuses. */
struct tcp_worker *tcp_worker_new(const struct tcp_common *common, const int *fds, size_t fd_cnt)
    ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The thread; `worker` is a struct tcp_worker. Returns NULL once *stop is set. */
void *tcp_run(void *worker) ATTR_NONNULL_ALL;
/* See answer_take_refusal. [control] */
bool tcp_take_refusal(struct tcp_worker *worker, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Adds what was counted so far. [control], while it runs too. */
void tcp_add_counters(const struct tcp_worker *worker, struct answer_counters *answers, struct io_counters *sockets)
    ATTR_NONNULL_ALL;
