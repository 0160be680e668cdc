/* The file of databases: what is written is there again, what can't be written changes nothing, what is damaged or
 * another's is refused and left as it was. Also run under TSan. */
#include "store/lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>

#include "base/mem.h"

struct fixture {
    char dir[64], path[80];
    struct lmdb *lmdb;
    char why[LMDB_WHY_MAX];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/rondo-lmdb-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/db", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char lock[96];
    lmdb_close(f->lmdb);
    snprintf(lock, sizeof lock, "%s-lock", f->path);
    unlink(f->path);
    unlink(lock);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static void open_it(struct fixture *f)
{
    if (lmdb_open(&f->lmdb, f->path, f->why))
        fail_msg("%s", f->why);
}

static void reopen(struct fixture *f)
{
    lmdb_close(f->lmdb);
    open_it(f);
}

/* ---- writing and reading */

struct pairs {
    const char *database, *key, *value; /* value NULL: delete */
};

static void fill(void *arg, struct lmdb_write *write)
{
    for (const struct pairs *pair = arg; pair->database; pair++)
        if (pair->value)
            lmdb_put(write, pair->database, pair->key, strlen(pair->key), pair->value, strlen(pair->value));
        else
            lmdb_delete(write, pair->database, pair->key, strlen(pair->key));
}

static void note(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    char *text = arg;
    sprintf(text + strlen(text), "%.*s=%.*s ", (int)key_len, (const char *)key, (int)value_len, (const char *)value);
}

static const char *all(struct fixture *f, const char *database)
{
    static char text[256];
    text[0] = '\0';
    assert_int_equal(lmdb_each(f->lmdb, database, note, text, f->why), ERR_OK);
    return text;
}

static void what_is_written_is_there_again(void **state)
{
    struct fixture *f = *state;
    const struct pairs first[] = {{"a", "2", "two"}, {"a", "1", "one"}, {"b", "1", ""}, {"a", "3", "x"}, {NULL}};
    const struct pairs second[] = {{"a", "2", NULL}, {"a", "9", NULL}, {"c", "1", NULL}, {"a", "1", "uno"}, {NULL}};
    open_it(f);
    assert_string_equal(all(f, "a"), "");
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)first, f->why), ERR_OK);
    assert_string_equal(all(f, "a"), "1=one 2=two 3=x ");
    assert_string_equal(all(f, "b"), "1= ");
    reopen(f);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)second, f->why), ERR_OK);
    reopen(f);
    assert_string_equal(all(f, "a"), "1=uno 3=x ");
    assert_string_equal(all(f, "c"), "");
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* More than the first map, with values of more than a page. */
enum { LARGE = 100 * 1000, LARGE_CNT = 250 };
static char large[LARGE];

static void fill_large(void *arg, struct lmdb_write *write)
{
    (void)arg;
    for (unsigned i = 0; i < LARGE_CNT; i++)
        lmdb_put(write, "large", &i, sizeof i, large, sizeof large);
}

static void count(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    (void)key;
    assert_int_equal(key_len, sizeof(unsigned));
    assert_int_equal(value_len, LARGE);
    assert_memory_equal(value, large, LARGE);
    ++*(unsigned *)arg;
}

static void it_grows(void **state)
{
    struct fixture *f = *state;
    unsigned cnt = 0;
    memset(large, 'x', sizeof large);
    open_it(f);
    assert_int_equal(lmdb_write(f->lmdb, fill_large, NULL, f->why), ERR_OK);
    reopen(f);
    assert_int_equal(lmdb_write(f->lmdb, fill_large, NULL, f->why), ERR_OK);
    assert_int_equal(lmdb_each(f->lmdb, "large", count, &cnt, f->why), ERR_OK);
    assert_int_equal(cnt, LARGE_CNT);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct pairs pairs[] = {{"a", "1", "one"}, {NULL}}, more[] = {{"a", "2", "two"}, {NULL}};
    struct rlimit before, limit;
    open_it(f);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){1 << 20, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lmdb_write(f->lmdb, fill_large, NULL, f->why), ERR_IO);
        assert_true(!strcmp(f->why, strerror(EFBIG)) || !strcmp(f->why, strerror(EIO))); /* EIO: a part was taken */
        assert_string_equal(all(f, "a"), "1=one ");
        assert_string_equal(all(f, "large"), "");
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)more, f->why), ERR_OK);
    reopen(f);
    assert_string_equal(all(f, "a"), "1=one 2=two ");
}

/* ---- walks, ranges, reading beside writing */

struct noted {
    char text[256];
    unsigned left; /* so many are enough */
};

static bool note_some(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct noted *noted = arg;
    note(noted->text, key, key_len, value, value_len);
    return --noted->left;
}

static void expect_walk(struct fixture *f, struct lmdb_read *read, bool is_down, const char *from, unsigned most,
                        const char *want)
{
    struct noted noted = {"", most};
    enum err err = is_down ? lmdb_read_down(read, "a", from, strlen(from), note_some, &noted, f->why)
                           : lmdb_read_up(read, "a", from, strlen(from), note_some, &noted, f->why);
    assert_int_equal(err, ERR_OK);
    assert_string_equal(noted.text, want);
}

static void walks_begin_anywhere(void **state)
{
    struct fixture *f = *state;
    const struct pairs pairs[] = {{"a", "b", "1"}, {"a", "bb", "2"}, {"a", "d", "3"}, {"b", "c", "4"}, {NULL}};
    struct lmdb_read *read;
    open_it(f);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
    assert_int_equal(lmdb_read_begin(&read, f->lmdb, f->why), ERR_OK);
    expect_walk(f, read, false, "", 9, "b=1 bb=2 d=3 ");
    expect_walk(f, read, false, "b", 2, "b=1 bb=2 ");
    expect_walk(f, read, false, "ba", 9, "bb=2 d=3 ");
    expect_walk(f, read, false, "e", 9, "");
    expect_walk(f, read, true, "e", 9, "d=3 bb=2 b=1 ");
    expect_walk(f, read, true, "d", 1, "d=3 ");
    expect_walk(f, read, true, "c", 9, "bb=2 b=1 ");
    expect_walk(f, read, true, "a", 9, "");
    lmdb_read_end(read);
}

static void fill_range(void *arg, struct lmdb_write *write)
{
    const char *const *ends = arg;
    lmdb_delete_range(write, "a", ends[0], strlen(ends[0]), ends[1], strlen(ends[1]));
    lmdb_delete_range(write, "none", ends[0], strlen(ends[0]), ends[1], strlen(ends[1]));
}

static void ranges_are_deleted(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *first, *last, *left;
    } rows[] = {
        {"b", "d", "a=1 da=5 e=6 "}, {"0", "9", "a=1 b=2 c=3 d=4 da=5 e=6 "}, {"bb", "cc", "a=1 b=2 d=4 da=5 e=6 "},
        {"d", "z", "a=1 b=2 c=3 "}, {"a", "e", ""}, {"d", "b", "a=1 b=2 c=3 d=4 da=5 e=6 "},
        {"c", "c", "a=1 b=2 d=4 da=5 e=6 "},
    };
    const struct pairs pairs[] = {{"a", "a", "1"}, {"a", "b", "2"}, {"a", "c", "3"}, {"a", "d", "4"},
                                  {"a", "da", "5"}, {"a", "e", "6"}, {NULL}};
    open_it(f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const ends[] = {rows[i].first, rows[i].last};
        assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
        assert_int_equal(lmdb_write(f->lmdb, fill_range, (void *)(uintptr_t)ends, f->why), ERR_OK);
        assert_string_equal(all(f, "a"), rows[i].left);
    }
}

/* What a reader began with stays, whatever is written meanwhile. */
static void a_reader_sees_one_moment(void **state)
{
    struct fixture *f = *state;
    const struct pairs first[] = {{"a", "1", "one"}, {NULL}}, second[] = {{"a", "1", "uno"}, {"a", "2", "due"}, {NULL}};
    struct lmdb_read *read;
    open_it(f);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)first, f->why), ERR_OK);
    assert_int_equal(lmdb_read_begin(&read, f->lmdb, f->why), ERR_OK);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)second, f->why), ERR_OK);
    expect_walk(f, read, false, "", 9, "1=one ");
    lmdb_read_end(read);
    assert_string_equal(all(f, "a"), "1=uno 2=due ");
}

enum { READERS = 3, TURNS = 16 };

struct beside {
    struct fixture *f;
    bool stop;         /* atomic */
    unsigned read_cnt; /* atomic */
};

static bool check_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    unsigned *cnt = arg;
    (void)key;
    *cnt += key_len == sizeof(unsigned) && value_len == LARGE && value[0] == 'x' && value[LARGE - 1] == 'x';
    return true;
}

/* All of the large values or none; NULL: so it was. */
static void *read_on(void *arg)
{
    struct beside *b = arg;
    char why[LMDB_WHY_MAX];
    while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
        struct lmdb_read *read;
        unsigned cnt = 0;
        enum err err = lmdb_read_begin(&read, b->f->lmdb, why);
        if (!err)
            err = lmdb_read_up(read, "large", NULL, 0, check_one, &cnt, why);
        lmdb_read_end(read);
        if (err || (cnt && cnt != LARGE_CNT))
            return mem_printf("%u values: %s", cnt, err ? why : "");
        __atomic_fetch_add(&b->read_cnt, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* The file grows, writes fail and it is opened anew, databases come: readers notice nothing. */
static void others_read_while_it_is_written(void **state)
{
    struct fixture *f = *state;
    struct beside b = {.f = f};
    pthread_t readers[READERS];
    struct rlimit before, limit;
    memset(large, 'x', sizeof large);
    open_it(f);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &b), 0);
    for (unsigned i = 0; i < TURNS; i++) {
        char name[16];
        const struct pairs pairs[] = {{i % 8 == 7 ? name : "a", "k", "v"}, {NULL}};
        snprintf(name, sizeof name, "more-%u", i);
        limit = (struct rlimit){i < TURNS / 2 ? 1 << 20 : before.rlim_cur, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        enum err err = i % 4 == 3 ? lmdb_write(f->lmdb, fill_large, NULL, f->why) : ERR_OK;
        assert_int_equal(err, i % 4 == 3 && i < TURNS / 2 ? ERR_IO : ERR_OK);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
    }
    __atomic_store_n(&b.stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS; i++) {
        char *wrong;
        assert_int_equal(pthread_join(readers[i], (void **)&wrong), 0);
        if (wrong)
            fail_msg("%s", wrong);
    }
    assert_true(b.read_cnt > 0);
}

/* ---- files that are none */

static void write_file(struct fixture *f, const void *bytes, size_t len)
{
    int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
}

static size_t read_file(struct fixture *f, uint8_t **bytes)
{
    struct stat st;
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    *bytes = mem_zalloc((size_t)st.st_size, 1);
    assert_int_equal(read(fd, *bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    return (size_t)st.st_size;
}

static void expect_refused(struct fixture *f)
{
    uint8_t *before, *after;
    size_t len = read_file(f, &before);
    assert_int_equal(lmdb_open(&f->lmdb, f->path, f->why), ERR_INVALID);
    assert_null(f->lmdb);
    assert_true(strlen(f->why) > 0);
    assert_int_equal(read_file(f, &after), len);
    assert_memory_equal(after, before, len);
    free(before);
    free(after);
}

static void a_foreign_file_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[9000];
    memset(text, 'x', sizeof text);
    write_file(f, text, sizeof text);
    expect_refused(f);
    write_file(f, text, 10);
    expect_refused(f);
}

static void an_empty_file_is_ours(void **state)
{
    struct fixture *f = *state;
    write_file(f, "", 0);
    open_it(f);
    assert_string_equal(all(f, "a"), "");
}

/* LMDB, but not of rondo; then of another rondo. */
static void write_foreign(struct fixture *f, const char *database, const char *key, const void *value, size_t len)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {len, (void *)(uintptr_t)value};
    unlink(f->path);
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 4);
    assert_int_equal(mdb_env_open(env, f->path, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, database, MDB_CREATE, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void another_programs_databases_are_refused(void **state)
{
    struct fixture *f = *state;
    write_foreign(f, "mails", "1", "hello", 5);
    expect_refused(f);
    assert_non_null(strstr(f->why, "another program"));
    write_foreign(f, "rondo", "format", "\0\0\0\2", 4);
    expect_refused(f);
    assert_non_null(strstr(f->why, "another version"));
    write_foreign(f, "rondo", "format", "\0\0\0\1", 4);
    open_it(f);
}

/* Any byte of the pages may be any other: it is opened or refused, and never ends us; nor does reading it. */
static void damage_never_kills(void **state)
{
    struct fixture *f = *state;
    const struct pairs pairs[] = {{"a", "1", "one"}, {"a", "2", "two"}, {"b", "1", "x"}, {NULL}};
    uint8_t *good;
    unsigned refused = 0;
    open_it(f);
    assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
    lmdb_close(f->lmdb);
    f->lmdb = NULL;
    size_t len = read_file(f, &good);
    srand(7);
    for (int i = 0; i < 40; i++) {
        uint8_t *bad = mem_dup(good, len);
        for (int k = 0; k < 200; k++)
            bad[(size_t)rand() % len] = (uint8_t)rand();
        write_file(f, bad, len);
        free(bad);
        enum err err = lmdb_open(&f->lmdb, f->path, f->why);
        if (err && err != ERR_INVALID)
            fail_msg("%s", f->why);
        refused += err == ERR_INVALID;
        if (!err) {
            char text[4096] = "";
            assert_int_equal(lmdb_each(f->lmdb, "none", note, text, f->why), ERR_OK);
        }
        lmdb_close(f->lmdb);
        f->lmdb = NULL;
    }
    assert_true(refused > 20);
    for (size_t cut = 0; cut < len; cut += 4096) { /* SIGBUS, to who reads on */
        write_file(f, good, cut);
        enum err err = lmdb_open(&f->lmdb, f->path, f->why);
        assert_true(err == ERR_OK || err == ERR_INVALID);
        lmdb_close(f->lmdb);
        f->lmdb = NULL;
    }
    free(good);
}

/* The records are sound, but not what is said of pages that are free: LMDB looks at that when it writes. */
static void damage_of_free_pages_never_kills(void **state)
{
    enum { COMMITS = 12, ROUNDS = 100 };
    struct fixture *f = *state;
    const struct pairs pairs[] = {{"a", "1", "one"}, {"a", "2", "two"}, {"b", "1", "x"}, {NULL}};
    uint8_t *good;
    unsigned opened = 0;
    open_it(f);
    for (int i = 0; i < COMMITS; i++)
        assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
    lmdb_close(f->lmdb);
    f->lmdb = NULL;
    size_t len = read_file(f, &good);
    srand(11);
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *bad = mem_dup(good, len);
        for (int k = 0; k < 4; k++) { /* numbers, among which those of free pages are */
            size_t at = (size_t)rand() % len & ~(size_t)7;
            bad[at] = bad[at] ? (uint8_t)(rand() & 7) : 0;
            if (rand() % 4 == 0)
                bad[at + 5] = bad[at + 5] ? 0 : 1;
        }
        write_file(f, bad, len);
        free(bad);
        enum err err = lmdb_open(&f->lmdb, f->path, f->why);
        for (int k = 0; k < COMMITS && !err; k++)
            assert_int_equal(lmdb_write(f->lmdb, fill, (void *)(uintptr_t)pairs, f->why), ERR_OK);
        opened += !err;
        lmdb_close(f->lmdb);
        f->lmdb = NULL;
    }
    assert_true(opened > ROUNDS / 10);
    free(good);
}

static void what_cannot_be_opened_is_told(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/none/db", f->dir);
    assert_int_equal(lmdb_open(&f->lmdb, path, f->why), ERR_IO);
    assert_string_equal(f->why, strerror(ENOENT));
    assert_int_equal(lmdb_open(&f->lmdb, f->dir, f->why), ERR_INVALID);
    assert_string_equal(f->why, "it is no regular file");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_written_is_there_again),
        CASE(it_grows),
        CASE(what_does_not_fit_changes_nothing),
        CASE(walks_begin_anywhere),
        CASE(ranges_are_deleted),
        CASE(a_reader_sees_one_moment),
        CASE(others_read_while_it_is_written),
        CASE(a_foreign_file_is_refused),
        CASE(an_empty_file_is_ours),
        CASE(another_programs_databases_are_refused),
        CASE(damage_never_kills),
        CASE(damage_of_free_pages_never_kills),
        CASE(what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
