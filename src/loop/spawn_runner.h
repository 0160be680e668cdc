/* The helper's inner process: takes commands from the daemon by channel, runs some of each channel's at a time, lets
 * the rest wait, and answers how each ended. Its own turns never wait for a command. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"

struct spawn_runner_setup {
    const int *fds;           /* of the channels */
    const unsigned *most;     /* commands of each at a time */
    size_t channel_cnt;       /* at most SPAWN_RUNNER_CHANNELS_MAX */
    pid_t keeper;             /* our parent: we end with it */
    unsigned previous_signal; /* that ended the runner before this one; 0: there was none */
};
enum { SPAWN_RUNNER_CHANNELS_MAX = 4 };

/* A parent that ends sends this one, as prctl(PR_SET_PDEATHSIG) arranges: none that a service manager or a terminal
 * sends to a whole group. */
#define SPAWN_PARENT_GONE SIGUSR1

/* Until all channels are closed at the other end or the keeper is gone; then every command's group is killed. The exit
 * status. */
int spawn_runner_run(const struct spawn_runner_setup *setup) ATTR_NONNULL_ALL;
