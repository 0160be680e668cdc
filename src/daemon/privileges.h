/* Becoming another user for good. Before the process has a second thread. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"

struct privileges {
    uid_t uid;
    gid_t gid;
    bool keeps_raw; /* CAP_NET_RAW is kept: raw sockets may be opened for good. No program that is run gets it. */
};

/* Who `user` is, with nothing to keep. ERR_NOT_FOUND. [any thread] */
enum err privileges_find(struct privileges *privileges, const char *user) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Becomes `user` with all its groups, keeps no capability but what `privileges` says, and checks that there is no way
 * back (but by exec: see privileges_no_new).
 * Nothing to become when that is who we are already. ERR_DENIED. */
enum err privileges_drop(const struct privileges *privileges, const char *user, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* No program run from here on gains privileges (set-user-ID, file capabilities). */
void privileges_no_new(void);
