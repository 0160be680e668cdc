#include "sync/fetch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "base/random.h"
#include "dns/hmac.h"
#include "loop/job.h"
#include "sync/dial.h"
#include "sync/intake.h"
#include "sync/notify_msg.h"
#include "sync/soa.h"

enum {
    LENGTH_LEN = 2, /* before each message (RFC 1035 4.2.2) */
    BUFFER_FIRST_BYTES = 16 * 1024, /* most transfers are small */
};
_Static_assert(FETCH_BUFFER_BYTES >= LENGTH_LEN + MSG_MAX_LEN, "a full buffer has a whole message");

/* Bytes as they come. */
struct pile {
    uint8_t *bytes;
    size_t len, cap;
    size_t whole_len; /* of those that are whole messages */
};

struct fetch {
    uv_loop_t *loop;
    fetch_fn *fn;
    void *arg;
    uint64_t idle_ms;
    uint64_t start_ms, wire_bytes;
    struct tsig_key key;
    struct notify_msg_ask asked; /* its TSIG state is the job's */
    uint16_t sent_len;
    uint8_t sent[LENGTH_LEN + NOTIFY_MSG_MAX];
    /* the connection */
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uv_timer_t idle, deadline;
    unsigned handle_cnt; /* that are not closed yet */
    int end_status;      /* nothing more comes; 0: it may */
    bool is_reading;
    bool is_over; /* told, or cancelled */
    char why[STREAM_IN_WHY_MAX];
    struct fetch_result result;
    /* what came */
    struct pile filling; /* the loop's */
    struct pile feeding; /* the job's while `is_working` */
    bool is_working;
    atomic_bool is_given_up; /* the job may stop */
    struct intake intake;    /* the job's while `is_working` */
    struct job job;
};

static void advance(struct fetch *fetch);

/* ---- the end */

static void on_freed(struct job *job) { free(container_of(job, struct fetch, job)); }

/* In a job: a million records take tens of milliseconds. */
static void free_kept(struct job *job)
{
    struct fetch *fetch = container_of(job, struct fetch, job);
    intake_fini(&fetch->intake);
    free(fetch->filling.bytes);
    free(fetch->feeding.bytes);
    hmac_wipe(&fetch->key, sizeof fetch->key);
}

static void release(struct fetch *fetch)
{
    assert(fetch->is_over);
    if (!fetch->handle_cnt && !fetch->is_working)
        job_run(fetch->loop, &fetch->job, free_kept, on_freed);
}

static void on_close(uv_handle_t *handle)
{
    struct fetch *fetch = handle->data;
    fetch->handle_cnt--;
    release(fetch);
}

static void close_all(struct fetch *fetch)
{
    fetch->is_over = true;
    atomic_store_explicit(&fetch->is_given_up, true, memory_order_relaxed);
    uv_close((uv_handle_t *)&fetch->tcp, on_close);
    uv_close((uv_handle_t *)&fetch->idle, on_close);
    uv_close((uv_handle_t *)&fetch->deadline, on_close);
}

void fetch_cancel(struct fetch *fetch)
{
    assert(!fetch->is_over);
    close_all(fetch);
}

static void tell(struct fetch *fetch, enum fetch_outcome outcome)
{
    fetch->result.outcome = outcome;
    fetch->result.wire_bytes = fetch->wire_bytes;
    fetch->result.took_ms = clock_mono_ms() - fetch->start_ms;
    close_all(fetch);
    fetch->fn(fetch->arg, &fetch->result);
}

/* The connection fails, or the time is up; a job may run, which is not waited for. */
ATTR_PRINTF(2, 3) static void fail(struct fetch *fetch, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(fetch->why, sizeof fetch->why, fmt, args);
    va_end(args);
    fetch->result.why = fetch->why;
    fetch->result.failure = fetch->wire_bytes ? REFRESH_REFUSED : REFRESH_UNREACHABLE;
    tell(fetch, FETCH_FAILED);
}

/* What the primary sent is no good. */
static void refuse(struct fetch *fetch)
{
    fetch->result.why = fetch->intake.why;
    fetch->result.rcode = fetch->intake.in.rcode;
    fetch->result.failure = REFRESH_REFUSED;
    tell(fetch, FETCH_FAILED);
}

static enum fetch_outcome outcome_of(const struct intake *intake)
{
    switch (intake->in.outcome) {
    case STREAM_IN_WHOLE: return FETCH_WHOLE;
    case STREAM_IN_CHANGES: return FETCH_CHANGES;
    case STREAM_IN_UP_TO_DATE:
    case STREAM_IN_USE_TCP: break; /* the latter is said of datagrams alone */
    }
    return FETCH_UP_TO_DATE;
}

/* It is whole. What the caller leaves goes with the fetch. */
static void give(struct fetch *fetch)
{
    struct intake *intake = &fetch->intake;
    struct fetch_result *result = &fetch->result;
    result->records = intake->records;
    result->changes = intake->changes;
    result->change_cnt = intake->change_cnt;
    if (stream_in_warning(&intake->in, fetch->why))
        result->warning = fetch->why;
    tell(fetch, outcome_of(intake));
    intake->records = result->records;
    intake->changes = result->changes;
    if (!intake->changes)
        intake->change_cnt = 0;
}

/* ---- the job */

static void feed(struct job *job)
{
    struct fetch *fetch = container_of(job, struct fetch, job);
    struct reader r = reader_over(fetch->feeding.bytes, fetch->feeding.whole_len);
    uint64_t now_sec = clock_wall_ms() / 1000;
    enum stream_in_state state = STREAM_IN_MORE;
    while (state == STREAM_IN_MORE && reader_left(&r) &&
           !atomic_load_explicit(&fetch->is_given_up, memory_order_relaxed)) {
        uint16_t len = reader_u16(&r);
        const uint8_t *msg = reader_take(&r, len);
        state = intake_feed(&fetch->intake, msg, len, now_sec);
    }
}

static void note_progress(struct fetch_result *result, const struct stream_in *in)
{
    result->has_serial = in->has_serial;
    result->serial = in->serial;
    result->message_cnt = in->message_cnt;
    result->record_cnt = in->rr_cnt;
}

static void on_fed(struct job *job)
{
    struct fetch *fetch = container_of(job, struct fetch, job);
    fetch->is_working = false;
    if (fetch->is_over) {
        release(fetch);
        return;
    }
    note_progress(&fetch->result, &fetch->intake.in);
    switch (fetch->intake.state) {
    case STREAM_IN_MORE: advance(fetch); break;
    case STREAM_IN_DONE: give(fetch); break;
    case STREAM_IN_FAILED: refuse(fetch); break;
    }
}

/* ---- buffers */

static void grow(struct pile *pile, size_t cap)
{
    pile->bytes = mem_realloc(pile->bytes, cap, 1);
    pile->cap = cap;
}

static void count_whole(struct pile *pile)
{
    struct reader r = reader_over(pile->bytes, pile->len);
    reader_take(&r, pile->whole_len);
    while (reader_left(&r) >= LENGTH_LEN && reader_take(&r, reader_u16(&r)))
        pile->whole_len = reader_pos(&r);
}

/* The whole messages go to a job; what came of the next one begins the other buffer. */
static void hand_over(struct fetch *fetch)
{
    struct pile *from = &fetch->filling, *to = &fetch->feeding;
    size_t rest_len = from->len - from->whole_len;
    if (to->cap < from->cap)
        grow(to, from->cap);
    memcpy(to->bytes, from->bytes + from->whole_len, rest_len);
    to->len = rest_len;
    to->whole_len = 0;
    struct pile swap = *from;
    *from = *to;
    *to = swap;
    fetch->is_working = true;
    job_run(fetch->loop, &fetch->job, feed, on_fed);
}

/* ---- the connection */

static void on_idle(uv_timer_t *timer)
{
    struct fetch *fetch = timer->data;
    fail(fetch, fetch->wire_bytes ? "nothing more came for %" PRIu64 " ms" : "nothing came for %" PRIu64 " ms",
         fetch->idle_ms);
}

static void on_no_connection(uv_timer_t *timer) { fail(timer->data, "no connection in time"); }

static void on_deadline(uv_timer_t *timer) { fail(timer->data, "the transfer took too long"); }

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct fetch *fetch = handle->data;
    struct pile *pile = &fetch->filling;
    (void)size;
    if (pile->len == pile->cap)
        grow(pile, pile->cap ? pile->cap * 2 : BUFFER_FIRST_BYTES);
    *buf = uv_buf_init((char *)pile->bytes + pile->len, (unsigned)(pile->cap - pile->len));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct fetch *fetch = stream->data;
    (void)buf;
    if (len < 0) {
        fetch->end_status = (int)len;
    } else if (len) {
        fetch->filling.len += (size_t)len;
        fetch->wire_bytes += (uint64_t)len;
        count_whole(&fetch->filling);
        uv_timer_again(&fetch->idle);
    }
    advance(fetch);
}

static void read_on(struct fetch *fetch)
{
    bool wants = !fetch->end_status && fetch->filling.len < FETCH_BUFFER_BYTES;
    if (wants == fetch->is_reading)
        return;
    fetch->is_reading = wants;
    if (!wants) {
        uv_read_stop((uv_stream_t *)&fetch->tcp);
        uv_timer_stop(&fetch->idle);
        return;
    }
    int status = uv_read_start((uv_stream_t *)&fetch->tcp, on_alloc, on_read);
    assert(!status); /* it is connected */
    (void)status;
    uv_timer_start(&fetch->idle, on_idle, fetch->idle_ms, fetch->idle_ms);
}

static void fail_end(struct fetch *fetch)
{
    const char *where = fetch->filling.len ? " within a message" : fetch->wire_bytes ? " before the end" : "";
    if (fetch->end_status == UV_EOF)
        fail(fetch, "the primary closed the connection%s", where);
    else
        fail(fetch, "the connection broke%s: %s", where, uv_strerror(fetch->end_status));
}

/* Does what there is to do, after anything that happened. */
static void advance(struct fetch *fetch)
{
    if (!fetch->is_working && fetch->filling.whole_len)
        hand_over(fetch);
    read_on(fetch);
    if (fetch->end_status && !fetch->is_working)
        fail_end(fetch);
}

static void on_write(uv_write_t *request, int status)
{
    struct fetch *fetch = request->data;
    if (!status || fetch->is_over)
        return;
    fail(fetch, "the question could not be sent: %s", uv_strerror(status));
}

static void on_connect(uv_connect_t *request, int status)
{
    struct fetch *fetch = request->data;
    uv_buf_t buf = uv_buf_init((char *)fetch->sent, fetch->sent_len);
    if (fetch->is_over)
        return;
    fetch->write.data = fetch;
    if (!status)
        status = uv_write(&fetch->write, (uv_stream_t *)&fetch->tcp, &buf, 1, on_write);
    if (status)
        fail(fetch, "no connection: %s", uv_strerror(status));
    else
        read_on(fetch);
}

/* ---- the beginning */

static void write_message(struct fetch *fetch, const struct fetch_request *request)
{
    struct notify_msg_ask *asked = &fetch->asked;
    *asked = (struct notify_msg_ask){.kind = request->soa ? NOTIFY_MSG_IXFR : NOTIFY_MSG_AXFR,
                                     .apex = request->apex,
                                     .soa = request->soa};
    random_bytes(&asked->id, sizeof asked->id);
    if (request->key) {
        fetch->key = *request->key;
        asked->key = &fetch->key;
    }
    size_t len = notify_msg_write(fetch->sent + LENGTH_LEN, asked, clock_wall_ms() / 1000);
    be16_put(fetch->sent, (uint16_t)len);
    fetch->sent_len = (uint16_t)(LENGTH_LEN + len);
    asked->apex = NULL; /* the caller's */
    asked->soa = NULL;
}

static void prepare_intake(struct fetch *fetch, const struct fetch_request *request)
{
    struct stream_in_asked asked = {.name = request->apex,
                                    .type = request->soa ? RR_IXFR : RR_AXFR,
                                    .id = fetch->asked.id,
                                    .tsig = request->key ? &fetch->asked.tsig : NULL};
    if (request->soa) {
        struct soa soa;
        enum err e = soa_read(&soa, request->soa->rdata, request->soa->rdata_len);
        assert(!e); /* we serve it */
        (void)e;
        asked.serial = soa.serial;
    }
    intake_init(&fetch->intake, &asked, request->hash, request->max_zone_bytes);
}

static void start_timer(struct fetch *fetch, uv_timer_t *timer, uv_timer_cb fn, uint64_t after_ms)
{
    uv_timer_init(fetch->loop, timer);
    timer->data = fetch;
    uv_timer_start(timer, fn, after_ms, 0);
}

/* In a later round: whoever starts a fetch is not called back from within. */
static void on_not_begun(uv_timer_t *timer)
{
    struct fetch *fetch = timer->data;
    fail(fetch, "no connection: %s", uv_strerror(fetch->end_status));
}

struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request, fetch_fn *fn, void *arg)
{
    struct fetch *fetch = mem_zalloc(1, sizeof *fetch);
    fetch->loop = loop;
    fetch->fn = fn;
    fetch->arg = arg;
    fetch->idle_ms = request->idle_ms ? request->idle_ms : FETCH_IDLE_MS;
    fetch->start_ms = clock_mono_ms();
    write_message(fetch, request);
    prepare_intake(fetch, request);
    start_timer(fetch, &fetch->deadline, on_deadline, request->deadline_ms);
    start_timer(fetch, &fetch->idle, on_no_connection, request->connect_ms ? request->connect_ms : FETCH_CONNECT_MS);
    fetch->connect.data = fetch->tcp.data = fetch;
    fetch->end_status = dial_tcp(loop, &fetch->tcp, &fetch->connect, &request->primary, &request->sources, on_connect);
    if (fetch->end_status)
        uv_timer_start(&fetch->idle, on_not_begun, 0, 0);
    fetch->handle_cnt = 3;
    return fetch;
}
