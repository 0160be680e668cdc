#include "io/stream.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "dns/edns.h"

/* A source may give nothing when it had to pass over much: it is asked so often in a turn. */
enum { FILLS_MAX = 8 };

static void put_message_len(struct conn_scratch *s, size_t len)
{
    be16_put(s->stream + s->stream_len, (uint16_t)len);
    s->stream_len += 2 + (uint32_t)len;
}

/* Come again: who hears REFUSED may take it for good, as nsupdate does. */
static void refuse(struct conn_scratch *s, struct answer_hand_off *request)
{
    size_t len = answer_hand_off_reply(request, s->stream + s->stream_len + 2, CONN_OUT_LEN - s->stream_len - 2,
                                       RCODE_SERVFAIL, EDNS_EDE_NOT_READY, clock_wall_ms() / 1000);
    if (len)
        put_message_len(s, len);
}

void stream_hand_off(struct conn *c, struct conn_scratch *s, unsigned i)
{
    struct answer_hand_off *request = answer_take_hand_off(s->answers, i);
    struct io_handoff *h = handoff_new(&request);
    h->worker = s->inbox;
    h->conn = c;
    /* Before it goes: it may be back at once, but is not looked at before this turn is over. */
    if (!handoffs_put(s->handoffs, h)) {
        io_count(s->counters, handoffs_full, 1);
        refuse(s, h->request);
        handoff_free(h);
        return;
    }
    c->handoff = h;
    c->state = CONN_HANDED;
}

static enum io_fill fill_stream(struct io_source *source, struct conn_scratch *s)
{
    enum io_fill fill = IO_MORE;
    for (unsigned i = 0; i < FILLS_MAX && fill == IO_MORE; i++) {
        if (CONN_OUT_LEN - s->stream_len < CONN_MESSAGE_MAX)
            break;
        size_t len = 0;
        fill = source->fill(source, s->stream + s->stream_len + 2, CONN_MESSAGE_MAX - 2, &len);
        assert(len <= CONN_MESSAGE_MAX - 2);
        if (len > 0)
            put_message_len(s, len);
    }
    return fill;
}

static enum io_fill fill_answer(const struct io_handoff *h, struct conn_scratch *s)
{
    if (h->source)
        return fill_stream(h->source, s);
    if (!h->reply)
        return IO_FAILED; /* nobody wants to answer it */
    memcpy(s->stream + 2, h->reply, h->reply_len);
    put_message_len(s, h->reply_len);
    return IO_DONE;
}

void stream_write(struct conn *c, struct conn_scratch *s)
{
    struct io_handoff *h = c->handoff;
    assert(!c->out_len && !s->stream_len);
    enum io_fill fill = fill_answer(h, s);
    if (fill == IO_FAILED) {
        s->stream_len = 0;
        h->ending = IO_STREAM_FAILED;
        c->state = CONN_DONE;
        return;
    }
    if (h->source)
        h->source->sent_bytes += s->stream_len;
    conn_flush(c, s);
    c->progress = true;
    if (fill != IO_DONE || c->state == CONN_DONE)
        return;
    c->handoff = NULL;
    handoff_end(h, IO_STREAM_DONE);
}

void stream_end(struct io_handoff *h)
{
    handoff_end(h, h->ending == IO_STREAM_RUNNING ? IO_STREAM_CLOSED : h->ending);
}

void stream_leave(struct conn *c)
{
    struct io_handoff *h = c->handoff;
    c->handoff = NULL;
    h->conn = NULL;
    if (c->state != CONN_HANDED)
        stream_end(h);
}

uint64_t stream_deadline_ms(const struct conn *c)
{
    const struct io_source *source = c->state != CONN_HANDED ? c->handoff->source : NULL;
    if (!source) /* while it is with the control thread it is not ours to look at */
        return UINT64_MAX;
    bool may_stall = source->stall_ms && c->active_ms + source->stall_ms < source->deadline_ms;
    return may_stall ? c->active_ms + source->stall_ms : source->deadline_ms;
}
