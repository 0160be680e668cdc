#include "probe/drivers.h"

#include <assert.h>
#include <errno.h>

static void on_ended(void *arg, struct check *check)
{
    const struct drivers_own *own = arg;
    check->driver = NULL;
    own->all->ended(own->all->arg, check);
}

/* NULL: there can't be one now. */
static struct driver *driver_of(struct drivers *drivers, const struct driver_type *type)
{
    unsigned i = 0;
    while (i < DRIVERS_MAX && drivers->own[i].type && drivers->own[i].type != type)
        i++;
    assert(i < DRIVERS_MAX);
    struct drivers_own *own = &drivers->own[i];
    if (!own->driver) {
        own->type = type;
        own->all = drivers;
        own->host = (struct driver_host){drivers->epoll_fd, (uint64_t)(i + 1) << 32, on_ended, own};
        own->driver = type->open(&own->host);
    }
    return own->driver;
}

void drivers_start(struct drivers *drivers, struct check *check)
{
    const struct driver_type *type = check->run.kind->driver;
    check->driver = driver_of(drivers, type);
    if (!check->driver) {
        check->local_error = ENOSYS;
        return;
    }
    type->start(check->driver, check);
    if (!check_runs(check))
        check->driver = NULL;
}

void drivers_event(struct drivers *drivers, uint64_t tag, uint32_t events)
{
    const struct drivers_own *own = &drivers->own[(tag >> 32) - 1];
    own->type->event(own->driver, (uint32_t)tag, events);
}

static uint64_t due_us(const struct drivers_own *own)
{
    return own->driver && own->type->due_us ? own->type->due_us(own->driver) : UINT64_MAX;
}

uint64_t drivers_due_us(const struct drivers *drivers)
{
    uint64_t first_us = UINT64_MAX;
    for (unsigned i = 0; i < DRIVERS_MAX; i++) {
        uint64_t own_us = due_us(&drivers->own[i]);
        first_us = own_us < first_us ? own_us : first_us;
    }
    return first_us;
}

void drivers_tick(struct drivers *drivers, uint64_t now_us)
{
    for (unsigned i = 0; i < DRIVERS_MAX; i++)
        if (due_us(&drivers->own[i]) <= now_us)
            drivers->own[i].type->tick(drivers->own[i].driver, now_us);
}

void drivers_close(struct drivers *drivers)
{
    for (unsigned i = 0; i < DRIVERS_MAX; i++)
        if (drivers->own[i].driver)
            drivers->own[i].type->close(drivers->own[i].driver);
}
