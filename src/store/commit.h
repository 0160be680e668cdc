/* The last part of the way of every change: a version that a job has made goes to the journal, its pools get their
 * handles, it is published, and what it replaced is released. In that order: nothing is answered, told or acknowledged
 * that a crash could take back.
 *
 * While a commit runs its zone is `building` (store/private.h): there is one at a time. [control] */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "loop/job.h"
#include "loop/post.h"
#include "store/keeping.h"
#include "zone/version.h"

struct store;
struct store_zone;

/* Embedded; stays until `done`. */
struct commit {
    /* in */
    struct store *store;
    struct store_zone *zone;
    struct zone_version *version; /* NULL: only something is kept */
    struct keeping *keeping;      /* borrowed; its batch is taken */
    /* It is served in any case, as otherwise nothing would be: that it could not be kept is logged. */
    bool is_needed;
    const char *path; /* for warnings; NULL: none */
    /* `why` NULL: done. Else nothing has changed, and the version is gone. */
    void (*done)(struct commit *commit, const char *why);
    /* out; the callee's in `done` */
    struct diag *pools_diag; /* what there was to say of its pools; NULL: nothing */
    /* private */
    struct post_item item;
    struct job job;
    char *why;
    bool is_to_be_put_back, is_put_back; /* the snapshot, as a version of which it is was refused */
};
void commit_start(struct commit *commit) ATTR_NONNULL_ALL;
