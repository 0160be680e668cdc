#include "probe/engine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "probe/watch.h"

enum {
    EVENTS_MAX = 64,
    /* Rounds of them: enough to hear everybody once. What goes on and on telling something must not keep deadlines, and
     * the end, waiting for ever. */
    ROUNDS_MAX = WATCH_RUNNING_MOST / EVENTS_MAX + 1,
    /* Checks begun or ended by their time, and wishes heard, before sockets are looked at again: at some 20
     * microseconds a check it keeps a verdict from waiting longer than about a millisecond. */
    TURN_MAX = 64,
    WISHES_MAX = 512,
    WAIT_MOST_MS = 60000,
    /* With checks under way: what it was stopped for shows in a wait that took longer than it should, so waits must be
     * short where the time counts. */
    WAIT_RUNNING_MS = SCHEDULE_LATE_US / 1000,
    BUFFER_LEN = 16 * 1024,
};
static const uint64_t WAKE_TAG = UINT64_MAX;

struct engine {
    struct watch watch; /* [probe] */
    int epoll_fd, wake_fd;
    pthread_t thread;
    bool stop; /* atomic */
    uint8_t buffer[BUFFER_LEN];
};

/* ---- the loop ---- */

static void hear_wishes(struct engine *engine)
{
    struct exchange_wish wish;
    for (unsigned i = 0; i < WISHES_MAX && exchange_take(engine->watch.exchange, &wish); i++)
        watch_wish(&engine->watch, &wish);
}

static void clear_wake(struct engine *engine)
{
    uint64_t cnt;
    while (read(engine->wake_fd, &cnt, sizeof cnt) < 0 && errno == EINTR) {
    }
}

/* Sockets first, all that have something to tell; only then are deadlines judged: what came in time was in time,
 * however late we read. */
static void serve_sockets(struct engine *engine, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t away_us = (uint64_t)wait_ms * 1000;
    int cnt = EVENTS_MAX;
    for (unsigned round = 0; round < ROUNDS_MAX && cnt == EVENTS_MAX; round++) {
        cnt = epoll_wait(engine->epoll_fd, events, EVENTS_MAX, wait_ms);
        watch_tick(&engine->watch, away_us);
        for (int i = 0; i < cnt; i++) {
            if (events[i].data.u64 == WAKE_TAG)
                clear_wake(engine);
            else
                watch_event(&engine->watch, events[i].data.u64, events[i].events, engine->buffer, BUFFER_LEN);
        }
        wait_ms = 0;
        away_us = 0;
    }
}

/* Rounded up: a wake-up too early would only find nothing to do. */
static int wait_ms(struct engine *engine)
{
    uint64_t wait_us = watch_wait_us(&engine->watch);
    int most_ms = engine->watch.running_cnt ? WAIT_RUNNING_MS : WAIT_MOST_MS;
    return wait_us > (uint64_t)most_ms * 1000 ? most_ms : (int)((wait_us + 999) / 1000);
}

static void *run(void *arg)
{
    struct engine *engine = arg;
    bool more = true;
    watch_open(&engine->watch, engine->epoll_fd);
    while (!__atomic_load_n(&engine->stop, __ATOMIC_ACQUIRE)) {
        serve_sockets(engine, more ? 0 : wait_ms(engine));
        hear_wishes(engine);
        more = watch_turn(&engine->watch, TURN_MAX) || exchange_has_wish(engine->watch.exchange);
    }
    watch_close(&engine->watch);
    return NULL;
}

/* ---- from outside ---- */

void engine_wake(struct engine *engine)
{
    static const uint64_t one = 1;
    while (write(engine->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void engine_set_checks_max(struct engine *engine, uint32_t checks_max)
{
    __atomic_store_n(&engine->watch.checks_max, checks_max, __ATOMIC_RELAXED);
    engine_wake(engine);
}

/* No signal is its business, but those that it causes itself: they'd kill the process without the report that a
 * debugger or sanitizer wants to give. */
static int start_thread(struct engine *engine)
{
    static const int let_through[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof let_through / sizeof *let_through; i++)
        sigdelset(&blocked, let_through[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = pthread_create(&engine->thread, NULL, run, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        (void)pthread_setname_np(engine->thread, "probe");
    return error;
}

/* Checks that take their time must not keep others waiting for a descriptor. Here and not on the thread: others on this
 * one raise the limit too, and would undo what they don't see. Where it can't be raised, checks wait and watch.c says
 * so. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    const rlim_t need = (rlim_t)WATCH_RUNNING_SHARE * WATCH_RUNNING_MOST;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
        return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_descriptors(struct engine *engine)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_TAG};
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->epoll_fd < 0 || engine->wake_fd < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->wake_fd, &event))
        return errno;
    return 0;
}

static void release(struct engine *engine)
{
    if (engine->epoll_fd >= 0)
        close(engine->epoll_fd);
    if (engine->wake_fd >= 0)
        close(engine->wake_fd);
    free(engine);
}

enum err engine_start(struct engine **engine, struct exchange *exchange, uint64_t first_within_ms,
                      void (*wake)(void *arg), void *arg)
{
    struct engine *made = mem_zalloc(1, sizeof *made);
    made->watch =
        (struct watch){.exchange = exchange, .first_within_us = first_within_ms * 1000, .wake = wake, .wake_arg = arg};
    raise_fd_limit();
    int error = open_descriptors(made);
    if (!error)
        error = start_thread(made);
    if (error) {
        log_error("cannot start the probe thread: %s", strerrordesc_np(error));
        release(made);
        return ERR_IO;
    }
    *engine = made;
    return ERR_OK;
}

void engine_look(const struct engine *engine, struct tally_view *view)
{
    tally_look(view, &engine->watch.tally);
}

void engine_stop(struct engine *engine)
{
    if (!engine)
        return;
    __atomic_store_n(&engine->stop, true, __ATOMIC_RELEASE);
    engine_wake(engine);
    pthread_join(engine->thread, NULL);
    release(engine);
}
