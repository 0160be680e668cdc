#include "loop/post.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* Two of us share a loop (store's and balance's), and each slice may end with an item of some length: all of it
 * together, and what else the loop has to do, is to fit into the 5 ms that the control thread may be away for. */
enum { SLICE_US = 1000 };

/* An eventfd of our own, not uv_async_t: libuv's loop spins (sched_yield) until a sender has left uv_async_send, and
 * the kernel likes to interrupt a sender right where it wakes the loop. Measured with two readers of 10,000 zones on
 * two cores: 4 ms, again and again. */
struct post {
    uv_poll_t poll;
    int fd;
    pthread_mutex_t lock; /* of `first`, `last` */
    struct post_item *first, **last;
    struct post_item *taken; /* [loop] being worked off, older than all in `first` */
};

static void take_all(struct post *post)
{
    pthread_mutex_lock(&post->lock);
    post->taken = post->first;
    post->first = NULL;
    post->last = &post->first;
    pthread_mutex_unlock(&post->lock);
}

static bool run_one(struct post *post)
{
    if (!post->taken)
        take_all(post);
    struct post_item *item = post->taken;
    if (!item)
        return false;
    post->taken = item->next;
    item->fn(item);
    return true;
}

/* Cannot fail but for the counter at its limit, which wakes as well. */
static void wake(struct post *post)
{
    uint64_t one = 1;
    while (write(post->fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void calm(struct post *post)
{
    uint64_t cnt;
    while (read(post->fd, &cnt, sizeof cnt) < 0 && errno == EINTR)
        continue;
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct post *post = poll->data;
    uint64_t end_us = clock_mono_us() + SLICE_US;
    calm(post); /* first: what comes later wakes again */
    while (run_one(post)) {
        if (clock_mono_us() >= end_us) {
            wake(post);
            return;
        }
    }
}

static void on_close(uv_handle_t *handle)
{
    struct post *post = handle->data;
    close(post->fd);
    pthread_mutex_destroy(&post->lock);
    free(post);
}

static struct post *refuse(const char *why)
{
    log_error("cannot open an event descriptor: %s", why);
    return NULL;
}

struct post *post_open(uv_loop_t *loop)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return refuse(strerror(errno));
    struct post *post = mem_zalloc(1, sizeof *post);
    int err = uv_poll_init(loop, &post->poll, fd);
    if (err) {
        free(post);
        close(fd);
        return refuse(uv_strerror(err));
    }
    post->fd = fd;
    post->poll.data = post;
    pthread_mutex_init(&post->lock, NULL);
    post->last = &post->first;
    err = uv_poll_start(&post->poll, UV_READABLE, on_wake);
    if (err) {
        post_close(post);
        return refuse(uv_strerror(err));
    }
    return post;
}

void post_close(struct post *post)
{
    uv_close((uv_handle_t *)&post->poll, on_close);
}

void post_send(struct post *post, struct post_item *item, void (*fn)(struct post_item *self))
{
    item->fn = fn;
    item->next = NULL;
    pthread_mutex_lock(&post->lock);
    bool was_empty = !post->first;
    *post->last = item;
    post->last = &item->next;
    pthread_mutex_unlock(&post->lock);
    if (was_empty) /* outside the lock: it wakes the loop, which wants the lock at once */
        wake(post);
}

void post_run_all(struct post *post)
{
    while (run_one(post)) {
    }
}
