/* Zones come back from snapshot and changesets just as they were, whenever the snapshot was written; what does not fit
 * together is told, and never half a zone. */
#include "history_rig.h"

#include <uv.h>

#include "store/history.h"
#include "store/snapshot.h"

struct fixture {
    uv_loop_t loop;
    struct folder folder;
    char *dir;
    struct journal *journal;
    struct lmdb *lmdb;
    char why[HISTORY_WHY_MAX];
    /* a zone and its history */
    struct rig_zone state;
    struct zone *zone;
    struct history_zone entry;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    folder_make(&f->folder);
    char *path = mem_printf("%s/db", f->folder.path);
    uv_loop_init(&f->loop);
    assert_int_equal(snapshot_dir_make(&f->dir, f->folder.path, f->why), ERR_OK);
    assert_int_equal(lmdb_open(&f->lmdb, path, f->why), ERR_OK);
    assert_int_equal(journal_open(&f->journal, &f->loop, &f->lmdb), ERR_OK);
    f->lmdb = journal_lmdb(f->journal);
    free(path);
    f->state = (struct rig_zone){.serial = UINT32_MAX - 5};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    zone_free(f->zone);
    journal_close(f->journal);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    folder_remove(f->folder.path);
    free(f->dir);
    free(f);
    return 0;
}

static void commit(struct fixture *f, struct journal_batch *batch)
{
    journal_write(f->journal, &batch, NULL, NULL);
    while (journal_pending(f->journal))
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* The zone begins, as one that was loaded or transferred. */
static void begin(struct fixture *f, struct random_state *rng)
{
    struct journal_batch *batch = journal_batch_new();
    rig_change(&f->state, rng, 30);
    f->zone = rig_build(&f->state);
    assert_int_equal(snapshot_write(f->dir, f->zone->current, f->entry.seq + 1, f->why), ERR_OK);
    history_replace(batch, test_apex, &f->entry, f->state.serial, 1);
    commit(f, batch);
}

static void step(struct fixture *f, struct random_state *rng, unsigned changes)
{
    struct journal_batch *batch = journal_batch_new();
    rig_change(&f->state, rng, changes);
    struct changeset *made = rig_advance(f->zone, &f->state);
    history_append(batch, test_apex, &f->entry, made, 1);
    changeset_free(made);
    commit(f, batch);
}

/* With or without the entry's knowing. */
static void checkpoint(struct fixture *f, bool is_told)
{
    struct journal_batch *batch = journal_batch_new();
    assert_int_equal(snapshot_write(f->dir, f->zone->current, f->entry.seq, f->why), ERR_OK);
    if (is_told) {
        history_checkpoint(batch, test_apex, &f->entry, f->state.serial, f->entry.seq);
        history_drop(batch, test_apex, &f->entry, f->entry.seq - 1);
    }
    commit(f, batch);
}

static enum err restore(struct fixture *f, const struct zone_marks *marks, struct zone **zone, uint64_t *seq)
{
    struct zone_version *version;
    *zone = zone_new(test_apex, &test_key);
    enum err err = history_restore(&version, seq, *zone, &f->entry, f->lmdb, f->dir, marks, f->why);
    if (!err) {
        assert_ptr_equal((*zone)->oldest, version);
        assert_null(version->newer);
        assert_false(zone_wastes_memory(version));
        assert_null(zone_publish(*zone, version));
    } else {
        assert_null(version);
        assert_null((*zone)->oldest);
        zone_free(*zone);
        *zone = NULL;
    }
    return err;
}

static void expect_restored(struct fixture *f)
{
    struct zone *zone;
    uint64_t seq;
    if (restore(f, NULL, &zone, &seq))
        fail_msg("%s", f->why);
    assert_int_equal(seq, f->entry.seq);
    rig_expect_version(zone->current, &f->state);
    zone_free(zone);
}

static void zones_come_back(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{7, 8}};
    begin(f, &rng);
    expect_restored(f);
    for (unsigned i = 0; i < 60; i++) {
        step(f, &rng, 1 + random_below(&rng, 12));
        if (!random_below(&rng, 5))
            checkpoint(f, random_below(&rng, 2));
        expect_restored(f);
    }
}

/* More than is read at a time. */
static void many_changes_come_back(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{9, 10}};
    static uint8_t rdata[60000];
    begin(f, &rng);
    for (unsigned i = 0; i < 12; i++) {
        uint8_t owner[NAME_MAX_LEN];
        put_wire(owner, "large");
        rig_change(&f->state, &rng, 3);
        struct changeset *changes = rig_advance(f->zone, &f->state);
        struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 1, .type = 65280, .rdata_len = sizeof rdata};
        for (uint16_t type = 65280; type < 65310; type++) {
            rr.type = type;
            zone_records_add(i & 1 ? changes->removed : changes->added, &rr, NULL, 0);
        }
        zone_records_sort(changes->removed);
        zone_records_sort(changes->added);
        struct journal_batch *batch = journal_batch_new();
        history_append(batch, test_apex, &f->entry, changes, 1);
        changeset_free(changes);
        commit(f, batch);
    }
    expect_restored(f);
}

/* A snapshot of a replacement that the entry does not know of: then it is what there is. */
static void a_replacement_is_taken(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{11, 12}};
    struct zone *zone;
    uint64_t seq;
    begin(f, &rng);
    step(f, &rng, 3);
    rig_change(&f->state, &rng, 30);
    changeset_free(rig_advance(f->zone, &f->state));
    assert_int_equal(snapshot_write(f->dir, f->zone->current, f->entry.seq + 1, f->why), ERR_OK);
    assert_int_equal(restore(f, NULL, &zone, &seq), ERR_OK);
    assert_int_equal(seq, f->entry.seq + 1);
    rig_expect_version(zone->current, &f->state);
    zone_free(zone);
}

static void expect_damage(struct fixture *f, const char *part)
{
    struct zone *zone;
    uint64_t seq;
    assert_int_equal(restore(f, NULL, &zone, &seq), ERR_INVALID);
    if (!strstr(f->why, part))
        fail_msg("%s", f->why);
}

static void what_does_not_fit_is_told(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{13, 14}};
    uint8_t key[HISTORY_KEY_MAX];
    begin(f, &rng);
    for (unsigned i = 0; i < 5; i++)
        step(f, &rng, 4);
    expect_restored(f);
    /* a snapshot from a backup of long ago, whose changes are no more */
    char *path = snapshot_path(f->dir, test_apex);
    size_t len;
    uint8_t *old = file_read(path, &len);
    checkpoint(f, true);
    expect_restored(f);
    file_write(path, old, len);
    expect_damage(f, "changeset 2 is not in the journal");
    free(old);
    unlink(path);
    expect_damage(f, "cannot be used: No such file or directory");
    file_write(path, "x", 1);
    expect_damage(f, "cannot be used: it is cut short");
    checkpoint(f, true);
    /* another entry's serial */
    f->entry.serial++;
    expect_damage(f, "its last version has serial");
    f->entry.serial--;
    /* a changeset that leads on from another version */
    step(f, &rng, 4);
    struct journal_batch *batch = journal_batch_new();
    struct changeset *changes = changeset_of("nowhere 60 A 1\n", "");
    struct history_zone entry = f->entry;
    changes->serial_from = f->entry.serial;
    changes->serial_to = f->entry.serial + 1;
    history_append(batch, test_apex, &f->entry, changes, 1);
    changeset_free(changes);
    commit(f, batch);
    expect_damage(f, "does not fit the version with serial");
    /* one that says less than it is */
    batch = journal_batch_new();
    f->entry = entry;
    changes = changeset_of("", "new 60 A 1\n");
    changes->serial_from = f->entry.serial;
    changes->serial_to = f->entry.serial + 1;
    history_append(batch, test_apex, &f->entry, changes, 1);
    changeset_free(changes);
    commit(f, batch);
    expect_damage(f, "and not to");
    f->entry = entry;
    expect_restored(f);
    batch = journal_batch_new();
    journal_batch_put(batch, "changes", key, history_key(key, test_apex, f->entry.seq), "\1damage here", 12);
    commit(f, batch);
    expect_damage(f, "is damaged");
    free(path);
}

/* A right checksum over what cannot be built. */
static void an_impossible_snapshot_is_told(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{15, 16}};
    begin(f, &rng);
    f->zone->current->serial++;
    assert_int_equal(snapshot_write(f->dir, f->zone->current, f->entry.seq, f->why), ERR_OK);
    f->zone->current->serial--;
    expect_damage(f, "its SOA has another serial");
}

static enum zone_mark match(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)arg;
    (void)zone;
    return lower[0] == 1 && lower[1] == 'a' ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
}

/* Pools are those that a build from the same records has, and all of them are told. */
static void pools_come_back(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{17, 18}};
    const struct zone_marks marks = {.match = match};
    begin(f, &rng);
    size_t most = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct zone_records *records = rig_records(&f->state);
        struct zone *want = zone_new(test_apex, &test_key), *zone;
        uint64_t seq;
        assert_null(zone_publish(want, zone_build(want, records, &marks)));
        if (restore(f, &marks, &zone, &seq))
            fail_msg("%s", f->why);
        rig_expect_version(zone->current, &f->state);
        assert_int_equal(zone->current->pool_cnt, want->current->pool_cnt);
        assert_int_equal(zone->current->fresh_pool_cnt, want->current->fresh_pool_cnt);
        assert_int_equal(zone->current->lost_pool_cnt, 0);
        most = zone->current->pool_cnt > most ? zone->current->pool_cnt : most;
        zone_records_free(records);
        zone_free(want);
        zone_free(zone);
        step(f, &rng, 6);
    }
    assert_true(most > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(zones_come_back), CASE(many_changes_come_back), CASE(a_replacement_is_taken),
        CASE(what_does_not_fit_is_told), CASE(an_impossible_snapshot_is_told), CASE(pools_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
