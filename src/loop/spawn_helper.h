/* The spawn helper: a process that runs commands for the daemon, forked while that is a megabyte and one thread
 * (libuv's spawn blocks for 93 ms at 2 GB resident), has no socket yet and has raised no limit.
 *
 *   daemon ── keeper ── runner ──< commands, each a process group
 *
 * The runner (loop/spawn_runner.h) does the work. The keeper only waits: should the runner die, it kills what that has
 * left, and forks another; the daemon, large and without its old privileges, could not. Both end when the daemon does,
 * however that ends: the runner finds its channels closed, and kills every command. Should somebody kill the keeper,
 * the runner and its commands end, and the daemon is told SPAWN_LOST of every command from then on, until it is started
 * again. Neither holds any descriptor but its own; both ignore what a service manager or a terminal sends to all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

enum { SPAWN_HELPER_CHANNELS_MAX = 4 };

struct spawn_helper {
    pid_t pid; /* the keeper; 0: none */
    size_t channel_cnt;
    int fds[SPAWN_HELPER_CHANNELS_MAX]; /* our ends, for spawn_new; -1: closed */
};

struct spawn_helper_setup {
    const unsigned *most; /* commands at a time, a channel each */
    size_t channel_cnt;   /* 1 to SPAWN_HELPER_CHANNELS_MAX */
    /* In the helper, with the user of spawn_helper_begin: becomes it for good, with what belongs to it in the
     * environment. False, having logged why: that cannot be, and the helper ends. */
    bool (*become)(const char *user);
};

/* Forks it; it waits for spawn_helper_begin. While there is one thread. ERR_IO, logged. */
enum err spawn_helper_fork(struct spawn_helper *helper, const struct spawn_helper_setup *setup)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Lets it take commands, as `user` ("": as it is). ERR_CLOSED: it is gone. */
enum err spawn_helper_begin(struct spawn_helper *helper, const char *user) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Closes the channels, whose users must have ended, and waits a moment for its end. May be called when there is none.
 */
void spawn_helper_end(struct spawn_helper *helper) ATTR_NONNULL_ALL;
