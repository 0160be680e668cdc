/* All targets under watch: each waits for its next check, waits its turn because too many are under way, or is being
 * checked. Drives the checks, feeds their results to the rise/fall machines and tells the exchange. Everything here is
 * the probe thread's; the loop around it is engine.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"
#include "base/paged.h"
#include "base/places.h"
#include "base/random.h"
#include "probe/check.h"
#include "probe/drivers.h"
#include "probe/exchange.h"
#include "probe/schedule.h"
#include "probe/tally.h"

/* Of the descriptors that the process may have, checks use one in SHARE; more than MOST are never under way. */
enum { WATCH_RUNNING_SHARE = 4, WATCH_RUNNING_MOST = 16384 };

struct watch {
    /* Set before watch_open. */
    struct exchange *exchange;
    uint64_t first_within_us;
    void (*wake)(void *arg);
    void *wake_arg;
    uint32_t checks_max; /* atomic, set at any time: of checks under way; 0: as many as descriptors allow */
    /* Its own. */
    struct paged targets; /* struct watched, by slot */
    struct schedule_heap heap; /* by slot: the next start, or what the check under way is to be told by the clock */
    /* Due, but the checks under way are as many as may be: first come, first served, those that hang last
     * (base/places.h). */
    struct watch_turns {
        uint32_t first, last; /* slot + 1 */
    } turns[2];               /* by `hangs` */
    uint32_t waiting_cnt;     /* of both */
    uint32_t running_cnt, running_max;
    struct places places;
    struct check *free_checks;
    struct schedule_clock clock;
    uint64_t now_us;
    uint64_t worked_us;   /* processor time of the thread, at the last tick */
    uint64_t may_warn_us; /* from then on checks that wait are worth a line */
    struct random_state rng;
    uint32_t spread;
    struct tally tally; /* what others may look at while the thread runs */
    struct log_rate local_rate;
    bool told_no_echo; /* that no echo request may be sent is nothing that passes: it is logged once */
    int epoll_fd;
    struct drivers drivers;
};

/* `epoll_fd`: where checks register their sockets, with the slot as tag, and drivers theirs with a tag above 32 bits;
 * borrowed. */
void watch_open(struct watch *watch, int epoll_fd) ATTR_NONNULL_ALL;
/* Ends all checks, drops all targets. */
void watch_close(struct watch *watch) ATTR_NONNULL_ALL;

/* Reads the clock, given that since the last time the thread meant to wait for at most `away_us`; what it worked is
 * no stall. */
void watch_tick(struct watch *watch, uint64_t away_us) ATTR_NONNULL_ALL;
/* A target comes, goes or is replaced. Takes the wish's count. */
void watch_wish(struct watch *watch, struct exchange_wish *wish) ATTR_NONNULL_ALL;
/* Something happened at the socket of a slot's check, or of a driver. */
void watch_event(struct watch *watch, uint64_t tag, uint32_t events, uint8_t *buffer,
                 size_t buffer_len) ATTR_NONNULL_ALL;
/* Ends checks whose deadline has passed and begins those that are due, at most `most` together; true: there is more to
 * do now. */
bool watch_turn(struct watch *watch, unsigned most) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* How long nothing will be due; UINT64_MAX: for ever. */
uint64_t watch_wait_us(const struct watch *watch) ATTR_NONNULL_ALL;
