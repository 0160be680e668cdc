/* https and tls: one libcurl multi handle, whose sockets are in the prober's epoll set (level-triggered, as libcurl
 * wants it) and whose only timer is the driver's tick.
 *
 * A check comes with its connection made, and waits its turn: beginning a handshake takes some 0.5 ms of processor time
 * (a TLS context, a key), and when a thousand connections come up at once, nobody else is to wait until all have begun.
 * What follows is paced by that. And a transfer takes some 70 KiB, so there is a bound for those that have begun. The
 * time for which a check waits is none of the target's: its timeout goes on when it begins. Who has not begun by the
 * end of it has not been checked. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/places.h"
#include "probe/driver.h"
#include "probe/transfer.h"
#include "probe/trust.h"

enum {
    BEGIN_MOST = 4,        /* in a tick */
    UNDER_WAY_MOST = 1024, /* begun, and not ended; rondo.conf(5) says so */
};

struct transfers {
    struct transfer *first, *last;
};

struct driver {
    const struct driver_host *host;
    CURLM *multi;
    struct curl_slist *nowhere;
    struct trust trust;
    struct transfers waiting[2]; /* by hung_before of their checks */
    uint32_t begun_cnt;
    struct places places;
    uint64_t timer_us; /* real, monotonic: when libcurl wants to be called; UINT64_MAX: never */
    uint64_t due_us;   /* the prober's time: when that is to be looked at */
};

/* ---- who waits */

static void join(struct transfers *list, struct transfer *t)
{
    t->before = list->last;
    t->after = NULL;
    *(list->last ? &list->last->after : &list->first) = t;
    list->last = t;
}

static void leave(struct transfers *list, struct transfer *t)
{
    *(t->before ? &t->before->after : &list->first) = t->after;
    *(t->after ? &t->after->before : &list->last) = t->before;
}

static struct transfers *queue_of(struct driver *d, const struct transfer *t)
{
    return &d->waiting[t->check->hung_before];
}

/* NULL: nobody waits, or none may. */
static struct transfer *may_begin(const struct driver *d)
{
    const struct transfers *waiting = d->waiting;
    enum places_turn turn =
        places_next(&d->places, d->begun_cnt, UNDER_WAY_MOST, waiting[false].first, waiting[true].first);
    return turn == PLACES_NOBODY ? NULL : waiting[turn].first;
}

static void take_place(struct driver *d, struct transfer *t, uint64_t now_us)
{
    struct check *check = t->check;
    uint64_t waited_us = now_us - t->queued_us;
    leave(queue_of(d, t), t);
    d->begun_cnt++;
    places_take(&d->places, check->hung_before, d->waiting[true].first);
    check->start_us += waited_us;
    check->run.deadline_us += waited_us;
}

static void leave_place(struct driver *d, const struct transfer *t)
{
    d->begun_cnt--;
    places_leave(&d->places, t->check->hung_before);
}

/* ---- what libcurl asks for */

/* A socket is in the set from before it came here until it is closed, so that there always is room for it; of one that
 * nothing is wanted of, an error is told once. */
static void want(const struct driver *d, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events ? events : EPOLLET, .data.u64 = d->host->tag_base | (uint32_t)fd};
    (void)epoll_ctl(d->host->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *own)
{
    (void)easy;
    (void)own;
    if (what == CURL_POLL_REMOVE)
        what = CURL_POLL_NONE;
    want(arg, fd, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    return 0;
}

/* Its clock and the prober's need not agree (a process that was stopped): the next tick finds out how long. */
static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct driver *d = arg;
    (void)multi;
    d->timer_us = timeout_ms < 0 ? UINT64_MAX : clock_mono_us() + (uint64_t)timeout_ms * 1000;
    d->due_us = timeout_ms < 0 ? UINT64_MAX : 0;
    return 0;
}

/* ---- transfers */

static void forget(struct driver *d, struct transfer *t)
{
    if (t->easy) {
        curl_multi_remove_handle(d->multi, t->easy);
        leave_place(d, t);
    } else {
        leave(queue_of(d, t), t);
    }
    transfer_free(t);
}

static void collect(struct driver *d)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(d->multi, &left)) != NULL;) {
        struct transfer *t;
        if (message->msg != CURLMSG_DONE || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t))
            continue;
        struct check *check = t->check;
        transfer_end(t, message->data.result);
        forget(d, t);
        d->host->ended(d->host->arg, check);
    }
}

static void act(struct driver *d, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(d->multi, fd, what, &running);
}

/* Not begun for a lack of ours, though it has a place. */
static void give_up(struct driver *d, struct transfer *t, int error, struct reason lack)
{
    struct check *check = t->check;
    check->local_error = error;
    check->lack = lack;
    leave_place(d, t);
    transfer_free(t);
    d->host->ended(d->host->arg, check);
}

static void begin(struct driver *d, struct transfer *t, uint64_t now_us)
{
    const struct secure_detail *detail = secure_of(t->check->run.target);
    int error = ENOMEM;
    struct x509_store_st *trusted = NULL;
    take_place(d, t, now_us);
    if (detail->verifies) {
        trusted = trust_get(&d->trust, secure_texts(detail).ca_file, detail->ca_digest, clock_mono_us(), &error);
        if (!trusted) {
            give_up(d, t, error, (struct reason){REASON_NO_CA_FILE, (uint32_t)error});
            return;
        }
    }
    if (!transfer_begin(t, trusted, d->nowhere) || curl_multi_add_handle(d->multi, t->easy))
        give_up(d, t, error, (struct reason){REASON_LOCAL, (uint32_t)error});
}

/* ---- the driver */

static void start(struct driver *d, struct check *check)
{
    struct transfer *t = transfer_new(check);
    check->driven = t;
    t->queued_us = check->run.now_us;
    want(d, check->fd, 0);
    join(queue_of(d, t), t);
}

static void stop(struct driver *d, struct check *check)
{
    forget(d, check->driven);
    check->driven = NULL;
}

static void late(struct driver *d, struct check *check)
{
    struct transfer *t = check->driven;
    (void)d;
    if (!t->easy) {
        check->local_error = EBUSY;
        check->lack = (struct reason){REASON_NO_TURN, 0};
        return;
    }
    kind_late(&check->run);
    transfer_measure(t);
}

/* An error, a hang-up: libcurl finds out what it is when it reads. */
static void event(struct driver *d, uint32_t fd, uint32_t events)
{
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    act(d, (curl_socket_t)fd, what);
    collect(d);
}

static uint64_t due_us(const struct driver *d)
{
    return may_begin(d) ? 0 : d->due_us;
}

static void tick(struct driver *d, uint64_t now_us)
{
    struct transfer *next;
    for (unsigned i = 0; i < BEGIN_MOST && (next = may_begin(d)) != NULL; i++)
        begin(d, next, now_us);
    if (d->timer_us == UINT64_MAX)
        return;
    uint64_t mono_us = clock_mono_us();
    if (mono_us < d->timer_us) {
        d->due_us = now_us + (d->timer_us - mono_us);
        return;
    }
    d->timer_us = d->due_us = UINT64_MAX;
    act(d, CURL_SOCKET_TIMEOUT, 0);
    collect(d);
}

/* Another TLS library would ignore what verifies certificates here: then nothing is checked at all. */
static bool is_usable(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    bool speaks_tls = info->ssl_version && !strncmp(info->ssl_version, "OpenSSL/", strlen("OpenSSL/"));
    if (!speaks_tls)
        log_error("https and tls cannot be checked: this libcurl (%s) is not built with OpenSSL",
                  info->ssl_version ? info->ssl_version : "without TLS");
    return speaks_tls;
}

static void fini(struct driver *d)
{
    trust_fini(&d->trust);
    curl_slist_free_all(d->nowhere);
    if (d->multi)
        curl_multi_cleanup(d->multi);
    free(d);
    curl_global_cleanup();
}

/* Counted and thread safe since 7.84, as is OpenSSL's own set-up, which it leads to. */
static struct driver *open_driver(const struct driver_host *host)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
        log_error("https and tls cannot be checked: libcurl cannot be initialised");
        return NULL;
    }
    struct driver *d = mem_zalloc(1, sizeof *d);
    d->host = host;
    d->timer_us = d->due_us = UINT64_MAX;
    d->nowhere = curl_slist_append(NULL, "::127.0.0.1:1");
    d->multi = is_usable() ? curl_multi_init() : NULL;
    if (!d->multi || !d->nowhere) {
        fini(d);
        return NULL;
    }
    curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
    curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
    curl_multi_setopt(d->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return d;
}

static void close_driver(struct driver *d)
{
    assert(!d->waiting[false].first && !d->waiting[true].first && !d->begun_cnt);
    fini(d);
}

const struct driver_type driver_curl = {
    .open = open_driver,
    .close = close_driver,
    .start = start,
    .stop = stop,
    .late = late,
    .event = event,
    .due_us = due_us,
    .tick = tick,
};
