/* The process of one command, in the helper: its start, its output and its end. It leads a process group, which ends
 * with it: whatever it has left behind there is killed when it exits or is killed itself. Only who leaves the group
 * (setsid(1)) goes on. Its standard input is empty, its output comes here, every other descriptor is closed; signals
 * are as a shell would have them; and it is killed when the helper dies. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "loop/spawn_message.h"

/* The first line with anything in it, out of pieces. Zero-initialise. */
struct spawn_line {
    char bytes[4 * SPAWN_LINE_MAX]; /* longer than what is shown, for characters of several bytes */
    size_t len;
    bool is_whole;
};
void spawn_line_feed(struct spawn_line *line, const char *bytes, size_t len) ATTR_NONNULL_ALL;

enum { SPAWN_OUT, SPAWN_ERR, SPAWN_OUTPUT_CNT };

struct spawn_process {
    pid_t pid; /* and its group's number; 0: none */
    int output_fds[SPAWN_OUTPUT_CNT]; /* non-blocking, in the epoll set, to be read; -1: at its end */
    int epoll_fd;
    int status_fd; /* tells why it could not be run */
    struct spawn_line lines[SPAWN_OUTPUT_CNT];
};

/* Starts what a RUN says; its outputs come into the epoll set, tagged with these. 0, or the error for which there is no
 * process; one that only shows in the new process (no such program) is told at its end. */
int spawn_process_start(struct spawn_process *process, const struct spawn_message *run, int epoll_fd,
                        void *const tags[SPAWN_OUTPUT_CNT]) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Reads a piece of output; false: that one is at its end, and closed. */
bool spawn_process_read(struct spawn_process *process, unsigned output) ATTR_NONNULL_ALL;
/* Kills its group. Only before it is reaped: then the number may be somebody else's. */
void spawn_process_kill(const struct spawn_process *process) ATTR_NONNULL_ALL;
/* It was reaped with `status` (of waitpid): closes what is open and fills how, number and line. */
void spawn_process_end(struct spawn_process *process, int status, struct spawn_result *result) ATTR_NONNULL_ALL;
