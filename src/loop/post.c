#include "loop/post.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* Well below the 5 ms that the control thread may be away for, so that an item of some length at the end of a slice still fits. */
enum { SLICE_US = 2000 };

struct post {
    uv_async_t async;
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

static void on_async(uv_async_t *async)
{
    struct post *post = async->data;
    uint64_t end_us = clock_mono_us() + SLICE_US;
    while (run_one(post)) {
        if (clock_mono_us() >= end_us) {
            uv_async_send(&post->async);
            return;
        }
    }
}

struct post *post_open(uv_loop_t *loop)
{
    struct post *post = mem_zalloc(1, sizeof *post);
    if (uv_async_init(loop, &post->async, on_async))
        abort(); /* no descriptor left for the loop itself, before anything runs */
    post->async.data = post;
    pthread_mutex_init(&post->lock, NULL);
    post->last = &post->first;
    return post;
}

static void on_close(uv_handle_t *handle)
{
    struct post *post = handle->data;
    pthread_mutex_destroy(&post->lock);
    free(post);
}

void post_close(struct post *post)
{
    uv_close((uv_handle_t *)&post->async, on_close);
}

void post_send(struct post *post, struct post_item *item, void (*fn)(struct post_item *self))
{
    item->fn = fn;
    item->next = NULL;
    pthread_mutex_lock(&post->lock);
    bool was_empty = !post->first;
    *post->last = item;
    post->last = &item->next;
    if (was_empty)
        uv_async_send(&post->async); /* under the lock: whoever takes the item may close the handle next */
    pthread_mutex_unlock(&post->lock);
}

void post_run_all(struct post *post)
{
    while (run_one(post)) {
    }
}
