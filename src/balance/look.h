/* Checks of a member now, because somebody asks. They count as any other. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "balance/operate.h"
#include "base/attr.h"
#include "base/err.h"

struct look_check {
    char *probe;         /* the name of its row */
    const char *type;    /* a literal */
    struct addr address; /* with port, where the type has one */
    bool has_port;
    bool ended;              /* `trace` is filled; false at the end: the member left meanwhile */
    struct probe_trace trace;
};

struct look {
    const struct look_check *checks; /* in the order of the configuration */
    size_t cnt;
};

/* Checks the member by each of its probes; `fn` is called once when all have ended, in a later turn of the loop. One
 * that somebody else asked for and that ends meanwhile serves as well. ERR_NOT_FOUND: there is no such member, or it
 * sleeps; ERR_INVALID: nothing checks it; ERR_DENIED: its address may not be probed; `fn` is not called then. */
enum err look_start(struct balance *balance, const struct operate_member *member,
                    void (*fn)(void *arg, const struct look *look), void *arg) ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
