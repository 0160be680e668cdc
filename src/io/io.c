#include "io/io.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/conn.h"
#include "io/gate.h"
#include "io/handoff.h"
#include "io/listen.h"
#include "io/tcp.h"
#include "io/thread.h"
#include "io/udp.h"

enum {
    /* Descriptors for all that isn't io: zone files, control clients, logs, checks. */
    OTHER_FDS = 512,
};

const char *const io_counter_names[IO_COUNTER_CNT] = {
#define X(name, help) #name,
    IO_COUNTERS(X)
#undef X
};
const char *const io_counter_help[IO_COUNTER_CNT] = {
#define X(name, help) help,
    IO_COUNTERS(X)
#undef X
};

/* [control]. Sockets stand worker by worker, address by address in each: that of worker w and address a is at w *
 * addr_cnt + a. */
struct io {
    struct addr *addrs;
    size_t addr_cnt, worker_cnt;
    int *udp_fds, *tcp_fds;
    struct gate *gate;
    struct conn_store store;
    struct tcp_common tcp_common;
    struct handoffs handoffs;
    /* while started */
    struct udp_worker **udp;  /* one a UDP socket */
    struct tcp_worker **tcp;  /* one a worker */
    struct thread *threads;   /* those of udp, then those of tcp */
    bool stop;
    /* of workers that are no more */
    struct answer_counters past_answers;
    struct io_counters past_sockets;
};

static size_t socket_cnt(const struct io *io) { return io->worker_cnt * io->addr_cnt; }
static size_t thread_cnt(const struct io *io) { return socket_cnt(io) + io->worker_cnt; }

/* ---- open and close ---- */

static size_t usable_cpus(void)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 0)
        return (size_t)CPU_COUNT(&cpus);
    return 1; /* more CPUs than a cpu_set_t holds: let the operator say how many */
}

static int *closed_fds(size_t cnt)
{
    int *fds = mem_zalloc(cnt, sizeof(*fds));
    for (size_t i = 0; i < cnt; i++)
        fds[i] = -1;
    return fds;
}

static struct io *new_io(const struct io_options *o, struct diag *diag)
{
    struct io *io = mem_zalloc(1, sizeof(*io));
    if (o->listen.cnt > 0) {
        io->addrs = mem_dup(o->listen.items, o->listen.cnt * sizeof(*io->addrs));
        io->addr_cnt = o->listen.cnt;
    } else {
        io->addrs = mem_zalloc(LISTEN_DEFAULT_CNT, sizeof(*io->addrs));
        io->addr_cnt = listen_defaults(io->addrs, diag);
    }
    io->worker_cnt = o->workers > 0 ? (size_t)o->workers : usable_cpus();
    (void)!handoffs_init(&io->handoffs); /* io_open looks whether it has its descriptor */
    io->udp_fds = closed_fds(socket_cnt(io));
    io->tcp_fds = closed_fds(socket_cnt(io));
    return io;
}

/* Raises the soft limit of open files, and the hard one where we may, to what tcp_max connections need. */
static void raise_fd_limit(const struct io *io, size_t tcp_max, struct diag *diag)
{
    struct rlimit now, wish;
    size_t need = tcp_max + 2 * socket_cnt(io) + io->worker_cnt + OTHER_FDS;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= need)
        return;
    wish = (struct rlimit){.rlim_cur = need, .rlim_max = now.rlim_max > need ? now.rlim_max : need};
    if (setrlimit(RLIMIT_NOFILE, &wish) == 0)
        return;
    wish = (struct rlimit){.rlim_cur = now.rlim_max, .rlim_max = now.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &wish);
    diag_warning(diag, NULL, 0,
                 "tcp_max = %zu needs %zu open files, only %llu are allowed: fewer connections will be accepted",
                 tcp_max, need, (unsigned long long)now.rlim_max);
}

static bool all_free(const struct io *io, struct diag *diag)
{
    bool ok = true;
    for (size_t a = 0; a < io->addr_cnt; a++) {
        ok &= listen_is_free(&io->addrs[a], LISTEN_UDP, diag);
        ok &= listen_is_free(&io->addrs[a], LISTEN_TCP, diag);
    }
    return ok;
}

static bool open_sockets(struct io *io, struct diag *diag)
{
    for (size_t i = 0; i < socket_cnt(io); i++) {
        const struct addr *addr = &io->addrs[i % io->addr_cnt];
        io->udp_fds[i] = listen_open(addr, LISTEN_UDP, diag);
        io->tcp_fds[i] = listen_open(addr, LISTEN_TCP, diag);
        if (io->udp_fds[i] < 0 || io->tcp_fds[i] < 0)
            return false;
    }
    return true;
}

static bool reserve_connections(struct io *io, const struct io_options *o, struct diag *diag)
{
    size_t max = (size_t)o->tcp_max;
    io->gate = gate_new(max, (size_t)o->tcp_max_per_client);
    if (conn_store_init(&io->store, max) == ERR_OK)
        return true;
    diag_error(diag, NULL, 0, "cannot reserve memory for tcp_max = %zu connections: %s", max, strerrordesc_np(errno));
    return false;
}

static bool has_handoffs(const struct io *io, struct diag *diag)
{
    if (io->handoffs.queue.fd >= 0)
        return true;
    diag_error(diag, NULL, 0, "cannot open an event descriptor: %s", strerrordesc_np(errno));
    return false;
}

enum err io_open(struct io **io_out, const struct io_options *options, struct diag *diag)
{
    struct io *io = new_io(options, diag);
    *io_out = NULL;
    raise_fd_limit(io, (size_t)options->tcp_max, diag);
    if (!has_handoffs(io, diag) || !all_free(io, diag) || !open_sockets(io, diag) ||
        !reserve_connections(io, options, diag)) {
        io_close(io);
        return ERR_IO;
    }
    io->tcp_common = (struct tcp_common){
        .handoffs = &io->handoffs,
        .gate = io->gate,
        .store = &io->store,
        .idle_ms = options->tcp_idle_ms,
        .stop = &io->stop,
    };
    *io_out = io;
    return ERR_OK;
}

static void close_fds(int *fds, size_t cnt)
{
    for (size_t i = 0; fds && i < cnt; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
}

void io_close(struct io *io)
{
    if (!io)
        return;
    close_fds(io->udp_fds, socket_cnt(io));
    close_fds(io->tcp_fds, socket_cnt(io));
    conn_store_fini(&io->store);
    handoffs_part(&io->handoffs);
    handoffs_fini(&io->handoffs);
    gate_free(io->gate);
    free(io->addrs);
    free(io);
}

/* ---- start and stop ---- */

static enum err make_workers(struct io *io)
{
    io->udp = mem_zalloc(socket_cnt(io), sizeof(*io->udp));
    io->tcp = mem_zalloc(io->worker_cnt, sizeof(*io->tcp));
    io->threads = mem_zalloc(thread_cnt(io), sizeof(*io->threads));
    for (size_t i = 0; i < socket_cnt(io); i++) {
        bool wildcard = listen_is_wildcard(&io->addrs[i % io->addr_cnt]);
        io->udp[i] = udp_worker_new(io->udp_fds[i], wildcard, io->tcp_common.shared, &io->handoffs, &io->stop);
    }
    for (size_t i = 0; i < io->worker_cnt; i++) {
        io->tcp[i] = tcp_worker_new(&io->tcp_common, io->tcp_fds + i * io->addr_cnt, io->addr_cnt);
        if (!io->tcp[i]) {
            log_error("cannot make stream worker %zu: %s", i, strerrordesc_np(errno));
            return ERR_IO;
        }
    }
    return ERR_OK;
}

static enum err start_threads(struct io *io)
{
    char name[64];
    enum err e = ERR_OK;
    for (size_t i = 0; i < socket_cnt(io) && !e; i++) {
        snprintf(name, sizeof(name), "rondo-udp%zu.%zu", i / io->addr_cnt, i % io->addr_cnt);
        e = thread_start(&io->threads[i], udp_run, io->udp[i], name);
    }
    for (size_t i = 0; i < io->worker_cnt && !e; i++) {
        snprintf(name, sizeof(name), "rondo-tcp%zu", i);
        e = thread_start(&io->threads[socket_cnt(io) + i], tcp_run, io->tcp[i], name);
    }
    return e;
}

enum err io_start(struct io *io, const struct answer_shared *shared)
{
    io->stop = false;
    io->tcp_common.shared = shared;
    enum err e = make_workers(io);
    if (!e)
        e = start_threads(io);
    if (e)
        io_stop(io);
    return e;
}

void io_stop(struct io *io)
{
    if (!io->threads)
        return;
    thread_stop_all(io->threads, thread_cnt(io), &io->stop);
    for (size_t i = 0; i < socket_cnt(io); i++) {
        udp_add_counters(io->udp[i], &io->past_answers, &io->past_sockets);
        udp_worker_free(io->udp[i]);
    }
    for (size_t i = 0; i < io->worker_cnt; i++) {
        if (!io->tcp[i])
            continue;
        tcp_add_counters(io->tcp[i], &io->past_answers, &io->past_sockets);
        tcp_worker_free(io->tcp[i]);
    }
    handoffs_part(&io->handoffs);
    free(io->udp);
    free(io->tcp);
    free(io->threads);
    io->udp = NULL;
    io->tcp = NULL;
    io->threads = NULL;
}

/* ---- hand-offs ---- */

void io_on_handed_off(struct io *io, io_handed_off_fn *fn, void *arg)
{
    io->handoffs.fn = fn;
    io->handoffs.arg = arg;
}

int io_handoff_fd(const struct io *io) { return io->handoffs.queue.fd; }
void io_run_handoffs(struct io *io) { handoffs_run(&io->handoffs); }
struct answer_hand_off *io_handoff_request(const struct io_handoff *handoff) { return handoff->request; }

static struct io_handoff *decide(struct io *io, struct io_handoff **handoff)
{
    struct io_handoff *h = *handoff;
    *handoff = NULL;
    handoffs_decide(&io->handoffs, h);
    return h;
}

/* To the worker that has its connection. */
static void send_back(struct io_handoff *h)
{
    if (h->worker)
        handoff_queue_put(h->worker, h);
    else
        handoff_end(h, IO_STREAM_STOPPED);
}

void io_answer(struct io *io, struct io_handoff **handoff, const uint8_t *message, size_t len)
{
    struct io_handoff *h = decide(io, handoff);
    assert(len > 0 && len <= h->request->most_len);
    if (h->request->proto == ANSWER_UDP) {
        handoff_send(h, message, len, &io->handoffs.counters);
        handoff_free(h);
        return;
    }
    h->reply = mem_dup(message, len);
    h->reply_len = len;
    send_back(h);
}

void io_stream(struct io *io, struct io_handoff **handoff, struct io_source *source)
{
    struct io_handoff *h = decide(io, handoff);
    assert(h->request->proto == ANSWER_TCP);
    source->end = IO_STREAM_RUNNING;
    source->sent_bytes = 0;
    h->source = source;
    send_back(h);
}

void io_forget(struct io *io, struct io_handoff **handoff)
{
    struct io_handoff *h = decide(io, handoff);
    if (h->request->proto == ANSWER_UDP)
        handoff_free(h);
    else
        send_back(h);
}

/* ---- counters ---- */

void io_counters_add(struct io_counters *to, const struct io_counters *from)
{
#define X(name, help) to->name += __atomic_load_n(&from->name, __ATOMIC_RELAXED);
    IO_COUNTERS(X)
#undef X
}

void io_sum_counters(const struct io *io, struct answer_counters *answers, struct io_counters *sockets)
{
    *answers = io->past_answers;
    *sockets = io->past_sockets;
    io_counters_add(sockets, &io->handoffs.counters);
    if (!io->threads)
        return;
    for (size_t i = 0; i < socket_cnt(io); i++)
        udp_add_counters(io->udp[i], answers, sockets);
    for (size_t i = 0; i < io->worker_cnt; i++)
        tcp_add_counters(io->tcp[i], answers, sockets);
}

bool io_take_refusal(struct io *io, struct refusal *refusal)
{
    if (!io->threads)
        return false;
    for (size_t i = 0; i < socket_cnt(io); i++)
        if (udp_take_refusal(io->udp[i], refusal))
            return true;
    for (size_t i = 0; i < io->worker_cnt; i++)
        if (tcp_take_refusal(io->tcp[i], refusal))
            return true;
    return false;
}

size_t io_tcp_open(const struct io *io) { return gate_cnt(io->gate); }
size_t io_worker_cnt(const struct io *io) { return io->worker_cnt; }
