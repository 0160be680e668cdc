/* Requests on their way from a worker to the control thread and, where their connection is a worker's, back with the
 * answer: a queue that wakes who takes from it, one for control and one for each stream worker, and the list of those
 * that wait for control to decide, which is bounded: IO_HANDOFFS_MAX in all, IO_HANDOFFS_CLIENT_MAX of one client,
 * IO_HANDOFFS_UPDATES_MAX of UPDATE.
 *
 * A hand-off belongs to whoever has it: the worker that made it, a queue, the control thread. One that came by TCP
 * always goes back to its worker, which alone touches `conn`; a source that has ended comes to control once more, to be
 * released.
 *
 * Locks: that of each queue and that of the list, taken for a few instructions. None is on the way of a query. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "answer/handoff.h"
#include "base/attr.h"
#include "io/io.h"

struct conn;

enum { HANDOFF_CONTROL_MAX = CMSG_SPACE(sizeof(struct in6_pktinfo)) };

/* ---- a queue */

struct handoff_queue {
    int fd; /* an eventfd: readable when something is there */
    pthread_mutex_t lock;
    struct io_handoff *first, **last;
};
void handoff_queue_fini(struct handoff_queue *queue) ATTR_NONNULL_ALL;
/* ERR_IO, and errno, when there is no descriptor. After it handoff_queue_fini, whatever it said. */
enum err handoff_queue_init(struct handoff_queue *queue) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* [any] */
void handoff_queue_put(struct handoff_queue *queue, struct io_handoff *handoff) ATTR_NONNULL_ALL;
/* All that is there, in order, linked by `next`; the descriptor is no longer readable until more comes. [the taker] */
struct io_handoff *handoff_queue_take(struct handoff_queue *queue) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* ---- hand-offs */

struct handoffs;

struct io_handoff {
    struct answer_hand_off *request; /* owned; io_handoff_request */
    struct io_handoff *next;         /* in a queue */
    struct io_handoff *older, *newer; /* among those that wait for control */
    struct handoffs *home;
    /* what came by UDP */
    int fd;
    struct sockaddr_in6 peer;
    socklen_t peer_len;
    size_t control_len;
    _Alignas(struct cmsghdr) uint8_t control[HANDOFF_CONTROL_MAX]; /* the address it was sent to */
    /* what came by TCP */
    struct handoff_queue *worker; /* [control] where it goes back to; NULL: the workers are gone */
    struct conn *conn;            /* [worker] NULL: closed meanwhile */
    enum io_stream_end ending;    /* [worker] why the connection is going to be closed; IO_STREAM_RUNNING: its client */
    /* the answer: one of them, or none */
    uint8_t *reply;
    size_t reply_len;
    struct io_source *source;
};
void handoff_free(struct io_handoff *handoff);
/* Takes over what was admitted. [worker] */
struct io_handoff *handoff_new(struct answer_hand_off **request)
    ATTR_FREED_BY(handoff_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Answers what came by UDP, from the address that it was sent to; counts it when the kernel does not take it. Never
 * blocks. [control] */
void handoff_send(const struct io_handoff *handoff, const uint8_t *message, size_t len, struct io_counters *counters)
    ATTR_NONNULL_ALL;
/* It is over: a source goes to control, to be released; otherwise all is freed. [worker; control once there is none] */
void handoff_end(struct io_handoff *handoff, enum io_stream_end end) ATTR_NONNULL_ALL;

/* All of an io. [control] but for handoffs_put. */
struct handoffs {
    struct handoff_queue queue; /* to control: those that have come, and sources that have ended */
    io_handed_off_fn *fn;       /* NULL: none is taken */
    void *arg;
    struct io_counters counters; /* control's: how streams ended */
    pthread_mutex_t lock;       /* of the rest: those that control has to decide on */
    struct io_handoff *oldest, *newest;
    unsigned cnt;
};
void handoffs_fini(struct handoffs *handoffs) ATTR_NONNULL_ALL;
enum err handoffs_init(struct handoffs *handoffs) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Hands over. False: there are too many, and it is still the caller's. [worker] */
bool handoffs_put(struct handoffs *handoffs, struct io_handoff *handoff) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Control has decided: it counts no more. */
void handoffs_decide(struct handoffs *handoffs, struct io_handoff *handoff) ATTR_NONNULL_ALL;
/* Tells control of all that have come, and releases sources. */
void handoffs_run(struct handoffs *handoffs) ATTR_NONNULL_ALL;
/* The workers are gone: frees what control has not been told of, releases sources, and lets what it still has go
 * nowhere. */
void handoffs_part(struct handoffs *handoffs) ATTR_NONNULL_ALL;
