#include "io/handoff.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/gate.h"

/* ---- a queue */

void handoff_queue_fini(struct handoff_queue *q)
{
    if (q->fd >= 0)
        close(q->fd);
    pthread_mutex_destroy(&q->lock);
}

enum err handoff_queue_init(struct handoff_queue *q)
{
    q->first = NULL;
    q->last = &q->first;
    pthread_mutex_init(&q->lock, NULL);
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return q->fd >= 0 ? ERR_OK : ERR_IO;
}

void handoff_queue_put(struct handoff_queue *q, struct io_handoff *h)
{
    const uint64_t one = 1;
    h->next = NULL;
    pthread_mutex_lock(&q->lock);
    *q->last = h;
    q->last = &h->next;
    pthread_mutex_unlock(&q->lock);
    while (write(q->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

struct io_handoff *handoff_queue_take(struct handoff_queue *q)
{
    uint64_t cnt;
    while (read(q->fd, &cnt, sizeof cnt) < 0 && errno == EINTR) /* first: what comes later wakes again */
        continue;
    pthread_mutex_lock(&q->lock);
    struct io_handoff *taken = q->first;
    q->first = NULL;
    q->last = &q->first;
    pthread_mutex_unlock(&q->lock);
    return taken;
}

/* ---- one */

void handoff_free(struct io_handoff *h)
{
    if (!h)
        return;
    answer_hand_off_free(h->request);
    free(h->reply);
    free(h);
}

struct io_handoff *handoff_new(struct answer_hand_off **request)
{
    struct io_handoff *h = mem_zalloc(1, sizeof *h);
    h->request = *request;
    h->fd = -1;
    *request = NULL;
    return h;
}

void handoff_end(struct io_handoff *h, enum io_stream_end end)
{
    if (!h->source) {
        handoff_free(h);
        return;
    }
    h->source->end = end;
    handoff_queue_put(&h->home->queue, h);
}

void handoff_send(const struct io_handoff *h, const uint8_t *message, size_t len, struct io_counters *counters)
{
    struct iovec iov = {(void *)(uintptr_t)message, len};
    struct msghdr header = {
        .msg_name = (void *)(uintptr_t)&h->peer,
        .msg_namelen = h->peer_len,
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = h->control_len ? (void *)(uintptr_t)h->control : NULL,
        .msg_controllen = h->control_len,
    };
    if (sendmsg(h->fd, &header, MSG_DONTWAIT) < 0)
        io_count(counters, udp_send_errors, 1);
}

/* ---- all */

void handoffs_fini(struct handoffs *all)
{
    assert(!all->cnt); /* whoever has one answers it, or forgets it, before */
    handoff_queue_fini(&all->queue);
    pthread_mutex_destroy(&all->lock);
}

enum err handoffs_init(struct handoffs *all)
{
    *all = (struct handoffs){.cnt = 0};
    pthread_mutex_init(&all->lock, NULL);
    return handoff_queue_init(&all->queue);
}

/* The lock is held. */
static bool has_room(const struct handoffs *all, const struct answer_hand_off *request)
{
    unsigned same_cnt = 0, update_cnt = 0;
    if (all->cnt >= IO_HANDOFFS_MAX)
        return false;
    for (const struct io_handoff *h = all->oldest; h; h = h->newer) {
        same_cnt += gate_same_client(&h->request->client, &request->client);
        update_cnt += h->request->kind == ANSWER_UPDATE;
    }
    return same_cnt < IO_HANDOFFS_CLIENT_MAX &&
           (request->kind != ANSWER_UPDATE || update_cnt < IO_HANDOFFS_UPDATES_MAX);
}

bool handoffs_put(struct handoffs *all, struct io_handoff *h)
{
    pthread_mutex_lock(&all->lock);
    bool goes = all->fn && has_room(all, h->request);
    if (goes) {
        h->home = all;
        h->older = all->newest;
        *(all->newest ? &all->newest->newer : &all->oldest) = h;
        all->newest = h;
        all->cnt++;
    }
    pthread_mutex_unlock(&all->lock);
    if (goes)
        handoff_queue_put(&all->queue, h);
    return goes;
}

void handoffs_decide(struct handoffs *all, struct io_handoff *h)
{
    pthread_mutex_lock(&all->lock);
    *(h->older ? &h->older->newer : &all->oldest) = h->newer;
    *(h->newer ? &h->newer->older : &all->newest) = h->older;
    all->cnt--;
    pthread_mutex_unlock(&all->lock);
    h->older = h->newer = NULL;
}

static void count_end(struct io_counters *c, enum io_stream_end end)
{
    switch (end) {
    case IO_STREAM_DONE:
        io_count(c, streams_done, 1);
        break;
    case IO_STREAM_FAILED:
        io_count(c, streams_failed, 1);
        break;
    case IO_STREAM_EXPIRED:
        io_count(c, streams_expired, 1);
        break;
    case IO_STREAM_STALLED:
        io_count(c, streams_stalled, 1);
        break;
    case IO_STREAM_CLOSED:
        io_count(c, streams_closed, 1);
        break;
    case IO_STREAM_RUNNING:
    case IO_STREAM_STOPPED:
        break;
    }
}

static void release(struct handoffs *all, struct io_handoff *h)
{
    count_end(&all->counters, h->source->end);
    h->source->release(h->source);
    handoff_free(h); /* after: the source may have borrowed the request's TSIG */
}

void handoffs_run(struct handoffs *all)
{
    for (struct io_handoff *h = handoff_queue_take(&all->queue), *next; h; h = next) {
        next = h->next;
        if (h->source)
            release(all, h);
        else
            all->fn(all->arg, h);
    }
}

void handoffs_part(struct handoffs *all)
{
    for (struct io_handoff *h = handoff_queue_take(&all->queue), *next; h; h = next) {
        next = h->next;
        if (h->source) {
            release(all, h);
        } else {
            handoffs_decide(all, h);
            handoff_free(h);
        }
    }
    for (struct io_handoff *h = all->oldest; h; h = h->newer)
        h->worker = NULL;
}
