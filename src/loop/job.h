/* A job: a function that runs in libuv's pool, then another on the loop. For
 * whatever takes longer than the loop may be away for.
 *
 * The pool's threads are not made nicer than others: one that holds a lock of malloc and is kept from the processor
 * would hold up the loop for tens of milliseconds (tried). */
#pragma once

#include <stddef.h>
#include <uv.h>

#include "base/attr.h"

/* Embed; it stays in place until `done` runs, which may free it. */
struct job {
    uv_work_t request;
    void (*work)(struct job *self); /* in the pool */
    void (*done)(struct job *self); /* on the loop */
};

/* Sets the size of the pool: as many threads as cores, at least JOB_POOL_LEAST.
 * Once, before the process has a second thread. */
enum { JOB_POOL_LEAST = 4 };
void job_pool_size(void);
/* How many jobs of one kind may run at a time so that two threads stay free for all others; 2 to 8. */
unsigned job_pool_share(void) ATTR_MUST_USE;

/* [loop] */
void job_run(uv_loop_t *loop, struct job *job, void (*work)(struct job *self), void (*done)(struct job *self))
    ATTR_NONNULL_ALL;

/* free(), in a job when it is much: to give pages back takes a millisecond for some MiB. `p` may be NULL. [loop] */
void job_free(uv_loop_t *loop, void *p, size_t len) ATTR_NONNULL(1);
