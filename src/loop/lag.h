/* How long a loop is away from its events: the processor time that its thread spends in one turn, from one wait for
 * events to the next. What arrives meanwhile waits that long. Processor time, because it shows what our own code takes
 * whatever else the machine does; a thread that is asleep or has to wait for a processor does not count. And never more
 * than the time that passed outside of the wait: virtual machines charge a thread for what they take away while it goes
 * to sleep and wakes up (13 ms were seen in a turn that worked for 0.4). Costs a system call (a quarter of a
 * microsecond) and some looks at the clock a turn. [loop] */
#pragma once

#include <stdint.h>
#include <uv.h>

#include "base/attr.h"

enum { LAG_WINDOW_MS = 60 * 1000 };

/* Embed; zero-initialise. */
struct lag {
    uv_prepare_t prepare;
    uint64_t turn_ns;       /* of the thread, when this turn began; 0: none has */
    uint64_t passed_ns;     /* of the clock, less what was spent waiting, at that moment */
    uint64_t window_ms;    /* of the loop, when this window began */
    uint64_t longest_ns[2]; /* turn in this window, in the one before */
};

/* From the loop's next turn on. Keeps no loop alive. From here on the loop measures how long it waits. */
void lag_start(struct lag *lag, uv_loop_t *loop) ATTR_NONNULL_ALL;
/* Before the loop is closed; the handle goes with the loop's next round. May be called when it was never started. */
void lag_stop(struct lag *lag) ATTR_NONNULL_ALL;
/* The longest turn of the last one to two windows. */
uint64_t lag_longest_us(struct lag *lag) ATTR_NONNULL_ALL;
