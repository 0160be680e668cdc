/* Histories in the journal: what is appended is read back in order and since a serial, dropping stops at the
 * checkpoint, zones do not touch each other, and all of it goes on in other threads while the journal writes. Also run
 * under TSan. */
#include "history_rig.h"

#include <pthread.h>
#include <uv.h>

#include "store/history.h"
#include "store/snapshot.h"

static const uint8_t below_apex[] = "\1a\7example\3com", near_apex[] = "\7example\3con";

struct fixture {
    uv_loop_t loop;
    struct folder folder;
    struct journal *journal;
    struct lmdb *lmdb; /* the journal's */
    char why[HISTORY_WHY_MAX];
    uint64_t failed_cnt;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    char *path;
    folder_make(&f->folder);
    path = mem_printf("%s/db", f->folder.path);
    uv_loop_init(&f->loop);
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(lmdb_open(&f->lmdb, path, f->why), ERR_OK);
    assert_int_equal(journal_open(&f->journal, &f->loop, &f->lmdb), ERR_OK);
    f->lmdb = journal_lmdb(f->journal);
    free(path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    journal_close(f->journal);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    folder_remove(f->folder.path);
    free(f);
    return 0;
}

static void on_done(void *arg, uint64_t number, const char *why)
{
    struct fixture *f = arg;
    (void)number;
    f->failed_cnt += why != NULL;
}

static void hand_in(struct fixture *f, struct journal_batch *batch)
{
    journal_write(f->journal, &batch, on_done, f);
}

static void wait_all(struct fixture *f)
{
    while (journal_pending(f->journal))
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_int_equal(f->failed_cnt, 0);
}

/* A changeset between these serials, with something of its own in it. */
static struct changeset *make_changes(const uint8_t *apex, uint32_t from, uint32_t to)
{
    char name[NAME_TEXT_MAX], removed[300], added[600];
    struct changeset *changes = mem_zalloc(1, sizeof *changes);
    name_to_text(name, apex);
    snprintf(removed, sizeof removed, "%.99s 60 SOA %u 60\n", name, from);
    snprintf(added, sizeof added, "%.99s 60 SOA %u 60\nx%u.%.99s 60 A 1\n", name, to, to, name);
    changes->removed = records_within(apex, removed);
    changes->added = records_within(apex, added);
    changes->serial_from = from;
    changes->serial_to = to;
    return changes;
}

static void append(struct fixture *f, const uint8_t *apex, struct history_zone *zone, uint32_t to)
{
    struct journal_batch *batch = journal_batch_new();
    struct changeset *changes = make_changes(apex, zone->serial, to);
    history_append(batch, apex, zone, changes, 1000 + to);
    changeset_free(changes);
    hand_in(f, batch);
}

/* "1-2 2-3" */
static const char *describe_list(const struct history_list *list)
{
    static char text[300];
    int len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < list->cnt; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%u-%u", i ? " " : "", list->changes[i]->serial_from,
                        list->changes[i]->serial_to);
    return text;
}

static void expect_read(struct fixture *f, uint64_t from, uint64_t to, size_t most, const char *want)
{
    struct history_list list;
    enum err err = history_read(&list, f->lmdb, test_apex, &test_key, from, to, most, f->why);
    assert_string_equal(err ? f->why : describe_list(&list), want);
    history_list_fini(&list);
}

static void expect_since(struct fixture *f, uint32_t serial, uint64_t to, size_t most, enum err err, const char *want)
{
    struct history_list list;
    assert_int_equal(history_read_since(&list, f->lmdb, test_apex, &test_key, serial, to, most, f->why), err);
    assert_string_equal(err ? f->why : describe_list(&list), want);
    history_list_fini(&list);
}

static void changes_are_read_back(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 10}, below = {.serial = 500}, near = {.serial = 600};
    enum { ALL = 1 << 20 };
    for (uint32_t i = 1; i <= 5; i++) {
        append(f, test_apex, &zone, 10 + i);
        append(f, below_apex, &below, 500 + i);
        append(f, near_apex, &near, 600 + i);
    }
    wait_all(f);
    assert_int_equal(zone.seq, 5);
    assert_int_equal(zone.serial, 15);
    expect_read(f, 1, 5, ALL, "10-11 11-12 12-13 13-14 14-15");
    expect_read(f, 2, 4, ALL, "11-12 12-13 13-14");
    expect_read(f, 4, 6, ALL, "changeset 6 is not in the journal");
    expect_read(f, 0, 3, ALL, "changeset 0 is not in the journal");
    expect_read(f, 1, 5, 0, "10-11"); /* one in any case */
    struct history_list list;
    assert_int_equal(history_read(&list, f->lmdb, test_apex, &test_key, 1, 5, ALL, f->why), ERR_OK);
    size_t one = list.bytes / 5, cnt, bytes, whole = list.bytes;
    history_list_fini(&list);
    expect_read(f, 1, 5, 3 * one, "10-11 11-12 12-13");
    assert_int_equal(history_measure(&cnt, &bytes, f->lmdb, test_apex, 1, f->why), ERR_OK);
    assert_int_equal(cnt, 5);
    assert_int_equal(bytes, whole);
    assert_int_equal(history_measure(&cnt, &bytes, f->lmdb, test_apex, 5, f->why), ERR_OK);
    assert_int_equal(cnt, 1);
    expect_since(f, 12, 5, ALL, ERR_OK, "12-13 13-14 14-15");
    expect_since(f, 12, 4, ALL, ERR_OK, "12-13 13-14"); /* up to the version that is sent */
    expect_since(f, 10, 5, whole, ERR_OK, "10-11 11-12 12-13 13-14 14-15");
    expect_since(f, 10, 5, whole - 1, ERR_LIMIT, "the changes since serial 10 are too large");
    expect_since(f, 9, 5, ALL, ERR_NOT_FOUND, "there are no changes since serial 9");
    expect_since(f, 12, 6, ALL, ERR_NOT_FOUND, "there are no changes since serial 12");
}

/* Round the wrap, and round it a second time: the way from where the serial was last. */
static void serials_wrap(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = UINT32_MAX - 1};
    static const uint32_t serials[] = {UINT32_MAX, 0, 1, 1u << 31, UINT32_MAX, 0, 2};
    for (size_t i = 0; i < sizeof serials / sizeof *serials; i++)
        append(f, test_apex, &zone, serials[i]);
    wait_all(f);
    expect_since(f, UINT32_MAX, 7, 10000, ERR_OK, "4294967295-0 0-2");
    expect_since(f, 1, 7, 10000, ERR_OK, "1-2147483648 2147483648-4294967295 4294967295-0 0-2");
    expect_since(f, UINT32_MAX, 3, 10000, ERR_OK, "4294967295-0 0-1");
}

static void gaps_are_never_passed_over(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 1};
    uint8_t key[HISTORY_KEY_MAX];
    for (uint32_t i = 2; i <= 6; i++)
        append(f, test_apex, &zone, i);
    struct journal_batch *batch = journal_batch_new();
    journal_batch_delete(batch, "changes", key, history_key(key, test_apex, 3));
    hand_in(f, batch);
    wait_all(f);
    expect_read(f, 2, 5, 10000, "changeset 3 is not in the journal");
    expect_since(f, 4, 5, 10000, ERR_OK, "4-5 5-6");
    expect_since(f, 2, 5, 10000, ERR_NOT_FOUND, "there are no changes since serial 2");
    batch = journal_batch_new();
    zone.seq = 2; /* another history's */
    zone.serial = 77;
    struct changeset *changes = make_changes(test_apex, 77, 78);
    history_append(batch, test_apex, &zone, changes, 1);
    changeset_free(changes);
    journal_batch_put(batch, "changes", key, history_key(key, test_apex, 5), "\1\0\0\0\5\0\0\0\6", 9);
    hand_in(f, batch);
    wait_all(f);
    expect_read(f, 2, 4, 10000, "changeset 3 does not lead on from serial 3");
    expect_since(f, 3, 4, 10000, ERR_NOT_FOUND, "there are no changes since serial 3");
    expect_since(f, 4, 5, 10000, ERR_INVALID, "changeset 5 is damaged");
}

struct listing {
    char text[300];
};

static void note_entry(void *arg, const uint8_t *apex, const struct history_zone *zone)
{
    struct listing *l = arg;
    char name[NAME_TEXT_MAX];
    size_t len = strlen(l->text);
    if (zone)
        snprintf(l->text + len, sizeof l->text - len, "%s %u/%u/%u/%u ", name_to_text(name, apex), (unsigned)zone->seq,
                 zone->serial, (unsigned)zone->checkpoint_seq, (unsigned)zone->dropped_seq);
    else
        snprintf(l->text + len, sizeof l->text - len, "%s damaged ", name_to_text(name, apex));
}

static void expect_entries(struct fixture *f, const char *want, size_t want_bad_cnt)
{
    struct listing l = {""};
    size_t bad_cnt;
    assert_int_equal(history_each(f->lmdb, note_entry, &l, &bad_cnt, f->why), ERR_OK);
    assert_string_equal(l.text, want);
    assert_int_equal(bad_cnt, want_bad_cnt);
}

static size_t count(struct fixture *f, const uint8_t *apex)
{
    size_t cnt, bytes;
    assert_int_equal(history_measure(&cnt, &bytes, f->lmdb, apex, 0, f->why), ERR_OK);
    return cnt;
}

static void dropping_stops_at_the_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 1}, below = {.serial = 1};
    for (uint32_t i = 2; i <= 9; i++) {
        append(f, test_apex, &zone, i);
        append(f, below_apex, &below, i);
    }
    struct journal_batch *batch = journal_batch_new();
    history_drop(batch, test_apex, &zone, 8); /* no checkpoint so far: nothing may go */
    assert_int_equal(journal_batch_cnt(batch), 0);
    history_checkpoint(batch, test_apex, &zone, 6, 5);
    history_drop(batch, test_apex, &zone, 2);
    hand_in(f, batch);
    wait_all(f);
    expect_entries(f, "a.example.com. 8/9/0/0 example.com. 8/9/5/2 ", 0);
    expect_read(f, 3, 8, 10000, "3-4 4-5 5-6 6-7 7-8 8-9");
    expect_read(f, 2, 8, 10000, "changeset 2 is not in the journal");
    batch = journal_batch_new();
    history_drop(batch, test_apex, &zone, UINT64_MAX);
    hand_in(f, batch);
    wait_all(f);
    expect_entries(f, "a.example.com. 8/9/0/0 example.com. 8/9/5/5 ", 0);
    assert_int_equal(count(f, test_apex), 3);
    assert_int_equal(count(f, below_apex), 8);
}

static void a_zone_is_replaced_or_forgotten(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 1}, below = {.serial = 1};
    for (uint32_t i = 2; i <= 5; i++) {
        append(f, test_apex, &zone, i);
        append(f, below_apex, &below, i);
    }
    struct journal_batch *batch = journal_batch_new();
    history_replace(batch, test_apex, &zone, 70, 1);
    hand_in(f, batch);
    append(f, test_apex, &zone, 71);
    wait_all(f);
    expect_entries(f, "a.example.com. 4/5/0/0 example.com. 6/71/5/5 ", 0);
    expect_since(f, 70, 6, 10000, ERR_OK, "70-71");
    expect_since(f, 4, 6, 10000, ERR_NOT_FOUND, "there are no changes since serial 4");
    batch = journal_batch_new();
    history_forget(batch, below_apex);
    hand_in(f, batch);
    wait_all(f);
    expect_entries(f, "example.com. 6/71/5/5 ", 0);
    assert_int_equal(count(f, below_apex), 0);
    assert_int_equal(count(f, test_apex), 1);
}

static void damaged_entries_are_told(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 1};
    append(f, test_apex, &zone, 2);
    struct journal_batch *batch = journal_batch_new();
    journal_batch_put(batch, "zones", below_apex, sizeof below_apex, "nonsense", 8);
    journal_batch_put(batch, "zones", "no name", 7, "nonsense", 8);
    hand_in(f, batch);
    wait_all(f);
    expect_entries(f, "a.example.com. damaged example.com. 1/2/0/0 ", 1);
}

static void what_is_damaged_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct history_zone zone = {.serial = 1};
    char *path = snapshot_path(f->folder.path, test_apex), *name;
    append(f, test_apex, &zone, 2);
    for (int i = 0; i < 2; i++) { /* with a snapshot, and without */
        struct journal_batch *batch = journal_batch_new();
        if (!i)
            file_write(path, "x", 1);
        assert_int_equal(history_set_aside(batch, &name, f->folder.path, test_apex, f->why), ERR_OK);
        assert_int_equal(!name, i);
        assert_true(i || !access(name, F_OK));
        free(name);
        hand_in(f, batch);
        wait_all(f);
        expect_entries(f, "", 0);
        assert_int_equal(count(f, test_apex), 0);
    }
    free(path);
}

/* ---- reading while the journal writes */

enum { READERS = 4, WRITES = 30, LARGE = 600 * 1000 };

struct beside {
    struct fixture *f;
    uint32_t durable; /* atomic: changesets that are */
    bool stop;        /* atomic */
    unsigned read_cnt;
};

/* Sees what is durable, whole, and in order. */
static void *read_beside(void *arg)
{
    struct beside *b = arg;
    char why[HISTORY_WHY_MAX];
    while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
        uint32_t durable = __atomic_load_n(&b->durable, __ATOMIC_ACQUIRE);
        struct history_list list;
        if (!durable)
            continue;
        uint32_t serial = durable > 5 ? durable - 5 : 0;
        enum err err = history_read_since(&list, b->f->lmdb, test_apex, &test_key, serial, durable, SIZE_MAX, why);
        if (err || list.cnt != durable - serial || list.changes[0]->serial_from != serial ||
            list.changes[list.cnt - 1]->serial_to != durable)
            return mem_printf("%s: %s, %zu changes since %u to %u", err_text(err), err ? why : "", list.cnt, serial,
                              durable);
        history_list_fini(&list);
        __atomic_fetch_add(&b->read_cnt, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Large enough for the map to grow. */
static struct changeset *large_changes(uint32_t from)
{
    static uint8_t rdata[60000];
    struct changeset *changes = make_changes(test_apex, from, from + 1);
    uint8_t owner[NAME_MAX_LEN];
    put_wire(owner, "large");
    for (unsigned i = 0; i < LARGE / sizeof rdata; i++) {
        rdata[0] = (uint8_t)i;
        struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 1, .type = 65280, .rdata_len = sizeof rdata};
        zone_records_add(changes->added, &rr, NULL, 0);
    }
    zone_records_sort(changes->added);
    return changes;
}

static void others_read_while_it_is_written(void **state)
{
    struct fixture *f = *state;
    struct beside b = {.f = f};
    struct history_zone zone = {0};
    pthread_t readers[READERS];
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_beside, &b), 0);
    for (uint32_t i = 0; i < WRITES; i++) {
        struct journal_batch *batch = journal_batch_new();
        struct changeset *changes = large_changes(i);
        history_append(batch, test_apex, &zone, changes, 1);
        changeset_free(changes);
        if (i == WRITES / 2) /* a database that is new */
            journal_batch_put(batch, "more", "k", 1, "v", 1);
        hand_in(f, batch);
        wait_all(f);
        __atomic_store_n(&b.durable, i + 1, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&b.stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS; i++) {
        char *wrong;
        assert_int_equal(pthread_join(readers[i], (void **)&wrong), 0);
        if (wrong)
            fail_msg("%s", wrong);
    }
    assert_true(b.read_cnt > READERS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(changes_are_read_back), CASE(serials_wrap), CASE(gaps_are_never_passed_over),
        CASE(dropping_stops_at_the_checkpoint), CASE(a_zone_is_replaced_or_forgotten), CASE(damaged_entries_are_told),
        CASE(what_is_damaged_is_set_aside), CASE(others_read_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
