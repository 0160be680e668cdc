/* What is said between the daemon and the spawn helper, a packet each. Both ends are the same program, so there are no
 * versions; it is read with all bounds checked even so. Pure.
 *
 *   to the helper     BECOME user        first of all, once
 *                     RUN id …           a command
 *                     STOP id            its result is of no interest any more: end it
 *   from the helper   HELLO signal       it begins; not 0: its predecessor died by that signal, with all its commands
 *                     ENDED id …         how a command ended */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
    SPAWN_MESSAGE_MAX = 64 * 1024, /* a socket's default buffer holds three of them */
    SPAWN_ARGUMENTS_MAX = 256,
    SPAWN_VARIABLES_MAX = 32,
    SPAWN_LINE_MAX = 256, /* with its end */
    SPAWN_SHORT_MAX = SPAWN_LINE_MAX + 32,
};

/* A command: no shell, no search for it. */
struct spawn_request {
    const char *const *argv; /* the first is the path of the program */
    size_t arg_cnt;
    const char *const *variables; /* "NAME=value", beside the helper's own environment */
    size_t variable_cnt;
    uint32_t timeout_ms; /* from its real start */
    bool hung_before; /* the last one like it ran into its timeout: such leave a quarter of the places to others */
};

enum spawn_how {
    SPAWN_EXITED,    /* number: the status */
    SPAWN_SIGNALLED, /* number: the signal that ended it, and that was not ours */
    SPAWN_NOT_RUN,   /* number: the error; it has not begun */
    SPAWN_LATE,      /* killed at its timeout, with its process group */
    SPAWN_NO_PLACE,  /* there were so many commands that it has not begun within its timeout */
    SPAWN_LOST,      /* the helper died, or there is none; it may or may not have run */
};

struct spawn_result {
    enum spawn_how how;
    uint32_t number;
    uint32_t duration_us;      /* from its start */
    char line[SPAWN_LINE_MAX]; /* the first of its standard output, or of its standard error if that is empty; clean as
                                  utf8_clean makes it */
};

enum spawn_type { SPAWN_BECOME = 1, SPAWN_RUN, SPAWN_STOP, SPAWN_HELLO, SPAWN_ENDED };

struct spawn_message {
    enum spawn_type type;
    uint32_t id;
    const char *user; /* BECOME */
    struct {
        uint32_t timeout_ms;
        bool hung_before;
        size_t arg_cnt, variable_cnt;
        const char *strings; /* arguments, then variables, one behind the other */
    } run;                   /* RUN */
    uint32_t signal;         /* HELLO */
    struct spawn_result result; /* ENDED */
};

/* Into `out`; the length, 0: it is too long. None is longer than SPAWN_MESSAGE_MAX, all but RUN and BECOME are shorter
 * than SPAWN_SHORT_MAX. */
size_t spawn_message_become(uint8_t *out, size_t cap, const char *user) ATTR_NONNULL_ALL ATTR_MUST_USE;
size_t spawn_message_run(uint8_t *out, size_t cap, uint32_t id, const struct spawn_request *request)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
size_t spawn_message_stop(uint8_t *out, size_t cap, uint32_t id) ATTR_NONNULL_ALL ATTR_MUST_USE;
size_t spawn_message_hello(uint8_t *out, size_t cap, uint32_t signal) ATTR_NONNULL_ALL ATTR_MUST_USE;
size_t spawn_message_ended(uint8_t *out, size_t cap, uint32_t id, const struct spawn_result *result)
    ATTR_NONNULL_ALL ATTR_MUST_USE;

/* Reads one, whose strings stay in `bytes`. ERR_SYNTAX. */
enum err spawn_message_read(struct spawn_message *message, const uint8_t *bytes, size_t len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The arguments and the variables of a RUN as lists that end in NULL; room for their counts plus 1. */
void spawn_message_lists(const struct spawn_message *message, const char **argv, const char **variables)
    ATTR_NONNULL_ALL;
