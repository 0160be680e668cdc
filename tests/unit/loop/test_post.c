/* post, grace and job: what comes from other threads runs on the loop, in order and in slices. */
#include "loop/post.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "loop/grace.h"
#include "loop/job.h"

struct fixture {
    uv_loop_t loop;
    struct post *post;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    if (uv_loop_init(&f->loop))
        return -1;
    f->post = post_open(&f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    post_close(f->post);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&f->loop);
    free(f);
    return err;
}

/* ---- post */

/* Whoever wants one hears of it; nothing but the daemon ends the process. */
static void test_no_descriptor_left(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int first_free = dup(0);
    assert_true(first_free >= 0);
    close(first_free);
    none = (struct rlimit){(rlim_t)first_free, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct post *post = post_open(&f->loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_null(post);
}

enum { SENDER_CNT = 4, ITEM_CNT = 1000 };

struct numbered {
    struct post_item item;
    unsigned sender, number;
};
static unsigned next_number[SENDER_CNT], arrived_cnt;
static pthread_t loop_thread;

static void note_number(struct post_item *item)
{
    struct numbered *n = (struct numbered *)(void *)item;
    assert_int_equal(n->number, next_number[n->sender]);
    assert_true(pthread_equal(pthread_self(), loop_thread));
    next_number[n->sender]++;
    arrived_cnt++;
    free(n);
}

struct sender {
    pthread_t thread;
    struct post *post;
    unsigned id;
};

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    for (unsigned i = 0; i < ITEM_CNT; i++) {
        struct numbered *n = mem_zalloc(1, sizeof *n);
        n->sender = sender->id;
        n->number = i;
        post_send(sender->post, &n->item, note_number);
    }
    return NULL;
}

static void test_all_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    struct sender senders[SENDER_CNT];
    loop_thread = pthread_self();
    for (unsigned i = 0; i < SENDER_CNT; i++) {
        senders[i].post = f->post;
        senders[i].id = i;
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    while (arrived_cnt < SENDER_CNT * ITEM_CNT)
        uv_run(&f->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < SENDER_CNT; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
}

/* Each item takes 1 ms of the faked clock: no round of the loop may work off more than two. */
enum { SLOW_CNT = 7 };
static struct post_item slow_items[SLOW_CNT];
static uint64_t faked_us;
static unsigned slow_cnt;

static void take_time(struct post_item *item)
{
    (void)item;
    faked_us += 1000;
    clock_fake_us(faked_us);
    slow_cnt++;
}

static void test_slices(void **state)
{
    struct fixture *f = *state;
    faked_us = 1000000;
    clock_fake_us(faked_us);
    for (unsigned i = 0; i < SLOW_CNT; i++)
        post_send(f->post, &slow_items[i], take_time);
    for (unsigned before = 0; slow_cnt < SLOW_CNT; before = slow_cnt) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_in_range(slow_cnt - before, 1, 2);
    }
    clock_fake_us(UINT64_MAX);
}

static struct post *again_post;
static struct post_item again_item;
static unsigned again_cnt;

static void post_again(struct post_item *item)
{
    if (++again_cnt < 3)
        post_send(again_post, item, post_again);
}

static void test_run_all(void **state)
{
    struct fixture *f = *state;
    again_post = f->post;
    post_send(f->post, &again_item, post_again);
    post_run_all(f->post);
    assert_int_equal(again_cnt, 3);
}

/* ---- grace */

static unsigned grace_cnt;

static void note_grace(struct grace *grace)
{
    (void)grace;
    assert_true(pthread_equal(pthread_self(), loop_thread));
    grace_cnt++;
}

/* This thread is a reader here: while it is inside, nothing may end. */
static void test_grace_waits_for_readers(void **state)
{
    struct fixture *f = *state;
    struct grace grace;
    loop_thread = pthread_self();
    rcu_reader_start();
    grace_after(&grace, f->post, note_grace);
    for (int i = 0; i < 20; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    assert_int_equal(grace_cnt, 0);
    rcu_reader_stop();
    while (!grace_cnt)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(grace_cnt, 1);
}

static void test_grace_drained(void **state)
{
    struct fixture *f = *state;
    struct grace grace;
    loop_thread = pthread_self();
    unsigned before = grace_cnt;
    grace_after(&grace, f->post, note_grace);
    rcu_drain();
    post_run_all(f->post);
    assert_int_equal(grace_cnt, before + 1);
}

/* ---- job */

struct sum {
    struct job job;
    unsigned value;
    bool elsewhere, done;
};

static void work(struct job *job)
{
    struct sum *sum = (struct sum *)(void *)job;
    sum->elsewhere = !pthread_equal(pthread_self(), loop_thread);
    sum->value++;
}

static void done(struct job *job)
{
    struct sum *sum = (struct sum *)(void *)job;
    assert_true(pthread_equal(pthread_self(), loop_thread));
    sum->done = true;
}

static void test_job(void **state)
{
    struct fixture *f = *state;
    struct sum sum = {.value = 1};
    loop_thread = pthread_self();
    job_run(&f->loop, &sum.job, work, done);
    while (!sum.done)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(sum.value, 2);
    assert_true(sum.elsewhere);
}

static void test_pool_size(void **state)
{
    (void)state;
    job_pool_size();
    const char *size = getenv("UV_THREADPOOL_SIZE");
    assert_non_null(size);
    assert_true(atoi(size) >= JOB_POOL_LEAST);
    assert_in_range(job_pool_share(), 2, 8);
    assert_true(job_pool_share() <= (unsigned)atoi(size) - 2);
}

#define story(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_size),
        story(test_no_descriptor_left),
        story(test_all_arrive_in_order),
        story(test_slices),
        story(test_run_all),
        story(test_grace_waits_for_readers),
        story(test_grace_drained),
        story(test_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
