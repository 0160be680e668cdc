/* The client's side of the control socket: one request, one answer, within a time. Blocking; one thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "ctl/ctl.h"

struct client {
    const char *path;
    uint64_t timeout_ms;  /* from now on; 0: none */
    uint64_t deadline_ms; /* set by client_ask; 0: none */
    int attached; /* out: a descriptor that came with the answer, the caller's to close; -1: none */
};

/* Asks and waits. ERR_OK and a filled *answer (ctl_answer_fini), or why not: ERR_IO (not reached), ERR_TIMEOUT,
 * ERR_CLOSED, ERR_SYNTAX or ERR_UNSUPPORTED, with a sentence in *why (free()). *pidfd becomes a descriptor of the
 * server's process (close it), -1 where the system gives none. */
enum err client_ask(struct client *client, const char *command, const char *const *args, size_t arg_cnt,
                    struct ctl_answer *answer, int *pidfd, char **why) ATTR_NONNULL(1, 2, 5, 6, 7) ATTR_MUST_USE;
/* Waits within the same time until that process has ended. ERR_TIMEOUT. */
enum err client_wait_end(const struct client *client, int pidfd) ATTR_NONNULL_ALL ATTR_MUST_USE;
