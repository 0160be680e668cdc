/* What happens when a change cannot be kept, for the disk is full, and when what was kept is damaged. */
#include "door_rig.h"

#include "store/history_database.h"

static const struct model first = {.serial = 5, .last = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}};

static struct model after(struct model model, uint32_t serial, unsigned name, uint8_t last)
{
    model.serial = serial;
    model.last[name] = last;
    return model;
}

static void begin_text(struct door *d, const struct model *model)
{
    door_write(d, model, "");
    door_load(d);
    assert_int_equal(d->failed, 0);
    door_expect(d, model);
}

static void begin_secondary(struct door *d)
{
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(door_whole(d, &first, false), ERR_OK);
}

static void hush(bool is_quiet)
{
    static int before = -1;
    if (is_quiet) {
        int null = open("/dev/null", O_WRONLY);
        before = dup(STDERR_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    } else {
        dup2(before, STDERR_FILENO);
        close(before);
    }
}

/* Nothing fits; or a snapshot does, but not the journal's batch behind it. */
enum { FULL = 0, ALMOST_FULL = 4096 };
static const rlim_t rooms[] = {FULL, ALMOST_FULL};

/* ---- a full disk */

static void refused_text(struct door *d, bool has_history, rlim_t room)
{
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4), fourth = after(third, 8, 5, 5);
    const struct model *served = has_history ? &second : &first;
    begin_text(d, &first);
    if (has_history)
        begin_text(d, &second);
    door_write(d, &third, "");
    hush(true);
    disk_fill(d, room);
    for (unsigned i = 0; i < 2; i++) {
        door_load(d);
        assert_int_equal(d->failed, 1);
    }
    disk_empty(d);
    hush(false);
    expect_in(d->said, "kept");
    door_expect(d, served);
    door_expect_state(d, STORE_ZONE_SERVED_STALE);
    door_load(d);
    assert_int_equal(d->loaded, 1);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, served, &third), 1);
    begin_text(d, &fourth);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &fourth);
    assert_int_equal(door_expect_history(d, served, &fourth), 2);
}

static void test_texts_without_history_0(void **state) { refused_text(*state, false, rooms[0]); }
static void test_texts_without_history_1(void **state) { refused_text(*state, false, rooms[1]); }
static void test_texts_with_history_0(void **state) { refused_text(*state, true, rooms[0]); }
static void test_texts_with_history_1(void **state) { refused_text(*state, true, rooms[1]); }

static void test_steps(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4), fourth = after(third, 8, 5, 5);
    begin_secondary(d);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    hush(true);
    disk_fill(d, ALMOST_FULL);
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_LIMIT);
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_LIMIT);
    disk_empty(d);
    hush(false);
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
    assert_int_equal(door_steps(d, (struct model[]){second, third, fourth}, 3), ERR_OK);
    assert_int_equal(door_expect_history(d, &first, &fourth), 3);
    door_restart(d);
    door_expect(d, &fourth);
    assert_int_equal(door_expect_history(d, &first, &fourth), 3);
}

/* The snapshot of a zone that was refused lies there: it must not get into what follows. */
static void test_whole_zones(void **state)
{
    struct door *d = *state;
    struct model other = {.serial = 9, .last = {9, 9, 9, 9, 9, 9, 9, 9, 9}}, second = after(first, 6, 3, 7),
                 third = after(second, 9, 4, 4);
    begin_secondary(d);
    for (unsigned i = 0; i < 2; i++) {
        hush(true);
        disk_fill(d, rooms[i]);
        assert_int_equal(door_whole(d, &other, false), ERR_LIMIT);
        disk_empty(d);
        hush(false);
        door_expect(d, &first);
    }
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_OK); /* with the serial of the other */
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &third);
}

/* The process ends before another change has put things right: the snapshot is that of what is served again. */
static void test_whole_zones_and_then_the_end(void **state)
{
    struct door *d = *state;
    struct model other = {.serial = 9, .last = {9, 9, 9, 9, 9, 9, 9, 9, 9}}, next = after(first, 10, 4, 4);
    begin_secondary(d);
    hush(true);
    disk_fill(d, ALMOST_FULL);
    assert_int_equal(door_whole(d, &other, false), ERR_LIMIT);
    disk_empty(d);
    hush(false);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &first);
    assert_int_equal(door_steps(d, (struct model[]){first, next}, 2), ERR_OK);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &next);
    assert_int_equal(door_expect_history(d, &first, &next), 1);
}

/* The snapshot is in place, and the process ends before the journal has the batch behind it. The store has stopped. */
static void end_within(struct door *d, const struct model *other)
{
    size_t len;
    char *path = door_path(d, "journal");
    door_stop(d);
    uint8_t *before = file_read(path, &len);
    door_start(d);
    door_load(d);
    assert_int_equal(door_whole(d, other, false), ERR_OK);
    door_stop(d);
    file_write(path, before, len);
    free(before);
    free(path);
}

/* What was on its way is newer than what the entry knows, and whole. Either may be served, and what follows must fit
 * it. */
static void test_the_end_between_snapshot_and_journal(void **state)
{
    struct door *d = *state;
    struct model other = {.serial = 9, .last = {9, 9, 9, 9, 9, 9, 9, 9, 9}}, next = after(other, 10, 4, 4);
    begin_secondary(d);
    end_within(d, &other);
    door_start(d);
    door_load(d);
    door_expect(d, &other);
    assert_int_equal(door_steps(d, (struct model[]){other, next}, 2), ERR_OK);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &next);
    assert_int_equal(door_expect_history(d, &other, &next), 1);
}

/* The same, and the new process cannot write down that it goes on from there. */
static void test_a_start_that_cannot_write(void **state)
{
    struct door *d = *state;
    struct model other = {.serial = 9, .last = {9, 9, 9, 9, 9, 9, 9, 9, 9}}, next = after(other, 10, 4, 4);
    begin_secondary(d);
    end_within(d, &other);
    door_start(d);
    hush(true);
    disk_fill(d, ALMOST_FULL);
    door_load(d);
    disk_empty(d);
    hush(false);
    door_expect(d, &other);
    assert_int_equal(door_steps(d, (struct model[]){other, next}, 2), ERR_OK);
    door_expect(d, &next);
    door_restart(d);
    door_expect(d, &next);
    assert_int_equal(door_expect_history(d, &other, &next), 1);
}

/* A change of the file that a start meets is served, as else nothing would be. */
static void test_a_start_with_a_changed_text(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4), fourth = after(third, 8, 5, 5);
    begin_text(d, &first);
    begin_text(d, &second);
    door_stop(d);
    door_write(d, &third, "");
    door_start(d);
    hush(true);
    disk_fill(d, ALMOST_FULL);
    door_load(d);
    disk_empty(d);
    hush(false);
    door_expect(d, &third);
    assert_false(door_has_history(d, 5));
    begin_text(d, &fourth);
    assert_int_equal(door_expect_history(d, &third, &fourth), 1);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &fourth);
    assert_int_equal(door_expect_history(d, &third, &fourth), 1);
}

/* What was too much for a change, and so would have been a snapshot, was refused; then the text was put back, and the
 * process ended. The snapshot lies there with the number that the next change gets. */
static void test_a_text_that_is_put_back(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), large = second, third = after(second, 7, 4, 4);
    d->most_bytes = 4096;
    large.serial = 7;
    large.filler_cnt = 300;
    begin_text(d, &first);
    begin_text(d, &second);
    door_write(d, &large, "");
    hush(true);
    disk_fill(d, 2 * ALMOST_FULL); /* no page of the journal but its first two */
    door_load(d);
    disk_empty(d);
    hush(false);
    assert_int_equal(d->failed, 1);
    door_expect(d, &second);
    door_write(d, &second, "");
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &second);
    begin_text(d, &third);
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    door_stop(d);
    door_remove_text(d); /* so that all comes from the history */
    door_start(d);
    door_load(d);
    door_expect(d, &third);
}

/* ---- damage */

static void flip(const char *path, size_t at)
{
    size_t len;
    uint8_t *bytes = file_read(path, &len);
    bytes[at < len ? at : len / 2] ^= 0x40;
    file_write(path, bytes, len);
    free(bytes);
}

static char *snapshot_of(const struct door *d)
{
    char *dir = door_path(d, "zones"), *path = snapshot_path(dir, test_apex);
    free(dir);
    return path;
}

struct spoiling {
    struct journal_batch *batch;
    const char *database;
};

static bool spoil(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct spoiling *s = arg;
    uint8_t *bad = mem_dup(value, value_len);
    bad[value_len / 2] ^= 1;
    journal_batch_put(s->batch, s->database, key, key_len, bad, value_len);
    free(bad);
    return true;
}

/* A bit of each record of the database. */
static void spoil_records(struct door *d, const char *database)
{
    struct spoiling s = {journal_batch_new(), database};
    struct lmdb_read *read;
    char why[LMDB_WHY_MAX];
    assert_int_equal(lmdb_read_begin(&read, journal_lmdb(d->journal), why), ERR_OK);
    assert_int_equal(lmdb_read_up(read, database, NULL, 0, spoil, &s, why), ERR_OK);
    lmdb_read_end(read);
    assert_true(journal_batch_cnt(s.batch) > 0);
    journal_write(d->journal, &s.batch, NULL, NULL);
    door_wait(d);
}

/* One more start finds nothing wrong any more, and the history begins again. */
static void expect_recovered(struct door *d, const struct model *served)
{
    struct model next = after(*served, served->serial + 10, 15, 77);
    door_expect(d, served);
    door_restart(d);
    assert_string_equal(d->said_at_start, "");
    assert_string_equal(d->said, "");
    door_expect(d, served);
    begin_text(d, &next);
    assert_int_equal(door_expect_history(d, served, &next), 1);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &next);
}

static void begin_history(struct door *d, const struct model *second)
{
    begin_text(d, &first);
    begin_text(d, second);
    assert_int_equal(door_expect_history(d, &first, second), 1);
}

/* Read anew, for the text is another one than the entry knows. */
static void test_damaged_snapshots(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4);
    char *path = snapshot_of(d);
    begin_history(d, &second);
    door_stop(d);
    flip(path, 100);
    door_write(d, &third, "");
    door_start(d);
    door_load(d);
    assert_int_equal(d->loaded, 1);
    expect_in(d->said, "what state_dir has of it cannot be used, its snapshot is now \"");
    assert_false(door_has_history(d, 5));
    assert_int_equal(access(path, F_OK), -1);
    char *dir = door_path(d, "zones");
    assert_int_equal(folder_cnt(dir, ""), 1);
    free(dir);
    free(path);
    expect_recovered(d, &third);
}

/* The text is known, so nobody reads the snapshot; the next change puts another in its place. */
static void test_damaged_heads_of_snapshots(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4);
    char *path = snapshot_of(d);
    begin_history(d, &second);
    door_stop(d);
    flip(path, 0);
    door_start(d);
    door_load(d);
    assert_string_equal(d->said, "");
    door_expect(d, &second);
    begin_text(d, &third);
    free(path);
    expect_recovered(d, &third);
}

static void foreign(struct door *d, const void *bytes, size_t len)
{
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4);
    char *path = snapshot_of(d);
    begin_history(d, &second);
    door_stop(d);
    if (bytes)
        file_write(path, bytes, len);
    else
        unlink(path);
    door_write(d, &third, "");
    door_start(d);
    door_load(d);
    assert_int_equal(d->loaded, 1);
    expect_in(d->said, "what state_dir has of it cannot be used");
    free(path);
    expect_recovered(d, &third);
}

static void test_foreign_snapshots(void **state) { foreign(*state, "$TTL 300\n@ SOA a b 1 2 3 4 5\n", 30); }
static void test_empty_snapshots(void **state) { foreign(*state, "", 0); }
static void test_missing_snapshots(void **state) { foreign(*state, NULL, 0); }

static void test_snapshots_of_another_zone(void **state)
{
    struct door *d = *state;
    char why[SNAPSHOT_WHY_MAX], *dir = door_path(d, "zones");
    static const uint8_t apex[] = "\7example\3net";
    struct zone *zone = zone_new(apex, &test_key);
    struct zone_records *records = records_within(apex, "example.net. 60 SOA 1 60\n");
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    assert_int_equal(snapshot_write(dir, zone->current, 1, why), ERR_OK);
    char *path = snapshot_path(dir, apex);
    size_t len;
    uint8_t *bytes = file_read(path, &len);
    assert_int_equal(unlink(path), 0);
    free(path);
    zone_records_free(records);
    zone_free(zone);
    free(dir);
    foreign(d, bytes, len);
    free(bytes);
}

static void test_damaged_changesets(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4);
    begin_history(d, &second);
    spoil_records(d, history_changes_database);
    assert_false(door_has_history(d, 5));
    door_write(d, &third, "");
    door_restart(d);
    assert_int_equal(d->loaded, 1);
    expect_in(d->said, "what state_dir has of it cannot be used, its snapshot is now \"");
    expect_recovered(d, &third);
}

static void test_damaged_entries(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    begin_history(d, &second);
    spoil_records(d, history_zones_database);
    door_restart(d);
    expect_in(d->said_at_start, "what it has of zone \"example.com\" is damaged, its snapshot is now \"");
    expect_recovered(d, &second);
}

/* A secondary has nothing then, once, and begins again. */
static void test_a_damaged_secondary(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    char *path = snapshot_of(d);
    begin_secondary(d);
    door_stop(d);
    flip(path, 100);
    free(path);
    door_start(d);
    door_load(d);
    expect_in(d->said, "cannot be used");
    door_expect_state(d, STORE_ZONE_EMPTY);
    door_load(d);
    assert_string_equal(d->said, ""); /* and not once more */
    d->is_wanted = false;
    door_load(d);
    d->is_wanted = true;
    door_load(d);
    assert_string_equal(d->said, "");
    assert_int_equal(door_whole(d, &first, false), ERR_OK);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
}

/* What is damaged can not even be forgotten, as the disk is full: the next change begins anew all the same. */
static void test_damage_on_a_full_disk(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4), fourth = after(third, 8, 5, 5);
    char *path = snapshot_of(d);
    begin_history(d, &second);
    door_stop(d);
    flip(path, 100);
    free(path);
    door_write(d, &third, "");
    door_start(d);
    hush(true);
    disk_fill(d, ALMOST_FULL);
    door_load(d);
    disk_empty(d);
    hush(false);
    door_expect(d, &third);
    begin_text(d, &fourth);
    assert_int_equal(door_expect_history(d, &third, &fourth), 1);
    expect_recovered(d, &fourth);
}

/* ---- what cannot be read just now is no damage */

/* The folder of snapshots is away, and something else stands there. */
static void hide(const struct door *d, bool is_hidden)
{
    char *dir = door_path(d, "zones"), *away = door_path(d, "away");
    if (is_hidden) {
        assert_int_equal(rename(dir, away), 0);
        file_write(dir, "", 0);
    } else {
        assert_int_equal(unlink(dir), 0);
        assert_int_equal(rename(away, dir), 0);
    }
    free(dir);
    free(away);
}

static void restart_and_see_nothing(struct door *d)
{
    door_stop(d);
    door_start(d);
    hide(d, true);
    door_load(d);
    hide(d, false);
    expect_in(d->said, "what state_dir has of it cannot be read: its snapshot \"");
}

static void test_a_secondary_that_cannot_be_read(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    begin_secondary(d);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    restart_and_see_nothing(d);
    door_expect_state(d, STORE_ZONE_EMPTY);
    door_load(d);
    assert_string_equal(d->said, "");
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
}

static enum err note_updates(struct store_change *change, struct store_making *making)
{
    (void)change;
    keeping_set_flags(&making->keeping, test_apex, making->keeping.entry.flags | HISTORY_HAS_UPDATES);
    return ERR_OK;
}

static void updates_noted(struct store_change *change, enum err err, const char *why)
{
    (void)change;
    (void)why;
    assert_int_equal(err, ERR_OK);
}

/* To take the text would drop the updates for good. */
static void test_updates_that_cannot_be_read(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), text = after(second, 7, 4, 4);
    struct store_change noted = {.make = note_updates, .done = updates_noted};
    begin_text(d, &first);
    begin_text(d, &second);
    store_change(d->store, test_apex, &noted);
    door_wait(d);
    restart_and_see_nothing(d);
    door_expect_state(d, STORE_ZONE_FAILED);
    assert_null(door_zone(d)->current);
    door_load(d);
    assert_string_equal(d->said, "");
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
    door_write(d, &text, "");
    restart_and_see_nothing(d);
    door_expect_state(d, STORE_ZONE_FAILED);
    door_load_by_force(d);
    door_expect(d, &text);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &text);
}

/* What was refused is no snapshot of what goes on being served, and of which the updates were acknowledged: the process
 * may end before another change has put things right. */
static void test_a_forced_text_that_is_refused_and_then_the_end(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), text = after(second, 7, 4, 4);
    struct store_change noted = {.make = note_updates, .done = updates_noted};
    d->most_bytes = 1; /* each change is a snapshot */
    begin_text(d, &first);
    begin_text(d, &second);
    store_change(d->store, test_apex, &noted);
    door_wait(d);
    door_write(d, &text, "");
    hush(true);
    disk_fill(d, ALMOST_FULL);
    door_load_by_force(d);
    assert_int_equal(d->failed, 1);
    disk_empty(d);
    door_expect(d, &second);
    door_restart(d);
    hush(false);
    expect_in(d->said, "lacks updates");
    door_expect(d, &second);
    door_load_by_force(d);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &text);
}

/* A text that has all is served meanwhile, and the history begins anew. */
static void test_a_text_whose_history_cannot_be_read(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 4);
    begin_text(d, &first);
    begin_text(d, &second);
    door_stop(d);
    door_write(d, &third, "");
    door_start(d);
    restart_and_see_nothing(d);
    door_expect(d, &third);
    expect_recovered(d, &third);
}

/* A serial that was made here is not set back by damage. */
static void test_damage_and_made_serials(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 5, 3, 7), third = after(first, 5, 4, 9);
    char *path = snapshot_of(d);
    d->serial_mode = STORE_SERIAL_INCREMENT;
    begin_text(d, &first);
    door_write(d, &second, "");
    door_load(d);
    door_stop(d);
    flip(path, 100);
    free(path);
    door_write(d, &third, "");
    door_start(d);
    door_load(d);
    expect_in(d->said, "cannot be used");
    third.serial = 7;
    door_expect(d, &third);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_texts_without_history_0),
        DOOR_CASE(test_texts_without_history_1),
        DOOR_CASE(test_texts_with_history_0),
        DOOR_CASE(test_texts_with_history_1),
        DOOR_CASE(test_steps),
        DOOR_CASE(test_whole_zones),
        DOOR_CASE(test_whole_zones_and_then_the_end),
        DOOR_CASE(test_the_end_between_snapshot_and_journal),
        DOOR_CASE(test_a_start_that_cannot_write),
        DOOR_CASE(test_a_start_with_a_changed_text),
        DOOR_CASE(test_a_text_that_is_put_back),
        DOOR_CASE(test_damaged_snapshots),
        DOOR_CASE(test_damaged_heads_of_snapshots),
        DOOR_CASE(test_foreign_snapshots),
        DOOR_CASE(test_empty_snapshots),
        DOOR_CASE(test_missing_snapshots),
        DOOR_CASE(test_snapshots_of_another_zone),
        DOOR_CASE(test_damaged_changesets),
        DOOR_CASE(test_damaged_entries),
        DOOR_CASE(test_a_damaged_secondary),
        DOOR_CASE(test_damage_on_a_full_disk),
        DOOR_CASE(test_a_secondary_that_cannot_be_read),
        DOOR_CASE(test_updates_that_cannot_be_read),
        DOOR_CASE(test_a_forced_text_that_is_refused_and_then_the_end),
        DOOR_CASE(test_a_text_whose_history_cannot_be_read),
        DOOR_CASE(test_damage_and_made_serials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
