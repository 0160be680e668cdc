/* A target under watch, for watch.c and ending.c: what is known of it, and what it waits for. [probe] */
#pragma once

#include "probe/watch.h"

enum watched_state { WATCHED_NONE, WATCHED_WAITING, WATCHED_TURN, WATCHED_RUNNING };

/* Some hundred bytes a target. */
struct watched {
    struct target *target; /* counted; NULL: the slot is empty */
    struct check *check;   /* WATCHED_RUNNING */
    struct health_target health;
    struct health_measure measure;
    uint64_t duration_us;
    uint64_t start_us; /* of the last check; 0: there was none */
    uint64_t due_us;   /* when the next is to begin */
    uint32_t generation;
    uint32_t turn_before, turn_after; /* WATCHED_TURN: slot + 1 */
    uint8_t state;
    bool excused; /* the last failure was not counted, so the next is */
    bool asked;   /* somebody waits for a check with its steps, which has not begun */
    bool hangs;   /* down, and the last check ran into its deadline */
};

static inline struct watched *watched_at(struct watch *watch, uint32_t slot)
{
    return paged_at(&watch->targets, slot);
}

/* Its next check is due then: or later, for whatever the schedule wants, starts keep their distance. */
void watched_wait_until(struct watch *watch, uint32_t slot, uint64_t due_us) ATTR_NONNULL_ALL;
