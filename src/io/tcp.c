#include "io/tcp.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "io/stream.h"
#include "io/thread.h"

enum {
    EVENTS_MAX = 64,
    /* Connections taken from one listening socket before others have their turn. */
    ACCEPT_MAX = 32,
    /* How long no connection is accepted when the system has no descriptor or memory for it; the waiting one would
     * wake us at once otherwise, over and over. */
    ACCEPT_PAUSE_MS = 100,
    /* A connection that holds answers back counts as idle for eviction when its client took nothing for so long. */
    STUCK_MS = 1000,
    /* Connections looked at for one to evict: some 10 µs, about what accepting costs the kernel. */
    EVICT_LOOK_MAX = 1024,
};

/* Marks an event's data as the index of a listening socket; without it, a connection's slot. */
#define LISTENER_BIT (UINT64_C(1) << 63)
#define INBOX UINT64_MAX

struct conn_list {
    struct conn *oldest, *newest;
};

/* [io] but for the counters, which anyone may read. */
struct tcp_worker {
    const struct tcp_common *common;
    const int *fds;
    size_t fd_cnt;
    int epoll_fd;
    struct io_counters counters;
    struct conn_scratch scratch;
    struct handoff_queue inbox; /* what was handed off and is back */
    /* All connections in order of progress. They share one timeout, so the oldest's is the next, and nothing need
     * be searched. */
    struct conn_list idle;
    /* But for those with something handed off, which are neither idle nor make room for others: who may ask for that is
     * known, and it has a deadline. */
    struct conn_list busy;
    uint64_t deadline_ms; /* none of theirs is before it */
    uint64_t now_ms;
    uint64_t accept_again_ms; /* 0: accepting */
    struct epoll_event events[EVENTS_MAX];
};

/* ---- the lists ---- */

static void unlink_conn(struct tcp_worker *w, struct conn *c)
{
    struct conn_list *list = c->is_busy ? &w->busy : &w->idle;
    *(c->older ? &c->older->newer : &list->oldest) = c->newer;
    *(c->newer ? &c->newer->older : &list->newest) = c->older;
    c->older = c->newer = NULL;
}

static void link_newest(struct tcp_worker *w, struct conn *c)
{
    c->is_busy = c->handoff != NULL;
    struct conn_list *list = c->is_busy ? &w->busy : &w->idle;
    c->active_ms = w->now_ms;
    c->newer = NULL;
    c->older = list->newest;
    *(list->newest ? &list->newest->newer : &list->oldest) = c;
    list->newest = c;
}

static void make_newest(struct tcp_worker *w, struct conn *c)
{
    unlink_conn(w, c);
    link_newest(w, c);
}

static void drop(struct tcp_worker *w, struct conn *c)
{
    unlink_conn(w, c);
    /* The slot is another worker's as soon as the gate has it. */
    struct addr client = c->client;
    uint32_t slot = c->slot;
    conn_close(c); /* leaves the epoll set with it */
    gate_leave(w->common->gate, &client, slot);
}

/* ---- connections ---- */

static bool watch(struct tcp_worker *w, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(w->epoll_fd, op, fd, &event) == 0;
}

/* A connection has had its turn; it waited for what `before` says. */
static void settle(struct tcp_worker *w, struct conn *c, enum conn_state before)
{
    static const uint32_t events[] = {[CONN_READING] = EPOLLIN, [CONN_WRITING] = EPOLLOUT, [CONN_HANDED] = 0};
    if (c->state == CONN_DONE) {
        drop(w, c);
        return;
    }
    if (c->progress || c->is_busy != (c->handoff != NULL))
        make_newest(w, c);
    if (c->state != before && !watch(w, EPOLL_CTL_MOD, c->fd, events[c->state], c->slot))
        drop(w, c);
}

/* A connection can do what it waits for, or failed. EPOLLHUP and EPOLLERR are told by whichever call comes next; where
 * none comes, they are all there is. */
static void serve(struct tcp_worker *w, struct conn *c)
{
    enum conn_state before = c->state;
    c->progress = false;
    if (before == CONN_READING)
        conn_read(c, &w->scratch);
    else if (before == CONN_WRITING)
        conn_write(c, &w->scratch);
    else {
        drop(w, c);
        return;
    }
    settle(w, c, before);
}

/* Answers have come back from the control thread. */
static void take_back(struct tcp_worker *w)
{
    for (struct io_handoff *h = handoff_queue_take(&w->inbox), *next; h; h = next) {
        struct conn *c = h->conn;
        next = h->next; /* it may be on its way to control by then */
        if (!c) {
            stream_end(h);
            continue;
        }
        c->progress = false;
        conn_resume(c, &w->scratch);
        if (c->handoff && stream_deadline_ms(c) < w->deadline_ms)
            w->deadline_ms = stream_deadline_ms(c);
        settle(w, c, CONN_HANDED);
    }
}

/* The stream's time is over. True: it goes on, for its client takes what the kernel has; else it is ended. */
static bool spare_stream(struct tcp_worker *w, struct conn *c)
{
    bool is_expired = c->handoff->source->deadline_ms <= w->now_ms;
    if (!is_expired && conn_is_draining(c)) {
        c->active_ms = w->now_ms;
        return true;
    }
    c->handoff->ending = is_expired ? IO_STREAM_EXPIRED : IO_STREAM_STALLED;
    drop(w, c);
    return false;
}

/* Ends the streams whose time is over. */
static void end_late(struct tcp_worker *w)
{
    uint64_t earliest = UINT64_MAX;
    for (struct conn *c = w->busy.oldest, *newer; c; c = newer) {
        newer = c->newer;
        if (stream_deadline_ms(c) <= w->now_ms && !spare_stream(w, c))
            continue;
        if (stream_deadline_ms(c) < earliest)
            earliest = stream_deadline_ms(c);
    }
    w->deadline_ms = earliest;
}

/* Closes the connection, of this client (NULL: any), that has gone longest without progress and holds no answer that
 * its client is about to take: idle ones and those that drip a request byte by byte alike. False when this worker has
 * none, others' lists being theirs. */
static bool evict(struct tcp_worker *w, const struct addr *client)
{
    struct conn *c = w->idle.oldest;
    for (unsigned i = 0; c && i < EVICT_LOOK_MAX; c = c->newer, i++) {
        if (client && !gate_same_client(&c->client, client))
            continue;
        if (c->state == CONN_WRITING && w->now_ms - c->active_ms < STUCK_MS)
            continue;
        drop(w, c);
        io_count(&w->counters, tcp_evicted, 1);
        return true;
    }
    return false;
}

static bool admit(struct tcp_worker *w, const struct addr *client, uint32_t *slot)
{
    enum gate_verdict verdict = gate_enter(w->common->gate, client, slot);
    if (verdict != GATE_OPEN && evict(w, verdict == GATE_CLIENT_FULL ? client : NULL))
        verdict = gate_enter(w->common->gate, client, slot); /* another worker may have been faster */
    if (verdict == GATE_FULL)
        io_count(&w->counters, tcp_refused_total, 1);
    else if (verdict == GATE_CLIENT_FULL)
        io_count(&w->counters, tcp_refused_client, 1);
    return verdict == GATE_OPEN;
}

static void welcome(struct tcp_worker *w, int fd, const struct addr *client)
{
    uint32_t slot;
    if (!admit(w, client, &slot)) {
        close(fd);
        return;
    }
    io_count(&w->counters, tcp_accepted, 1);
    struct conn *c = &w->common->store->conns[slot];
    conn_open(w->common->store, slot, fd, client);
    link_newest(w, c);
    if (!watch(w, EPOLL_CTL_ADD, fd, EPOLLIN, slot))
        drop(w, c);
}

/* ---- accepting ---- */

static void pause_accepting(struct tcp_worker *w)
{
    for (size_t i = 0; i < w->fd_cnt; i++)
        (void)epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->fds[i], NULL);
    w->accept_again_ms = w->now_ms + ACCEPT_PAUSE_MS;
}

static bool resume_accepting(struct tcp_worker *w)
{
    bool all = true;
    for (size_t i = 0; i < w->fd_cnt; i++)
        all &= watch(w, EPOLL_CTL_ADD, w->fds[i], EPOLLIN, LISTENER_BIT | i) || errno == EEXIST;
    w->accept_again_ms = all ? 0 : w->now_ms + ACCEPT_PAUSE_MS;
    return all;
}

/* accept4 failed; true when the next call may do better at once. accept(2): errors of the network that were
 * waiting on the new connection are to be taken as that connection's end. */
static bool may_accept_next(struct tcp_worker *w, int error)
{
    switch (error) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        io_count(&w->counters, tcp_accept_errors, 1);
        if (evict(w, NULL))
            return true;
        pause_accepting(w);
        return false;
    default:
        return true;
    }
}

static void accept_from(struct tcp_worker *w, int listener)
{
    for (unsigned i = 0; i < ACCEPT_MAX && w->accept_again_ms == 0; i++) {
        struct sockaddr_in6 name;
        socklen_t len = sizeof(name);
        struct addr client;
        int fd = accept4(listener, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            addr_from_sockaddr(&client, (const struct sockaddr *)&name);
            welcome(w, fd, &client);
        } else if (!may_accept_next(w, errno)) {
            return;
        }
    }
}

/* ---- the loop ---- */

/* Milliseconds to the next thing that time alone brings; -1: none. */
static int next_timeout(const struct tcp_worker *w)
{
    uint64_t at = w->accept_again_ms ? w->accept_again_ms : UINT64_MAX;
    if (w->idle.oldest && w->idle.oldest->active_ms + w->common->idle_ms < at)
        at = w->idle.oldest->active_ms + w->common->idle_ms;
    if (w->deadline_ms < at)
        at = w->deadline_ms;
    if (at == UINT64_MAX)
        return -1;
    if (at <= w->now_ms)
        return 0;
    return at - w->now_ms < INT_MAX ? (int)(at - w->now_ms) : INT_MAX;
}

static void expire(struct tcp_worker *w)
{
    struct conn *c;
    while ((c = w->idle.oldest) != NULL && w->now_ms - c->active_ms >= w->common->idle_ms) {
        if (conn_is_draining(c)) {
            make_newest(w, c);
            continue;
        }
        drop(w, c);
        io_count(&w->counters, tcp_idle_closed, 1);
    }
    if (w->deadline_ms <= w->now_ms)
        end_late(w);
    if (w->accept_again_ms && w->accept_again_ms <= w->now_ms)
        (void)resume_accepting(w);
}

/* Connections before listening sockets and what is back: those may end another, of which there must be no event left
 * to handle. */
static void handle(struct tcp_worker *w, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        if (!(w->events[i].data.u64 & LISTENER_BIT))
            serve(w, &w->common->store->conns[w->events[i].data.u64]);
    for (unsigned i = 0; i < cnt; i++) {
        uint64_t data = w->events[i].data.u64;
        if (data == INBOX)
            take_back(w);
        else if (data & LISTENER_BIT)
            accept_from(w, w->fds[data & ~LISTENER_BIT]);
    }
}

/* RFC 7828 3.3.2: a server short of connections tells that idle ones had better be closed. */
static uint16_t told_idle(const struct tcp_worker *w)
{
    return gate_is_crowded(w->common->gate) ? 0 : (uint16_t)(w->common->idle_ms / 100);
}

void *tcp_run(void *arg)
{
    struct tcp_worker *w = arg;
    rcu_reader_start();
    while (!thread_stopped(w->common->stop)) {
        int timeout = next_timeout(w);
        rcu_reader_offline();
        int got = epoll_wait(w->epoll_fd, w->events, EVENTS_MAX, timeout);
        rcu_reader_online();
        w->now_ms = clock_mono_ms();
        w->scratch.idle_100ms = told_idle(w);
        handle(w, got > 0 ? (unsigned)got : 0);
        expire(w);
    }
    rcu_reader_stop();
    return NULL;
}

void tcp_worker_free(struct tcp_worker *w)
{
    if (!w)
        return;
    while (w->idle.oldest)
        drop(w, w->idle.oldest);
    while (w->busy.oldest) {
        if (w->busy.oldest->state != CONN_HANDED)
            w->busy.oldest->handoff->ending = IO_STREAM_STOPPED;
        drop(w, w->busy.oldest);
    }
    for (struct io_handoff *h = handoff_queue_take(&w->inbox), *next; h; h = next) {
        next = h->next;
        handoff_end(h, IO_STREAM_STOPPED);
    }
    handoff_queue_fini(&w->inbox);
    conn_scratch_fini(&w->scratch);
    if (w->epoll_fd >= 0)
        close(w->epoll_fd);
    free(w);
}

struct tcp_worker *tcp_worker_new(const struct tcp_common *common, const int *fds, size_t fd_cnt)
{
    struct tcp_worker *w = mem_zalloc(1, sizeof(*w));
    w->common = common;
    w->fds = fds;
    w->fd_cnt = fd_cnt;
    w->now_ms = clock_mono_ms();
    w->deadline_ms = UINT64_MAX;
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (handoff_queue_init(&w->inbox) != ERR_OK || w->epoll_fd < 0 ||
        conn_scratch_init(&w->scratch, common->shared) != ERR_OK || !resume_accepting(w) ||
        !watch(w, EPOLL_CTL_ADD, w->inbox.fd, EPOLLIN, INBOX)) {
        int error = errno;
        tcp_worker_free(w);
        errno = error;
        return NULL;
    }
    w->scratch.handoffs = common->handoffs;
    w->scratch.inbox = &w->inbox;
    w->scratch.counters = &w->counters;
    return w;
}

bool tcp_take_refusal(struct tcp_worker *w, struct refusal *refusal)
{
    return answer_take_refusal(w->scratch.answers, refusal);
}

void tcp_add_counters(const struct tcp_worker *w, struct answer_counters *answers, struct io_counters *sockets)
{
    answer_counters_add(answers, answer_worker_counters(w->scratch.answers));
    io_counters_add(sockets, &w->counters);
}
