#include "store/journal.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/thread.h"
#include "loop/post.h"

/* ==== batches ==== */

struct change {
    const char *database;
    size_t at, key_len, value_len; /* in `bytes`: the key, then the value */
    enum { PUT, DELETE, DELETE_RANGE } what; /* the value of a range is its last key */
};

struct journal_batch {
    struct change *changes;
    size_t cnt, cap;
    uint8_t *bytes;
    size_t len, bytes_cap;
    /* Once it has been handed in. */
    struct journal_batch *next;
    uint64_t number;
    uint64_t heard; /* so many failures had been told of */
    journal_done_fn *fn;
    void *arg;
    char *why;   /* NULL: durable */
    bool is_new; /* it failed itself, not because of one before it */
};

void journal_batch_free(struct journal_batch *batch)
{
    if (!batch)
        return;
    free(batch->changes);
    free(batch->bytes);
    free(batch->why);
    free(batch);
}

struct journal_batch *journal_batch_new(void) { return mem_zalloc(1, sizeof(struct journal_batch)); }

/* Twice as much as before when that does, so that many small ones are copied once or twice; what is large gets no more
 * than it needs. */
static uint8_t *add_room(struct journal_batch *batch, size_t len)
{
    size_t need = batch->len + len, cap = batch->bytes_cap ? batch->bytes_cap : 256;
    if (cap < need)
        cap = need > cap * 2 ? need : cap * 2;
    if (cap != batch->bytes_cap)
        batch->bytes = mem_realloc(batch->bytes, cap, 1);
    batch->bytes_cap = cap;
    batch->len = need;
    return batch->bytes + need - len;
}

static uint8_t *add(struct journal_batch *batch, const struct change *change, const void *key)
{
    assert(change->key_len && change->key_len <= LMDB_KEY_MAX);
    if (batch->cnt == batch->cap) {
        batch->cap = batch->cap ? batch->cap * 2 : 4;
        batch->changes = mem_realloc(batch->changes, batch->cap, sizeof *batch->changes);
    }
    batch->changes[batch->cnt] = *change;
    batch->changes[batch->cnt++].at = batch->len;
    uint8_t *at = add_room(batch, change->key_len + change->value_len);
    memcpy(at, key, change->key_len);
    return at + change->key_len;
}

uint8_t *journal_batch_room(struct journal_batch *batch, const char *database, const void *key, size_t key_len,
                            size_t value_len)
{
    return add(batch, &(struct change){.database = database, .key_len = key_len, .value_len = value_len}, key);
}

void journal_batch_put(struct journal_batch *batch, const char *database, const void *key, size_t key_len,
                       const void *value, size_t value_len)
{
    uint8_t *at = journal_batch_room(batch, database, key, key_len, value_len);
    if (value_len)
        memcpy(at, value, value_len);
}

void journal_batch_delete(struct journal_batch *batch, const char *database, const void *key, size_t key_len)
{
    add(batch, &(struct change){.database = database, .key_len = key_len, .what = DELETE}, key);
}

void journal_batch_delete_range(struct journal_batch *batch, const char *database, const void *first, const void *last,
                                size_t key_len)
{
    const struct change change = {
        .database = database, .key_len = key_len, .value_len = key_len, .what = DELETE_RANGE};
    memcpy(add(batch, &change, first), last, key_len);
}

size_t journal_batch_cnt(const struct journal_batch *batch) { return batch->cnt; }

/* ==== the thread ==== */

struct batch_queue {
    struct journal_batch *first, **last;
};

struct journal {
    struct post *post;
    struct thread thread;
    struct lmdb *lmdb; /* [journal] */
    /* [journal] Failures so far, but those that another one caused; the sentence of the last. A batch is tried only
     * when the loop had heard of all of them before it was handed in. */
    uint64_t failures;
    char why[LMDB_WHY_MAX];
    pthread_mutex_t lock; /* "journal": of what follows */
    pthread_cond_t wake;
    struct batch_queue waiting, done;
    bool stop;
    bool item_sent;
    struct post_item item;
    /* [control] */
    uint64_t number, told;
    uint64_t heard; /* failures */
    struct log_rate rate;
};

static void queue_init(struct batch_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_add(struct batch_queue *queue, struct journal_batch *batch)
{
    batch->next = NULL;
    *queue->last = batch;
    queue->last = &batch->next;
}

static struct journal_batch *queue_take(struct batch_queue *queue)
{
    struct journal_batch *batch = queue->first;
    if (batch)
        queue->first = batch->next;
    if (!queue->first)
        queue->last = &queue->first;
    return batch;
}

static void fill_batch(struct lmdb_write *write, const struct journal_batch *batch)
{
    for (size_t i = 0; i < batch->cnt; i++) {
        const struct change *change = &batch->changes[i];
        const uint8_t *key = batch->bytes + change->at, *value = key + change->key_len;
        if (change->what == DELETE)
            lmdb_delete(write, change->database, key, change->key_len);
        else if (change->what == DELETE_RANGE)
            lmdb_delete_range(write, change->database, key, change->key_len, value, change->value_len);
        else
            lmdb_put(write, change->database, key, change->key_len, value, change->value_len);
    }
}

static void fill_one(void *arg, struct lmdb_write *write) { fill_batch(write, arg); }

static void fill_all(void *arg, struct lmdb_write *write)
{
    for (const struct journal_batch *batch = arg; batch; batch = batch->next)
        fill_batch(write, batch);
}

/* Each for itself: the first of them may still fit. */
static void write_singly(struct journal *journal, struct journal_batch *first)
{
    for (struct journal_batch *batch = first; batch; batch = batch->next) {
        bool is_tried = batch->heard == journal->failures;
        if (is_tried && !lmdb_write(journal->lmdb, fill_one, batch, journal->why))
            continue;
        batch->is_new = is_tried;
        batch->why = mem_strdup(journal->why);
        journal->failures += is_tried;
    }
}

static void write_all(struct journal *journal, struct journal_batch *first)
{
    char why[LMDB_WHY_MAX];
    if (first->heard != journal->failures || lmdb_write(journal->lmdb, fill_all, first, why))
        write_singly(journal, first);
}

static void on_done(struct post_item *item);

/* Of the lock's holder. */
static void send_item(struct journal *journal)
{
    if (journal->item_sent || !journal->done.first)
        return;
    journal->item_sent = true;
    post_send(journal->post, &journal->item, on_done);
}

static struct journal_batch *take_waiting(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    while (!journal->waiting.first && !journal->stop)
        pthread_cond_wait(&journal->wake, &journal->lock);
    struct journal_batch *first = journal->waiting.first;
    queue_init(&journal->waiting);
    pthread_mutex_unlock(&journal->lock);
    return first;
}

static void pass_on(struct journal *journal, struct journal_batch *first)
{
    pthread_mutex_lock(&journal->lock);
    for (struct journal_batch *batch = first, *next; batch; batch = next) {
        next = batch->next;
        queue_add(&journal->done, batch);
    }
    send_item(journal);
    pthread_mutex_unlock(&journal->lock);
}

static void *run(void *arg)
{
    struct journal *journal = arg;
    for (struct journal_batch *first; (first = take_waiting(journal));) {
        write_all(journal, first);
        pass_on(journal, first);
    }
    return NULL;
}

/* ==== the loop ==== */

static void tell(struct journal *journal, struct journal_batch *batch)
{
    journal->told = batch->number;
    journal->heard += batch->is_new;
    if (batch->why && log_rate_ok(&journal->rate, 5))
        log_error("state_dir: what is to be kept could not be written: %s", batch->why);
    if (batch->fn)
        batch->fn(batch->arg, batch->number, batch->why);
    journal_batch_free(batch);
}

/* One at a time: what a batch sets off may be work. */
static void on_done(struct post_item *item)
{
    struct journal *journal = container_of(item, struct journal, item);
    pthread_mutex_lock(&journal->lock);
    struct journal_batch *batch = queue_take(&journal->done);
    journal->item_sent = false;
    send_item(journal);
    pthread_mutex_unlock(&journal->lock);
    tell(journal, batch);
}

uint64_t journal_write(struct journal *journal, struct journal_batch **batch, journal_done_fn *fn, void *arg)
{
    struct journal_batch *taken = *batch;
    *batch = NULL;
    taken->number = ++journal->number;
    taken->heard = journal->heard;
    taken->fn = fn;
    taken->arg = arg;
    pthread_mutex_lock(&journal->lock);
    queue_add(&journal->waiting, taken);
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    return journal->number;
}

uint64_t journal_pending(const struct journal *journal) { return journal->number - journal->told; }

struct lmdb *journal_lmdb(const struct journal *journal) { return journal->lmdb; }

/* ==== life ==== */

static void release(struct journal *journal)
{
    lmdb_close(journal->lmdb);
    if (journal->post)
        post_close(journal->post);
    pthread_cond_destroy(&journal->wake);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    do { /* what is told may hand in more */
        pthread_mutex_lock(&journal->lock);
        journal->stop = true;
        pthread_cond_signal(&journal->wake);
        pthread_mutex_unlock(&journal->lock);
        if (journal->thread.running)
            pthread_join(journal->thread.id, NULL);
        journal->thread.running = false;
        for (struct journal_batch *first; journal->waiting.first && (first = take_waiting(journal));) {
            write_all(journal, first);
            pass_on(journal, first);
        }
        post_run_all(journal->post);
    } while (journal_pending(journal));
    release(journal);
}

enum err journal_open(struct journal **journal, uv_loop_t *loop, struct lmdb **lmdb)
{
    struct journal *made = mem_zalloc(1, sizeof *made);
    made->lmdb = *lmdb;
    *lmdb = NULL;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    queue_init(&made->waiting);
    queue_init(&made->done);
    made->post = post_open(loop);
    if (!made->post || thread_start(&made->thread, run, made, "journal")) {
        release(made);
        *journal = NULL;
        return ERR_IO;
    }
    *journal = made;
    return ERR_OK;
}
