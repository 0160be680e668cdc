/* Who does the I/O of kinds whose protocol a library or another process speaks (struct kind's `driver`): all of it, or
 * what comes once a stream's connection stands. One of a type serves all its checks; it is opened when the first of
 * them begins and lives on the probe thread, as all calls here do, none of which may block. Deadlines are not its
 * matter: a check whose time is over is stopped; but for what a check waits in the driver it may put the deadline off
 * (the run's deadline_us, never to an earlier time). */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct check;
struct driver; /* its own */

/* What it gets. */
struct driver_host {
    int epoll_fd;      /* where its descriptors may be registered ... */
    uint64_t tag_base; /* ... with this as tag, plus 32 bits of its own */
    /* A check that was started and not stopped has been decided (its run does not run any more, or it has a
     * local_error) and is the driver's no longer. Not from within `start`, `stop`, `close`. */
    void (*ended)(void *arg, struct check *check);
    void *arg;
};

struct driver_type {
    /* NULL: it can't be (logged); its checks are tried again later. `host` stays in place. */
    struct driver *(*open)(const struct driver_host *host);
    /* No check is started any more. */
    void (*close)(struct driver *driver);
    /* Begins a check, whose `driven` is the driver's to use, and `fd` to take when it has one (in the epoll set, with a
     * tag that is not the driver's). It may be decided when this returns; then it is the driver's no longer. */
    void (*start)(struct driver *driver, struct check *check);
    /* Forgets one that has not been decided. */
    void (*stop)(struct driver *driver, struct check *check);
    /* The deadline has passed: decides the check, which is stopped then. NULL: it has failed, as the kind's `late`
     * says. */
    void (*late)(struct driver *driver, struct check *check);
    /* Something happened (EPOLL… bits) at a descriptor, `number` the low 32 bits of its tag. */
    void (*event)(struct driver *driver, uint32_t number, uint32_t events);
    /* When `tick` is to be called next, in the prober's time; UINT64_MAX: it need not. Both NULL: never. */
    uint64_t (*due_us)(const struct driver *driver);
    void (*tick)(struct driver *driver, uint64_t now_us);
};

/* https and tls, by libcurl. */
extern const struct driver_type driver_curl;
