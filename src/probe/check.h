/* A check under way: a run of its kind's machine and the socket that feeds it, or the driver that does. Non-blocking;
 * told of events by an edge-triggered epoll set, in which the socket is registered once. [probe] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/kind.h"

struct check {
    struct kind_run run;
    struct check *next_free; /* its owner's */
    uint64_t start_us;
    uint32_t slot;         /* the owner's number for it */
    bool is_traced;        /* somebody wants to know its steps */
    uint32_t stall_cnt;    /* of the owner's clock when it began */
    bool hung_before;      /* the last one was late, and the owner lets it wait for others: for drivers with queues */
    bool is_late;          /* it is by its driver's clock */
    int fd;                /* -1: none */
    bool raw;              /* the socket's datagrams begin with IP's header */
    int local_error;       /* not 0: it can't be done, and that is our own failure; the run is undecided */
    struct reason lack;    /* of a local_error, where the system's word for it would mislead; REASON_NONE else */
    struct driver *driver; /* that it is left to just now; NULL: none */
    void *driven;          /* the driver's */
};

/* True while it goes on: not decided by its machine, nor a failure of ours. */
static inline bool check_runs(const struct check *check)
{
    return check->run.state == KIND_RUNNING && !check->local_error;
}

/* It is its driver's turn: all is done that the driver is not there for. */
static inline bool check_awaits_driver(const struct check *check)
{
    const struct kind *kind = check->run.kind;
    return check_runs(check) && kind->driver && !check->driver &&
           (kind->transport == KIND_DRIVEN || check->run.want != KIND_WANT_CONNECTED);
}

/* So long after it began, and a little, as 0 is never. */
static inline uint32_t check_age_us(const struct check *check, uint64_t now_us)
{
    uint64_t us = now_us > check->start_us ? now_us - check->start_us : 0;
    return us >= UINT32_MAX ? UINT32_MAX : us ? (uint32_t)us : 1;
}

/* Begins one, whose run has `measure` and `random`; `tag` comes back with its events. It may be over at once. One of
 * KIND_DRIVEN is but prepared; of another with a driver the connection is made. */
void check_open(struct check *check, const struct target *target, uint64_t now_us, int epoll_fd,
                uint64_t tag) ATTR_NONNULL_ALL;
/* Something happened at its socket (EPOLL… bits). `buffer` is scratch. The run's now_us is set, here and below. */
void check_event(struct check *check, uint32_t events, uint8_t *buffer, size_t buffer_len) ATTR_NONNULL_ALL;
/* The run's wake_us has come. */
void check_wake(struct check *check) ATTR_NONNULL_ALL;
/* What it has reached and had not before was reached so long after its start. Drivers note more by themselves. */
void check_note_steps(struct check *check, uint32_t since_start_us) ATTR_NONNULL_ALL;
/* Ends it, whatever its state; gone from the epoll set. */
void check_close(struct check *check) ATTR_NONNULL_ALL;
