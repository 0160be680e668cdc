#include "io/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dns/msg.h"
#include "io/stream.h"

enum {
    PAGE_LEN = 4096,
    IN_ROOM = (CONN_IN_LEN + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN,
    OUT_ROOM = (CONN_OUT_LEN + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN,
    /* An answer's place in the scratch memory. Not a power of two, or the 32 beginnings would share a set of the
     * first-level cache. */
    ANSWER_ROOM = 65536 + 64,
};
#define SCRATCH_ROOM (IN_ROOM + OUT_ROOM + ANSWER_BATCH_MAX * ANSWER_ROOM)
_Static_assert(IN_ROOM + OUT_ROOM == 200 * 1024, "tcp_max's help says so");

/* Address space only: pages come when they are touched, and huge ones never, or the first byte kept would cost 2
 * MiB. */
static void *reserve(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, len, MADV_NOHUGEPAGE);
    return p;
}

enum err conn_store_init(struct conn_store *store, size_t cnt)
{
    *store = (struct conn_store){.cnt = cnt};
    store->mem = reserve(cnt * (IN_ROOM + OUT_ROOM));
    if (!store->mem)
        return ERR_IO;
    store->conns = mem_zalloc(cnt, sizeof(*store->conns));
    for (size_t i = 0; i < cnt; i++) {
        store->conns[i].in = store->mem + i * (IN_ROOM + OUT_ROOM);
        store->conns[i].out = store->conns[i].in + IN_ROOM;
    }
    return ERR_OK;
}

void conn_store_fini(struct conn_store *store)
{
    if (store->mem)
        (void)munmap(store->mem, store->cnt * (IN_ROOM + OUT_ROOM));
    free(store->conns);
    *store = (struct conn_store){0};
}

enum err conn_scratch_init(struct conn_scratch *s, const struct answer_shared *shared)
{
    *s = (struct conn_scratch){0};
    s->in = reserve(SCRATCH_ROOM);
    if (!s->in)
        return ERR_IO;
    s->stream = s->in + IN_ROOM;
    s->out = s->stream + OUT_ROOM;
    s->answers = answer_worker_new(shared);
    return ERR_OK;
}

void conn_scratch_fini(struct conn_scratch *s)
{
    if (s->in)
        (void)munmap(s->in, SCRATCH_ROOM);
    answer_worker_free(s->answers);
    *s = (struct conn_scratch){0};
}

void conn_open(struct conn_store *store, uint32_t slot, int fd, const struct addr *client)
{
    struct conn *c = &store->conns[slot];
    *c = (struct conn){.in = c->in, .out = c->out, .fd = fd, .slot = slot, .client = *client, .state = CONN_READING};
}

/* The first page of each buffer stays: most connections need no more, and the next one in this slot has it at hand. */
static void give_back(uint8_t *buf, uint32_t peak, size_t room)
{
    if (peak > PAGE_LEN)
        (void)madvise(buf + PAGE_LEN, room - PAGE_LEN, MADV_DONTNEED);
}

void conn_close(struct conn *c)
{
    static const struct linger reset = {.l_onoff = 1};
    if (c->out_len > 0 || c->handoff)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (c->handoff)
        stream_leave(c);
    close(c->fd);
    c->fd = -1;
    give_back(c->in, c->in_peak, IN_ROOM);
    give_back(c->out, c->out_peak, OUT_ROOM);
}

static uint32_t kernel_queue(const struct conn *c)
{
    int len = 0;
    return ioctl(c->fd, SIOCOUTQ, &len) == 0 ? (uint32_t)len : 0;
}

bool conn_is_draining(struct conn *c)
{
    uint32_t before = c->queued;
    c->queued = kernel_queue(c);
    return c->state == CONN_WRITING && c->queued < before;
}

static bool is_transient(int error) { return error == EAGAIN || error == EINTR; }

static void raise_to(uint32_t *peak, uint32_t len)
{
    if (len > *peak)
        *peak = len;
}

/* Complete requests from `at` on, as packets, `most` of them; returns how many. A message too short for a header, an
 * empty one too, is no DNS and leaves no ground to believe what follows: *malformed, when it is the next. */
static unsigned gather(const struct conn *c, struct conn_scratch *s, const uint8_t *in, uint32_t len, uint32_t at,
                       unsigned most, bool *malformed)
{
    unsigned n = 0;
    while (n < most && len - at >= 2) {
        uint32_t message_len = be16_get(in + at);
        if (message_len < MSG_HEADER_LEN) {
            *malformed = n == 0;
            break;
        }
        if (len - at - 2 < message_len)
            break;
        s->packets[n] = (struct answer_packet){
            .in = in + at + 2,
            .in_len = message_len,
            .out = s->out + n * ANSWER_ROOM,
            .out_cap = 65535,
            .proto = ANSWER_TCP,
            .tcp_idle_100ms = s->idle_100ms,
            .client = c->client,
        };
        at += 2 + message_len;
        n++;
    }
    return n;
}

/* While something is kept nothing is read, and so there is nothing to be written. */
void conn_flush(struct conn *c, struct conn_scratch *s)
{
    size_t len = s->stream_len, sent = 0;
    s->stream_len = 0;
    if (len == 0)
        return;
    ssize_t got = send(c->fd, s->stream, len, MSG_NOSIGNAL);
    s->turn_len += (uint32_t)len;
    if (likely(got == (ssize_t)len))
        return;
    if (got < 0 && !is_transient(errno)) {
        c->state = CONN_DONE;
        return;
    }
    if (got > 0)
        sent = (size_t)got;
    c->out_len = (uint32_t)(len - sent);
    memcpy(c->out, s->stream + sent, c->out_len);
    raise_to(&c->out_peak, c->out_len);
    c->state = CONN_WRITING;
    c->queued = kernel_queue(c);
}

/* Puts the answers of s->packets into the stream, which is written when it is full, or something is handed off; returns
 * how many requests are done with, all unless the connection is no longer reading. The others stay in the input, to be
 * answered again later, and counted again: that takes less memory than keeping 32 answers of 64 KiB for each connection
 * that might ask for them. */
static unsigned put_answers(struct conn *c, struct conn_scratch *s, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        const struct answer_packet *p = &s->packets[i];
        if (p->outcome == ANSWER_DROP)
            continue;
        bool is_answer = p->outcome == ANSWER_SEND;
        if (unlikely(!is_answer) || p->out_len + 2 > CONN_OUT_LEN - s->stream_len)
            conn_flush(c, s);
        if (c->state != CONN_READING)
            return i;
        if (unlikely(!is_answer)) {
            stream_hand_off(c, s, i);
            continue;
        }
        be16_put(s->stream + s->stream_len, (uint16_t)p->out_len);
        memcpy(s->stream + s->stream_len + 2, p->out, p->out_len);
        s->stream_len += p->out_len + 2;
    }
    return cnt;
}

/* Answers what is complete in `len` bytes at `in` (the scratch memory or c->in) and keeps the rest; begins with `most`
 * requests at once. */
static void answer_all(struct conn *c, struct conn_scratch *s, const uint8_t *in, uint32_t len, unsigned most)
{
    uint32_t at = 0;
    bool malformed = false;
    unsigned cnt;
    c->state = CONN_READING;
    s->turn_len = 0;
    while (c->state == CONN_READING && s->turn_len < CONN_TURN_LEN &&
           (cnt = gather(c, s, in, len, at, most, &malformed)) > 0) {
        answer_batch(s->answers, s->packets, cnt);
        c->progress = true;
        unsigned done = put_answers(c, s, cnt);
        if (done > 0)
            at = (uint32_t)(s->packets[done - 1].in + s->packets[done - 1].in_len - in);
        most = most < ANSWER_BATCH_MAX / 2 ? most * 2 : ANSWER_BATCH_MAX;
    }
    if (c->state == CONN_READING)
        conn_flush(c, s);
    if (malformed && c->state == CONN_READING)
        c->state = CONN_DONE;
    /* What was asked beyond this turn waits in the input until the socket is found writable, in the next round. */
    if (c->state == CONN_READING && s->turn_len >= CONN_TURN_LEN)
        c->state = CONN_WRITING;
    c->in_len = len - at;
    if (c->in_len > 0 && in + at != c->in)
        memmove(c->in, in + at, c->in_len);
    raise_to(&c->in_peak, in == c->in ? len : c->in_len);
}

/* End of input (RFC 7766 6.2.1.1 lets a client half-close): all that was complete has been answered by then, for
 * nothing is read while answers wait. */
void conn_read(struct conn *c, struct conn_scratch *s)
{
    uint8_t *in = c->in_len > 0 ? c->in : s->in;
    ssize_t got = recv(c->fd, in + c->in_len, CONN_IN_LEN - c->in_len, 0);
    if (got > 0)
        answer_all(c, s, in, c->in_len + (uint32_t)got, ANSWER_BATCH_MAX);
    else if (got == 0 || !is_transient(errno))
        c->state = CONN_DONE;
}

/* Sends what was kept; true when all of it is gone. */
static bool send_kept(struct conn *c)
{
    ssize_t sent = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
    if (sent < 0) {
        if (!is_transient(errno))
            c->state = CONN_DONE;
        return false;
    }
    c->progress = sent > 0;
    c->out_at += (uint32_t)sent;
    c->queued = kernel_queue(c);
    if (c->out_at < c->out_len)
        return false;
    c->out_at = c->out_len = 0;
    return true;
}

/* Who did not take answers may do so again: few are made in vain then. */
void conn_write(struct conn *c, struct conn_scratch *s)
{
    bool was_kept = c->out_len > 0;
    if (was_kept && !send_kept(c))
        return;
    if (c->handoff)
        stream_write(c, s);
    if (!c->handoff && !c->out_len && c->state != CONN_DONE)
        answer_all(c, s, c->in, c->in_len, was_kept ? 1 : ANSWER_BATCH_MAX);
}

void conn_resume(struct conn *c, struct conn_scratch *s)
{
    c->state = CONN_WRITING;
    conn_write(c, s);
}
