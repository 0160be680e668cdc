/* Between the prober and the spawn helper: a job a check. The helper's clock decides what is late, for a command's time
 * begins when it does; the prober's deadline is only there for a helper that does not answer at all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/spawn.h"
#include "probe/exec.h"

/* A command may wait for its timeout, and then run for it; the rest is the helper's to notice and to tell. */
enum { HELPER_SLACK_MS = 2000 };

static int channel_fd = -1; /* [control], before the probe thread begins */

/* A check under way. */
struct exec_job {
    struct spawn_job job;
    struct driver *driver;
    struct check *check;
    uint64_t handed_us;
};

struct driver {
    const struct driver_host *host;
    struct spawn *spawn;
};

void probe_use_spawn(int fd) { channel_fd = fd; }

static struct driver *open_driver(const struct driver_host *host)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = host->tag_base};
    if (channel_fd >= 0 && epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, channel_fd, &event)) {
        log_error("exec checks: cannot watch the process that runs commands: %s", strerror(errno));
        return NULL;
    }
    struct driver *driver = mem_zalloc(1, sizeof *driver);
    driver->host = host;
    driver->spawn = spawn_new(channel_fd, "exec checks");
    return driver;
}

static void close_driver(struct driver *driver)
{
    if (channel_fd >= 0)
        (void)epoll_ctl(driver->host->epoll_fd, EPOLL_CTL_DEL, channel_fd, NULL);
    spawn_free(driver->spawn);
    free(driver);
}

/* The time for which it waited for a place was none of the target's: neither its duration, nor the begin of the
 * interval to the next. */
static void forget_waiting(const struct exec_job *own, const struct spawn_result *result)
{
    uint64_t all_us = clock_mono_us() - own->handed_us;
    if (result->duration_us && all_us > result->duration_us)
        own->check->start_us += all_us - result->duration_us;
}

static void on_done(struct spawn_job *job, const struct spawn_result *result)
{
    struct exec_job *own = container_of(job, struct exec_job, job);
    struct check *check = own->check;
    const struct driver_host *host = own->driver->host;
    forget_waiting(own, result);
    free(own);
    check->driven = NULL;
    exec_judge(check, result);
    host->ended(host->arg, check);
}

static enum err hand_in(struct driver *driver, struct exec_job *own)
{
    const struct target *target = own->check->run.target;
    const struct exec_detail *detail = exec_of(target);
    const char *argv[SPAWN_ARGUMENTS_MAX], *at = detail->arguments;
    for (uint32_t i = 0; i < detail->arg_cnt; i++, at += strlen(at) + 1)
        argv[i] = at;
    const struct spawn_request request = {
        .argv = argv,
        .arg_cnt = detail->arg_cnt,
        .timeout_ms = (uint32_t)target->timing.timeout_ms,
        .hung_before = own->check->hung_before,
    };
    return spawn_run(driver->spawn, &own->job, &request);
}

static void start(struct driver *driver, struct check *check)
{
    struct exec_job *own = mem_zalloc(1, sizeof *own);
    own->job.done = on_done;
    own->driver = driver;
    own->check = check;
    own->handed_us = clock_mono_us();
    enum err err = hand_in(driver, own);
    if (!err) {
        check->driven = own;
        check->run.deadline_us += (check->run.target->timing.timeout_ms + HELPER_SLACK_MS) * 1000;
        return;
    }
    free(own);
    const struct spawn_result result = {.how = err == ERR_LIMIT ? SPAWN_NOT_RUN : SPAWN_LOST, .number = E2BIG};
    exec_judge(check, &result);
}

static void stop(struct driver *driver, struct check *check)
{
    struct exec_job *own = check->driven;
    spawn_stop(driver->spawn, &own->job);
    free(own);
    check->driven = NULL;
}

/* Stopped, or starved: whatever it is, it is not the target. */
static void late(struct driver *driver, struct check *check)
{
    const struct spawn_result result = {.how = SPAWN_LOST};
    (void)driver;
    exec_judge(check, &result);
}

static void event(struct driver *driver, uint32_t number, uint32_t events)
{
    (void)number;
    (void)events;
    spawn_serve(driver->spawn);
}

const struct driver_type exec_driver = {
    .open = open_driver,
    .close = close_driver,
    .start = start,
    .stop = stop,
    .event = event,
    .late = late,
};
