/* The folder of what must survive a restart: made, locked against a second rondod, and the file of databases in it.
 * What is found there and is none of ours is renamed, never removed. [before the loop runs] */
#pragma once

#include <sys/types.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "store/lmdb.h"

/* Makes the folder (its last component, mode 0700) for that user and group when it is missing; for while we are root.
 * That it could not be is found when it is opened. */
void state_dir_make(const char *path, uid_t uid, gid_t gid) ATTR_NONNULL_ALL;

/* Warns of what a look at the folder says that state_dir_open will stumble upon; nothing is made or locked. */
void state_dir_check(const char *path, struct diag *diag) ATTR_NONNULL_ALL;

/* Where a file of the folder is set aside, to be freed: "FILE.aside-20261129T120000Z", with a number behind it where
 * there is one already. [any thread] */
char *state_dir_name_aside(const char *file) ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;

/* The folder of zones' snapshots (store/snapshot.h), to be freed. [any thread] */
char *state_dir_zones(const char *path) ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;

struct state_dir {
    struct lmdb *lmdb; /* the caller may take it and leave NULL */
    int lock_fd;       /* -1: none */
};
/* Gives the lock back. */
void state_dir_close(struct state_dir *dir) ATTR_NONNULL_ALL;
/* Makes the folder if need be, locks it, opens its databases. ERR_BUSY with an error in `diag`: another rondod has it.
 * ERR_IO with a warning: it can't be used, for the reason told. A file that is set aside, and zones' snapshots with
 * it, is a warning, and no error. */
enum err state_dir_open(struct state_dir *dir, const char *path, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
