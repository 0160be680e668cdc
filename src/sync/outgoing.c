#include "sync/outgoing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "base/ring.h"
#include "dns/serial.h"
#include "io/gate.h"
#include "loop/job.h"
#include "store/history.h"
#include "store/hold.h"
#include "sync/outgoing_choose.h"
#include "sync/outgoing_log.h"
#include "sync/outgoing_reply.h"
#include "sync/stream_out.h"

/* Of changes as they are sent: to free those takes some 0.1 ms. */
enum { FREE_INLINE_BYTES = 32 * 1024 };

const char *const outgoing_counter_names[OUTGOING_COUNTER_CNT] = {
#define X(name, help) #name,
    OUTGOING_COUNTERS(X)
#undef X
};

const char *const outgoing_counter_help[OUTGOING_COUNTER_CNT] = {
#define X(name, help) help,
    OUTGOING_COUNTERS(X)
#undef X
};

struct outgoing {
    uv_loop_t *loop;
    struct store *store;
    struct io *io;
    struct ring transfers; /* all, as they began */
    struct ring waiting;   /* those of them that wait for their job */
    unsigned reading_cnt;  /* jobs that read */
    unsigned job_cnt;      /* those, and jobs that free */
    size_t history_bytes;  /* that transfers have; atomic, as jobs add what they have read */
    bool is_ending;
    struct outgoing_counters counters;
    struct outgoing_log log;
};

/* One that is under way, or a job that reads for it. */
struct transfer {
    /* the worker's between io_stream and `release` */
    struct io_source source;
    struct stream_out out;
    uint64_t made_bytes; /* atomic: control looks at it */
    /* control's */
    struct outgoing *home;
    struct ring item, waiting;
    struct io_handoff *handoff; /* NULL once it is answered */
    struct answer_hand_off *request; /* goes with an answer of one message, or behind `release` */
    uint64_t since_ms, deadline_ms;
    bool is_reading;
    /* the job's while it runs; read by the worker, changed by nobody */
    struct store_held held;
    struct job job;
    struct lmdb *lmdb;
    struct history_list list;
    size_t reserved_bytes; /* of home->history_bytes */
    enum outgoing_way way;
    enum err err;
    char why[HISTORY_WHY_MAX];
};

/* ---- the end of one */

static void unreserve(struct transfer *t)
{
    __atomic_fetch_sub(&t->home->history_bytes, t->reserved_bytes, __ATOMIC_RELAXED);
    t->reserved_bytes = 0;
}

static void free_work(struct job *job) { history_list_fini(&container_of(job, struct transfer, job)->list); }

static void free_done(struct job *job)
{
    struct transfer *t = container_of(job, struct transfer, job);
    t->home->job_cnt--;
    free(t);
}

/* It is answered, or forgotten, and no worker has it. */
static void end(struct transfer *t)
{
    struct outgoing *o = t->home;
    assert(!t->handoff);
    ring_remove(&t->item);
    store_unhold(&t->held);
    unreserve(t);
    if (t->list.bytes > FREE_INLINE_BYTES) {
        o->job_cnt++;
        job_run(o->loop, &t->job, free_work, free_done);
        return;
    }
    history_list_fini(&t->list);
    free(t);
}

static void tell(const struct transfer *t, enum io_stream_end how, uint64_t bytes)
{
    const struct answer_hand_off *request = t->request;
    struct outgoing_ended ended = {
        .zone = request->zone,
        .client = &request->client,
        .key = request->is_signed ? request->key.name : NULL,
        .is_ixfr = request->kind == ANSWER_IXFR,
        .is_udp = request->proto == ANSWER_UDP,
        .way = t->way,
        .from = request->serial,
        .to = t->out.serial,
        .rr_cnt = t->out.rr_cnt,
        .bytes = bytes,
        .took_ms = clock_mono_ms() - t->since_ms,
        .end = how,
    };
    outgoing_log_ended(&t->home->log, &ended);
}

static uint64_t *counter_of(struct transfer *t, enum io_stream_end how)
{
    struct outgoing_counters *counters = &t->home->counters;
    if (how != IO_STREAM_DONE)
        return &counters->failed;
    if (t->request->kind == ANSWER_AXFR)
        return &counters->axfr;
    return t->way == OUTGOING_WHOLE ? &counters->ixfr_whole : &counters->ixfr;
}

static void release(struct io_source *source)
{
    struct transfer *t = container_of(source, struct transfer, source);
    ++*counter_of(t, source->end);
    tell(t, source->end, source->sent_bytes);
    end(t);
}

/* ---- streams */

static enum io_fill fill(struct io_source *source, uint8_t *out, size_t cap, size_t *len)
{
    struct transfer *t = container_of(source, struct transfer, source);
    enum stream_out_state state = stream_out_next(&t->out, out, cap, len, clock_wall_ms() / 1000);
    __atomic_store_n(&t->made_bytes, t->made_bytes + *len + (*len ? 2 : 0), __ATOMIC_RELAXED);
    if (state == STREAM_OUT_FAILED)
        return IO_FAILED;
    return state == STREAM_OUT_DONE ? IO_DONE : IO_MORE;
}

static void start_whole(struct transfer *t)
{
    struct stream_out_request request = outgoing_stream_request(t->request);
    stream_out_whole(&t->out, &request, t->held.version);
}

static void start_changes(struct transfer *t)
{
    struct stream_out_request request = outgoing_stream_request(t->request);
    stream_out_changes(&t->out, &request, t->held.version, (const struct changeset *const *)t->list.changes,
                       t->list.cnt);
}

static void begin_stream(struct transfer *t)
{
    if (t->way == OUTGOING_WHOLE)
        start_whole(t);
    else
        start_changes(t);
    t->source = (struct io_source){
        .fill = fill, .release = release, .deadline_ms = t->deadline_ms, .stall_ms = OUTGOING_STALL_MS};
    io_stream(t->home->io, &t->handoff, &t->source);
}

/* ---- answers of one message */

/* RFC 1995 2: the changes if they fit, else the SOA that makes the client ask by TCP. */
static void answer_changes(struct transfer *t)
{
    uint8_t message[OUTGOING_REPLY_MAX];
    start_changes(t);
    size_t len = outgoing_reply_make(message, t->request, &t->out);
    if (t->out.rr_cnt > 1) {
        t->home->counters.ixfr++;
        tell(t, IO_STREAM_DONE, len); /* the request goes with the answer */
    } else {
        t->home->counters.ixfr_current++;
    }
    outgoing_reply_send(t->home->io, &t->handoff, message, len);
}

static void answer_current(struct outgoing *o, struct io_handoff **handoff, const struct zone_version *version)
{
    o->counters.ixfr_current++;
    outgoing_reply_soa(o->io, handoff, version);
}

static void answer(struct transfer *t)
{
    if (t->request->proto == ANSWER_TCP) {
        begin_stream(t);
        return;
    }
    if (t->way == OUTGOING_WHOLE)
        answer_current(t->home, &t->handoff, t->held.version);
    else
        answer_changes(t);
    end(t);
}

/* ---- the history, read in a job */

static enum err read_changes(struct transfer *t)
{
    size_t zone_bytes = outgoing_zone_bytes(t->held.version), most = outgoing_read_bytes(zone_bytes);
    if (most > OUTGOING_HISTORY_BYTES)
        most = OUTGOING_HISTORY_BYTES;
    enum err err = history_read_since(&t->list, t->lmdb, t->request->zone, t->held.key, t->request->serial, t->held.seq,
                                      most, t->why);
    if (err)
        return err;
    if (t->list.changes[t->list.cnt - 1]->serial_to != t->held.version->serial) {
        snprintf(t->why, sizeof t->why, "they lead to serial %u, and the zone has %u",
                 t->list.changes[t->list.cnt - 1]->serial_to, t->held.version->serial);
        return ERR_INVALID;
    }
    t->way = outgoing_choose(&t->list, zone_bytes);
    return ERR_OK;
}

/* Until `end` they count among those in memory; where there is no room for them the whole zone is sent. */
static enum err reserve(struct transfer *t)
{
    size_t others = __atomic_fetch_add(&t->home->history_bytes, t->list.bytes, __ATOMIC_RELAXED);
    t->reserved_bytes = t->list.bytes;
    return others + t->list.bytes > OUTGOING_HISTORY_ALL_BYTES ? ERR_LIMIT : ERR_OK;
}

static void read_work(struct job *job)
{
    struct transfer *t = container_of(job, struct transfer, job);
    t->err = read_changes(t);
    if (!t->err)
        t->err = reserve(t);
    if (t->err) {
        t->way = OUTGOING_WHOLE;
        history_list_fini(&t->list);
        unreserve(t);
    }
}

static void start_jobs(struct outgoing *o);

static void read_done(struct job *job)
{
    struct transfer *t = container_of(job, struct transfer, job);
    struct outgoing *o = t->home;
    o->job_cnt--;
    o->reading_cnt--;
    t->is_reading = false;
    if (t->err == ERR_INVALID || t->err == ERR_IO)
        outgoing_log_damaged(&o->log, t->request->zone, t->request->serial, t->why);
    if (o->is_ending) {
        io_forget(o->io, &t->handoff);
        end(t);
    } else {
        answer(t);
        start_jobs(o);
    }
}

static void start_jobs(struct outgoing *o)
{
    while (o->reading_cnt < job_pool_share() && !ring_is_empty(&o->waiting)) {
        struct transfer *t = container_of(o->waiting.after, struct transfer, waiting);
        ring_remove(&t->waiting);
        o->reading_cnt++;
        o->job_cnt++;
        job_run(o->loop, &t->job, read_work, read_done);
    }
}

/* ---- hand-offs */

/* Why there are too many; NULL: there are not. What came by UDP holds a version for its job's time at most, and io
 * bounds how many of them there are. */
static const char *find_limit(const struct outgoing *o, const struct addr *client)
{
    unsigned cnt = 0, same_cnt = 0;
    for (const struct ring *r = o->transfers.after; r != &o->transfers; r = r->after) {
        const struct transfer *t = container_of(r, struct transfer, item);
        cnt += t->request->proto == ANSWER_TCP;
        same_cnt += t->request->proto == ANSWER_TCP && gate_same_client(&t->request->client, client);
    }
    if (same_cnt >= OUTGOING_CLIENT_MAX)
        return "too many of this client are running";
    return cnt >= OUTGOING_STREAMS_MAX ? "too many are running" : NULL;
}

/* True when it is answered: nothing is to be sent. */
static bool refuse(struct outgoing *o, struct io_handoff **handoff)
{
    const struct answer_hand_off *request = io_handoff_request(*handoff);
    const char *why = request->proto == ANSWER_TCP ? find_limit(o, &request->client) : NULL;
    if (!why)
        return false;
    o->counters.refused++;
    outgoing_log_refused(&o->log, request->zone, &request->client, why);
    outgoing_reply_rcode(o->io, handoff, RCODE_SERVFAIL, EDNS_EDE_NOT_READY);
    return true;
}

/* It went, or lost its version, after the worker had looked. */
static void answer_unserved(struct outgoing *o, struct io_handoff **handoff, enum err err)
{
    o->counters.unserved++;
    if (err == ERR_NOT_FOUND)
        outgoing_reply_rcode(o->io, handoff, RCODE_NOTAUTH, EDNS_EDE_NOT_AUTHORITATIVE);
    else
        outgoing_reply_rcode(o->io, handoff, RCODE_SERVFAIL,
                             err == ERR_TIMEOUT ? EDNS_EDE_INVALID_DATA : EDNS_EDE_NOT_READY);
}

static bool is_current(const struct answer_hand_off *request, uint32_t serial)
{
    return request->kind == ANSWER_IXFR && (request->serial == serial || serial_is_later(request->serial, serial));
}

static struct transfer *begin(struct outgoing *o, struct io_handoff **handoff, const struct store_held *held,
                              uint64_t transfer_max_ms)
{
    struct transfer *t = mem_zalloc(1, sizeof *t);
    t->home = o;
    t->held = *held;
    t->handoff = *handoff;
    *handoff = NULL;
    t->request = io_handoff_request(t->handoff);
    t->lmdb = store_lmdb(o->store);
    t->since_ms = clock_mono_ms();
    t->deadline_ms = t->since_ms + transfer_max_ms;
    t->way = OUTGOING_WHOLE;
    ring_add(&o->transfers, &t->item);
    ring_init(&t->waiting);
    return t;
}

void outgoing_take(struct outgoing *o, struct io_handoff **handoff, uint64_t transfer_max_ms)
{
    const struct answer_hand_off *request = io_handoff_request(*handoff);
    struct store_held held;
    assert(request->kind == ANSWER_AXFR || request->kind == ANSWER_IXFR);
    enum err err = store_hold(o->store, &held, request->zone);
    if (err) {
        answer_unserved(o, handoff, err);
        return;
    }
    bool is_answered = true;
    if (is_current(request, held.version->serial))
        answer_current(o, handoff, held.version);
    else
        is_answered = refuse(o, handoff);
    if (is_answered) {
        store_unhold(&held);
        return;
    }
    struct transfer *t = begin(o, handoff, &held, transfer_max_ms);
    if (t->request->kind == ANSWER_AXFR || !t->lmdb || !held.seq) {
        answer(t);
        return;
    }
    t->is_reading = true;
    ring_add(&o->waiting, &t->waiting);
    start_jobs(o);
}

/* ---- for people */

static const char *kind_of(const struct transfer *t)
{
    if (t->request->kind == ANSWER_AXFR)
        return "AXFR";
    if (t->is_reading)
        return "IXFR, reading";
    return t->way == OUTGOING_WHOLE ? "IXFR, whole zone" : "IXFR";
}

void outgoing_each(const struct outgoing *o, outgoing_each_fn *fn, void *arg)
{
    for (const struct ring *r = o->transfers.after; r != &o->transfers; r = r->after) {
        const struct transfer *t = container_of(r, struct transfer, item);
        struct outgoing_view view = {
            .zone = t->request->zone,
            .client = &t->request->client,
            .kind = kind_of(t),
            .serial = t->held.version->serial,
            .sent_bytes = __atomic_load_n(&t->made_bytes, __ATOMIC_RELAXED),
            .since_mono_ms = t->since_ms,
        };
        fn(arg, &view);
    }
}

const struct outgoing_counters *outgoing_counters(const struct outgoing *o) { return &o->counters; }

/* ---- all of it */

struct outgoing *outgoing_new(uv_loop_t *loop, struct store *store, struct io *io)
{
    struct outgoing *o = mem_zalloc(1, sizeof *o);
    o->loop = loop;
    o->store = store;
    o->io = io;
    ring_init(&o->transfers);
    ring_init(&o->waiting);
    outgoing_log_init(&o->log, loop);
    return o;
}

static void on_closed(uv_handle_t *timer) { free(container_of(timer, struct outgoing, log.timer)); }

void outgoing_free(struct outgoing *o)
{
    if (!o)
        return;
    o->is_ending = true;
    while (!ring_is_empty(&o->waiting)) {
        struct transfer *t = container_of(o->waiting.after, struct transfer, waiting);
        ring_remove(&t->waiting);
        io_forget(o->io, &t->handoff);
        end(t);
    }
    io_run_handoffs(o->io); /* sources that were answered with, or ended, after the workers had stopped */
    while (o->job_cnt)
        uv_run(o->loop, UV_RUN_ONCE);
    assert(ring_is_empty(&o->transfers));
    outgoing_log_close(&o->log, on_closed);
}
