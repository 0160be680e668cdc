/* The toy that proves base/rcu.h under TSan: readers sum up a published block, a publisher replaces it, the
 * callback wipes and frees the old one. A reader that sees a wiped or half-written block fails the test in any
 * build.
 *
 * That the annotations are what keeps TSan silent is seen by leaving them out, which tests/lint/rcu_toy.sh does: it
 * reports a data race between sum() and wipe() and exits 66:
 *
 *   gcc -std=gnu11 -D_GNU_SOURCE -g -fsanitize=thread -DRCU_TOY_NO_ORDER -Isrc \
 *       tests/unit/base/test_rcu.c src/base/rcu.c -lcmocka -lurcu-qsbr -pthread -o toy && ./toy */
#include "base/rcu.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { READER_CNT = 2, WORD_CNT = 16, PUBLISH_CNT = 2000 };

struct block {
    uint64_t words[WORD_CNT]; /* all the same */
    struct rcu_deferred deferred;
};

static struct block *root;
static bool stop;
static unsigned bad_reads, wiped;
static uint64_t batches[READER_CNT];

static struct block *block_new(uint64_t value)
{
    struct block *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    for (unsigned i = 0; i < WORD_CNT; i++)
        b->words[i] = value;
    return b;
}

static void wipe(struct rcu_deferred *self)
{
    struct block *b = (struct block *)(void *)((char *)self - offsetof(struct block, deferred));
    for (unsigned i = 0; i < WORD_CNT; i++)
        b->words[i] = UINT64_MAX - i;
    free(b);
    wiped++; /* the reclaimer's, read after rcu_drain */
}

static void sum(void)
{
    const struct block *b = rcu_read(root);
    for (unsigned i = 1; i < WORD_CNT; i++)
        if (b->words[i] != b->words[0])
            __atomic_fetch_add(&bad_reads, 1, __ATOMIC_RELAXED);
}

/* The life of a worker: batches with a quiescent state in between, now and then a blocking call. */
static void *read_blocks(void *arg)
{
    uint64_t *mine = arg;
    rcu_reader_start();
    for (uint64_t n = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); n++) {
        sum();
        __atomic_store_n(mine, n, __ATOMIC_RELAXED);
        if (n % 64) {
            rcu_reader_quiescent();
            continue;
        }
        rcu_reader_offline();
        nanosleep(&(struct timespec){0, 50000}, NULL);
        rcu_reader_online();
    }
    rcu_reader_stop();
    return NULL;
}

static void test_readers_never_see_what_was_freed(void **state)
{
    (void)state;
    pthread_t readers[READER_CNT];
    root = block_new(0);
    stop = false;
    wiped = 0;
    for (unsigned i = 0; i < READER_CNT; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_blocks, &batches[i]), 0);
    for (unsigned i = 0; i < READER_CNT; i++)
        while (!__atomic_load_n(&batches[i], __ATOMIC_RELAXED))
            nanosleep(&(struct timespec){0, 20000}, NULL); /* all have begun */
    for (unsigned n = 1; n <= PUBLISH_CNT; n++) {
        struct block *old = root;
        rcu_publish(root, block_new(n));
        rcu_defer(&old->deferred, wipe);
        if (n % 16 == 0)
            nanosleep(&(struct timespec){0, 20000}, NULL);
    }
    rcu_drain();
    assert_int_equal(wiped, PUBLISH_CNT);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READER_CNT; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    assert_int_equal(bad_reads, 0);
    free(root);
}

static bool gate_open, holding;
static unsigned held_value;

static void *hold_block(void *arg)
{
    (void)arg;
    rcu_reader_start();
    const struct block *b = rcu_read(root);
    __atomic_store_n(&holding, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&gate_open, __ATOMIC_RELAXED))
        nanosleep(&(struct timespec){0, 1000000}, NULL); /* blocks online, as no worker may: that is the point here */
    held_value = (unsigned)b->words[3];
    rcu_reader_stop();
    return NULL;
}

/* A reader that never says it is done keeps what it holds alive. */
static void test_a_reader_holds_what_it_read(void **state)
{
    (void)state;
    pthread_t reader;
    root = block_new(7);
    gate_open = holding = false;
    wiped = 0;
    assert_int_equal(pthread_create(&reader, NULL, hold_block, NULL), 0);
    while (!__atomic_load_n(&holding, __ATOMIC_ACQUIRE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    struct block *old = root;
    rcu_publish(root, block_new(8));
    rcu_defer(&old->deferred, wipe);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    __atomic_store_n(&gate_open, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(held_value, 7);
    rcu_drain();
    assert_int_equal(wiped, 1);
    free(root);
}

static bool saw_signals_blocked;

static void look_at_mask(struct rcu_deferred *self)
{
    sigset_t mask;
    (void)self;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    saw_signals_blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
}

static void test_the_reclaimer_takes_no_signals(void **state)
{
    (void)state;
    struct rcu_deferred d;
    rcu_defer(&d, look_at_mask);
    rcu_drain();
    assert_true(saw_signals_blocked);
}

static void test_drain_without_anything_deferred(void **state)
{
    (void)state;
    rcu_drain();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_without_anything_deferred),
        cmocka_unit_test(test_readers_never_see_what_was_freed),
        cmocka_unit_test(test_a_reader_holds_what_it_read),
        cmocka_unit_test(test_the_reclaimer_takes_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
