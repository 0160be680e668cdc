#include "loop/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "base/mem.h"

static unsigned pool_size(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < JOB_POOL_LEAST)
        return JOB_POOL_LEAST;
    return cores > 128 ? 128 : (unsigned)cores;
}

void job_pool_size(void)
{
    char text[16];
    snprintf(text, sizeof text, "%u", pool_size());
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

unsigned job_pool_share(void)
{
    enum { MOST = 8 };
    unsigned share = pool_size() - 2;
    return share < MOST ? share : MOST;
}

static void on_work(uv_work_t *request)
{
    struct job *job = request->data;
    job->work(job);
}

/* Jobs are never cancelled in the queue: `status` is always 0. */
static void on_done(uv_work_t *request, int status)
{
    (void)status;
    struct job *job = request->data;
    job->done(job);
}

void job_run(uv_loop_t *loop, struct job *job, void (*work)(struct job *self), void (*done)(struct job *self))
{
    job->request.data = job;
    job->work = work;
    job->done = done;
    if (uv_queue_work(loop, &job->request, on_work, on_done))
        abort(); /* only without a function */
}

/* ---- freeing */

enum { MUCH = 256 * 1024 };

struct freeing {
    struct job job;
    void *p;
};

static void free_work(struct job *job) { free(container_of(job, struct freeing, job)->p); }

static void free_done(struct job *job) { free(container_of(job, struct freeing, job)); }

void job_free(uv_loop_t *loop, void *p, size_t len)
{
    if (!p || len < MUCH) {
        free(p);
        return;
    }
    struct freeing *freeing = mem_zalloc(1, sizeof *freeing);
    freeing->p = p;
    job_run(loop, &freeing->job, free_work, free_done);
}
