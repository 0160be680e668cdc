#include "sync/ask.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "dns/hmac.h"
#include "sync/dial.h"
#include "sync/fault.h"

enum {
    LENGTH_LEN = 2, /* before a message over TCP (RFC 1035 4.2.2) */
    /* We send no OPT, so nobody may send more than 512 bytes by UDP (RFC 6891 6.2.5); a signature is behind that. */
    DATAGRAM_MOST = 4096,
};

struct ask {
    uv_loop_t *loop;
    ask_fn *fn;
    void *arg;
    struct addr peer;
    struct sync_sources sources;
    struct notify_msg_ask asked; /* points to the next two */
    uint8_t apex[NAME_MAX_LEN];
    struct tsig_key key;
    struct ask_result result;
    bool is_over;
    unsigned handle_cnt; /* that are not closed yet */
    uv_timer_t timer;
    uv_udp_t udp;
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    uint16_t sent_len;
    uint8_t sent[LENGTH_LEN + NOTIFY_MSG_MAX]; /* as TCP has it; by UDP without its length */
    uint8_t length[LENGTH_LEN]; /* what comes by TCP ... */
    uint8_t *message;           /* ... NULL: its length has not come */
    size_t have_len;            /* of the one of both that is coming */
    uint8_t datagram[DATAGRAM_MOST];
};

/* ---- the end */

static void on_close(uv_handle_t *handle)
{
    struct ask *ask = handle->data;
    if (--ask->handle_cnt)
        return;
    hmac_wipe(&ask->key, sizeof ask->key);
    free(ask->message);
    free(ask);
}

static void close_handle(uv_handle_t *handle)
{
    if (handle->data && !uv_is_closing(handle))
        uv_close(handle, on_close);
}

static void close_all(struct ask *ask)
{
    ask->is_over = true;
    close_handle((uv_handle_t *)&ask->timer);
    close_handle((uv_handle_t *)&ask->udp);
    close_handle((uv_handle_t *)&ask->tcp);
}

/* A handle is ours to close from here on. */
static void own_handle(struct ask *ask, uv_handle_t *handle)
{
    handle->data = ask;
    ask->handle_cnt++;
}

void ask_cancel(struct ask *ask)
{
    assert(!ask->is_over);
    close_all(ask);
}

static void tell(struct ask *ask, enum ask_outcome outcome)
{
    ask->result.outcome = outcome;
    close_all(ask);
    ask->fn(ask->arg, &ask->result);
}

ATTR_PRINTF(2, 3) static void say(struct ask *ask, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(ask->result.why, sizeof ask->result.why, fmt, args);
    va_end(args);
}

static void on_time(uv_timer_t *timer)
{
    struct ask *ask = timer->data;
    char passed_over[ASK_WHY_MAX];
    memcpy(passed_over, ask->result.why, sizeof passed_over);
    ask->result.was_passed_over = *passed_over;
    if (*passed_over)
        say(ask, "no answer in time but for what was passed over: %.260s", passed_over);
    else
        say(ask, "no answer in time");
    tell(ask, ASK_SILENT);
}

static void on_failed(uv_timer_t *timer) { tell(timer->data, ASK_FAILED); }

/* In a later round: whoever starts an ask is not called back from within. */
static void fail_soon(struct ask *ask, int status)
{
    say(ask, "%s", uv_strerror(status));
    uv_timer_start(&ask->timer, on_failed, 0, 0);
}

static void fail(struct ask *ask, int status)
{
    say(ask, "%s", uv_strerror(status));
    tell(ask, ASK_FAILED);
}

/* ---- an answer */

/* What the TSIG of an answer without a good signature complains of (RFC 8945 5.3.2). */
static void say_denied(struct ask *ask, unsigned rcode)
{
    char what[FAULT_MAX], fault[FAULT_MAX];
    switch (ask->asked.tsig.error) {
    case TSIG_BADKEY:
        snprintf(what, sizeof what, "an answer that is not signed says that our key is not known");
        break;
    case TSIG_BADSIG:
        snprintf(what, sizeof what, "an answer that is not signed says that our signature is wrong");
        break;
    default:
        snprintf(what, sizeof what, "an answer, %s, is not signed as it has to be", rcode_text(rcode));
        break;
    }
    say(ask, "%s", fault_of_key(fault, what, &ask->key));
}

/* True: it is one, and stands in the result. */
static bool read_answer(struct ask *ask, const uint8_t *msg, size_t len)
{
    switch (notify_msg_read_answer(&ask->result.answer, &ask->asked, msg, len, clock_wall_ms() / 1000)) {
    case ERR_OK:
        ask->result.tsig_error = ask->asked.key ? ask->asked.tsig.error : 0;
        return true;
    case ERR_DENIED: say_denied(ask, msg_flags(msg) & MSG_RCODE_MASK); break;
    case ERR_SYNTAX: say(ask, "an answer is malformed"); break;
    default: say(ask, "a message does not answer the question"); break;
    }
    return false;
}

/* ---- TCP */

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct ask *ask = handle->data;
    (void)size;
    if (ask->message)
        *buf = uv_buf_init((char *)ask->message + ask->have_len, be16_get(ask->length) - (unsigned)ask->have_len);
    else
        *buf = uv_buf_init((char *)ask->length + ask->have_len, LENGTH_LEN - (unsigned)ask->have_len);
}

static void take_message(struct ask *ask)
{
    bool is_answer = read_answer(ask, ask->message, be16_get(ask->length));
    tell(ask, is_answer ? ASK_ANSWERED : ASK_FAILED);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct ask *ask = stream->data;
    (void)buf;
    if (len < 0) {
        fail(ask, (int)len);
        return;
    }
    ask->have_len += (size_t)len;
    if (!ask->message) {
        if (ask->have_len < LENGTH_LEN)
            return;
        ask->message = mem_zalloc(be16_get(ask->length), 1);
        ask->have_len = 0;
    }
    if (ask->have_len == be16_get(ask->length))
        take_message(ask);
}

static void on_write(uv_write_t *request, int status)
{
    struct ask *ask = request->data;
    if (status && !ask->is_over)
        fail(ask, status);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct ask *ask = request->data;
    uv_stream_t *stream = (uv_stream_t *)&ask->tcp;
    uv_buf_t buf = uv_buf_init((char *)ask->sent, ask->sent_len);
    if (ask->is_over)
        return;
    ask->write.data = ask;
    if (!status)
        status = uv_write(&ask->write, stream, &buf, 1, on_write);
    if (!status)
        status = uv_read_start(stream, on_alloc, on_read);
    if (status)
        fail(ask, status);
}

static int start_tcp(struct ask *ask)
{
    ask->connect.data = ask;
    own_handle(ask, (uv_handle_t *)&ask->tcp);
    return dial_tcp(ask->loop, &ask->tcp, &ask->connect, &ask->peer, &ask->sources, on_connect);
}

/* ---- UDP */

static void on_datagram_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct ask *ask = handle->data;
    (void)size;
    *buf = uv_buf_init((char *)ask->datagram, sizeof ask->datagram);
}

/* RFC 1035 4.2.1; of a NOTIFY the RCODE is all that there is to know. */
static bool wants_tcp(const struct ask *ask)
{
    const struct notify_msg_answer *answer = &ask->result.answer;
    return ask->asked.kind == NOTIFY_MSG_SOA && answer->is_truncated && !answer->has_soa &&
           answer->rcode == RCODE_NOERROR;
}

static void on_datagram(uv_udp_t *udp, ssize_t len, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct ask *ask = udp->data;
    if (uv_is_closing((uv_handle_t *)udp) || (!len && !from)) /* there is nothing more to read now */
        return;
    if (len < 0) {
        fail(ask, (int)len);
        return;
    }
    if (flags & UV_UDP_PARTIAL || !read_answer(ask, (const uint8_t *)buf->base, (size_t)len))
        return;
    if (!wants_tcp(ask)) {
        tell(ask, ASK_ANSWERED);
        return;
    }
    close_handle((uv_handle_t *)udp);
    ask->result.why[0] = '\0';
    int status = start_tcp(ask);
    if (status)
        fail(ask, status);
}

static int start_udp(struct ask *ask)
{
    uv_buf_t buf = uv_buf_init((char *)ask->sent + LENGTH_LEN, ask->sent_len - LENGTH_LEN);
    own_handle(ask, (uv_handle_t *)&ask->udp);
    int status = dial_udp(ask->loop, &ask->udp, &ask->peer, &ask->sources);
    if (!status)
        status = uv_udp_recv_start(&ask->udp, on_datagram_alloc, on_datagram);
    if (!status)
        status = uv_udp_try_send(&ask->udp, &buf, 1, NULL);
    return status < 0 ? status : 0;
}

/* ---- the beginning */

/* The same bytes go by UDP and, when its answer is truncated, by TCP. */
static void write_message(struct ask *ask, const struct ask_question *question)
{
    memcpy(ask->apex, question->apex, name_len(question->apex));
    ask->asked = (struct notify_msg_ask){.kind = question->kind, .apex = ask->apex, .soa = question->soa};
    random_bytes(&ask->asked.id, sizeof ask->asked.id);
    if (question->key) {
        ask->key = *question->key;
        ask->asked.key = &ask->key;
    }
    size_t len = notify_msg_write(ask->sent + LENGTH_LEN, &ask->asked, clock_wall_ms() / 1000);
    be16_put(ask->sent, (uint16_t)len);
    ask->sent_len = (uint16_t)(LENGTH_LEN + len);
    ask->asked.soa = NULL; /* the caller's */
}

struct ask *ask_start(uv_loop_t *loop, const struct ask_question *question, ask_fn *fn, void *arg)
{
    assert(question->kind == NOTIFY_MSG_NOTIFY || question->kind == NOTIFY_MSG_SOA);
    struct ask *ask = mem_zalloc(1, sizeof *ask);
    ask->loop = loop;
    ask->fn = fn;
    ask->arg = arg;
    ask->peer = question->peer;
    ask->sources = question->sources;
    write_message(ask, question);
    uv_timer_init(loop, &ask->timer);
    own_handle(ask, (uv_handle_t *)&ask->timer);
    uv_timer_start(&ask->timer, on_time, question->timeout_ms, 0);
    int status = question->over_tcp ? start_tcp(ask) : start_udp(ask);
    if (status)
        fail_soon(ask, status);
    return ask;
}
