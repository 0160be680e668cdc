/* Commands for the spawn helper, by one of its channels: whoever has a channel hands in jobs and is called back when
 * each has ended. Never waits: whoever owns the loop watches spawn_fd for reading, for writing too while
 * spawn_wants_write, and calls spawn_serve when something happens there. One thread at a time a channel. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "loop/spawn_message.h"

struct spawn;

/* Embed; it stays in place until `done` was called, which may free it or hand it in again, or until spawn_stop. */
struct spawn_job {
    uint32_t id; /* the channel's own; 0: not under way */
    void (*done)(struct spawn_job *job, const struct spawn_result *result);
};

/* No job may be under way but such as need no call back. */
void spawn_free(struct spawn *spawn);
/* `fd` is borrowed; -1: there is no helper, every spawn_run fails. `what` are its jobs, for the log: "checks". */
struct spawn *spawn_new(int fd, const char *what) ATTR_FREED_BY(spawn_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
int spawn_fd(const struct spawn *spawn) ATTR_NONNULL_ALL;
bool spawn_wants_write(const struct spawn *spawn) ATTR_NONNULL_ALL;
/* Is there still a helper? Once there is none, none comes again. */
bool spawn_is_open(const struct spawn *spawn) ATTR_NONNULL_ALL;

/* Hands in a job with its `done`; never calls that itself. ERR_LIMIT: arguments and variables are too long together.
 * ERR_CLOSED: there is no helper. */
enum err spawn_run(struct spawn *spawn, struct spawn_job *job, const struct spawn_request *request)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Ends a job that is under way, with its process group; `done` is not called any more. */
void spawn_stop(struct spawn *spawn, struct spawn_job *job) ATTR_NONNULL_ALL;
/* Takes what has come, sends what waits. When the helper has died, every job under way ends as SPAWN_LOST. */
void spawn_serve(struct spawn *spawn) ATTR_NONNULL_ALL;
