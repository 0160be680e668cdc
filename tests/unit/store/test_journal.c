/* The journal thread: batches become durable in order, failures are told to those concerned and to nobody else. Also
 * run under TSan. */
#include "store/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

struct fixture {
    uv_loop_t loop;
    char dir[64], path[80];
    struct journal *journal;
    uint64_t told, failed_cnt; /* the last number; how many failed */
    unsigned again;            /* batches that the next ones told of hand in */
};

static void start(struct fixture *f)
{
    struct lmdb *lmdb;
    char why[LMDB_WHY_MAX];
    assert_int_equal(lmdb_open(&lmdb, f->path, why), ERR_OK);
    assert_int_equal(journal_open(&f->journal, &f->loop, &lmdb), ERR_OK);
    assert_null(lmdb);
}

static void stop(struct fixture *f)
{
    journal_close(f->journal);
    f->journal = NULL;
    uv_run(&f->loop, UV_RUN_DEFAULT);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/rondo-journal-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/db", f->dir);
    uv_loop_init(&f->loop);
    log_set_level(LOG_LEVEL_ERROR);
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char lock[96];
    stop(f);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    snprintf(lock, sizeof lock, "%s-lock", f->path);
    unlink(f->path);
    unlink(lock);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void put(struct fixture *f, unsigned key, const char *value);

static void on_done(void *arg, uint64_t number, const char *why)
{
    struct fixture *f = arg;
    assert_int_equal(number, f->told + 1); /* in order, each once */
    f->told = number;
    f->failed_cnt += why != NULL;
    if (f->again) {
        f->again--;
        put(f, 1000 + (unsigned)number, "again");
    }
}

static void put(struct fixture *f, unsigned key, const char *value)
{
    struct journal_batch *batch = journal_batch_new();
    journal_batch_put(batch, "numbers", &key, sizeof key, value, strlen(value));
    journal_write(f->journal, &batch, on_done, f);
    assert_null(batch);
}

static void wait_all(struct fixture *f)
{
    while (journal_pending(f->journal))
        uv_run(&f->loop, UV_RUN_ONCE);
}

struct found {
    unsigned cnt, sum;
};

static void note(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct found *found = arg;
    unsigned number;
    (void)value;
    (void)value_len;
    assert_int_equal(key_len, sizeof number);
    memcpy(&number, key, sizeof number);
    found->cnt++;
    found->sum += number;
}

/* What is in the file, once the journal has ended. */
static struct found read_all(struct fixture *f)
{
    struct found found = {0};
    struct lmdb *lmdb;
    char why[LMDB_WHY_MAX];
    stop(f);
    assert_int_equal(lmdb_open(&lmdb, f->path, why), ERR_OK);
    assert_int_equal(lmdb_each(lmdb, "numbers", note, &found, why), ERR_OK);
    lmdb_close(lmdb);
    return found;
}

static void all_become_durable_in_order(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 500; i++) {
        put(f, i, "x");
        if (i % 100 == 0)
            uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    wait_all(f);
    assert_int_equal(f->told, 500);
    assert_int_equal(f->failed_cnt, 0);
    struct found found = read_all(f);
    assert_int_equal(found.cnt, 500);
    assert_int_equal(found.sum, 500 * 501 / 2);
}

static void the_end_waits_for_all(void **state)
{
    struct fixture *f = *state;
    f->again = 3;
    for (unsigned i = 1; i <= 50; i++)
        put(f, i, "x");
    struct found found = read_all(f);
    assert_int_equal(f->told, 53);
    assert_int_equal(found.cnt, 53);
}

static void puts_and_deletes_happen_in_order(void **state)
{
    struct fixture *f = *state;
    struct journal_batch *batch = journal_batch_new();
    for (unsigned key = 1; key <= 3; key++) {
        journal_batch_put(batch, "numbers", &key, sizeof key, "", 0);
        journal_batch_delete(batch, "numbers", &key, sizeof key);
    }
    unsigned last = 3;
    journal_batch_put(batch, "numbers", &last, sizeof last, "x", 1);
    assert_int_equal(journal_batch_cnt(batch), 7);
    journal_write(f->journal, &batch, NULL, NULL);
    struct found found = read_all(f);
    assert_int_equal(found.cnt, 1);
    assert_int_equal(found.sum, 3);
}

static void a_batch_that_is_not_handed_in_is_freed(void **state)
{
    (void)state;
    struct journal_batch *batch = journal_batch_new();
    journal_batch_put(batch, "numbers", "k", 1, "v", 1);
    journal_batch_free(batch);
    journal_batch_free(NULL);
}

/* ---- a full disk */

static struct rlimit limit_before;

static void fill_disk(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit_before);
    limit = (struct rlimit){bytes, limit_before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void empty_disk(void) { setrlimit(RLIMIT_FSIZE, &limit_before); }

static void put_large(struct fixture *f, unsigned key)
{
    static char large[200 * 1000];
    struct journal_batch *batch = journal_batch_new();
    journal_batch_put(batch, "numbers", &key, sizeof key, large, sizeof large);
    journal_write(f->journal, &batch, on_done, f);
}

/* The first fits, the second does not, and those behind it, which would fit, may build on it. */
static void a_failure_takes_those_behind_it(void **state)
{
    struct fixture *f = *state;
    int null = open("/dev/null", O_WRONLY), error = dup(STDERR_FILENO);
    put(f, 1, "x");
    wait_all(f);
    fill_disk(100 * 1000);
    dup2(null, STDERR_FILENO);
    put(f, 2, "x");
    put_large(f, 3);
    put(f, 4, "x");
    put(f, 5, "x");
    wait_all(f);
    assert_int_equal(f->told, 5);
    assert_int_equal(f->failed_cnt, 3);
    put(f, 6, "x"); /* whoever hands this in has heard of it */
    wait_all(f);
    assert_int_equal(f->failed_cnt, 3);
    put_large(f, 7);
    wait_all(f);
    assert_int_equal(f->failed_cnt, 4);
    empty_disk();
    put_large(f, 8);
    wait_all(f);
    dup2(error, STDERR_FILENO);
    close(null);
    close(error);
    assert_int_equal(f->failed_cnt, 4);
    struct found found = read_all(f);
    assert_int_equal(found.cnt, 4);
    assert_int_equal(found.sum, 1 + 2 + 6 + 8);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_become_durable_in_order),
        CASE(the_end_waits_for_all),
        CASE(puts_and_deletes_happen_in_order),
        CASE(a_batch_that_is_not_handed_in_is_freed),
        CASE(a_failure_takes_those_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
