/* The drivers in use, each opened when the first check of its kind begins. [probe] */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "probe/check.h"
#include "probe/driver.h"

enum { DRIVERS_MAX = 4 };

struct drivers {
    /* Set by the owner. */
    int epoll_fd; /* where they may register descriptors, with tags above 32 bits */
    void (*ended)(void *arg, struct check *check); /* of one that was started; it has no driver any more */
    void *arg;
    /* Its own. */
    struct drivers_own {
        const struct driver_type *type; /* NULL: none yet */
        struct driver *driver;
        struct driver_host host;
        struct drivers *all;
    } own[DRIVERS_MAX];
};

/* No check may be left to any. */
void drivers_close(struct drivers *drivers) ATTR_NONNULL_ALL;
/* Leaves a check to its kind's driver. It may be over at once, as when there can't be one. */
void drivers_start(struct drivers *drivers, struct check *check) ATTR_NONNULL_ALL;
/* Something happened (EPOLL… bits) at what has such a tag. */
void drivers_event(struct drivers *drivers, uint64_t tag, uint32_t events) ATTR_NONNULL_ALL;
/* When drivers_tick is to be called; UINT64_MAX: it need not. */
uint64_t drivers_due_us(const struct drivers *drivers) ATTR_NONNULL_ALL;
void drivers_tick(struct drivers *drivers, uint64_t now_us) ATTR_NONNULL_ALL;
