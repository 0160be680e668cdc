/* A zone that comes from its file, over changes of the file and ends of the process: what is served, with which serial,
 * and what its history has. */
#include "door_rig.h"

#include "base/clock.h"

static const struct model first = {.serial = 5, .last = {1, 2}};

static struct model after(struct model model, uint32_t serial, unsigned name, uint8_t last)
{
    model.serial = serial;
    model.last[name] = last;
    return model;
}

static void begin(struct door *d, const struct model *model)
{
    door_write(d, model, "");
    door_load(d);
    assert_int_equal(d->loaded, 1);
    door_expect(d, model);
}

static uint32_t serial_of(const struct door *d) { return door_zone(d)->current->serial; }

/* ---- while it runs */

static void test_zone_without_changes_has_no_history(void **state)
{
    struct door *d = *state;
    struct history_zone entry;
    begin(d, &first);
    door_restart(d);
    door_expect(d, &first);
    assert_false(door_has_history(d, 4));
    door_stop(d);
    char *path = door_path(d, "zones");
    assert_int_equal(folder_cnt(path, ""), 0);
    free(path);
    door_start(d);
    struct diag *diag = diag_new(10);
    struct histories *histories = histories_read(d->journal, d->folder.path, &test_key, diag);
    assert_false(histories_get(histories, test_apex, &entry));
    histories_free(histories);
    diag_free(diag);
}

static void test_changes_are_in_the_history(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 10, 0, 0);
    begin(d, &first);
    begin(d, &second);
    begin(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    assert_false(door_has_history(d, 4));
}

/* Nobody may take it, and its serial is the file's: there is nothing to keep. */
static void test_a_zone_for_nobody_keeps_nothing(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 3, 8);
    d->is_transferred = false;
    begin(d, &first);
    begin(d, &second);
    assert_false(door_has_history(d, 5));
    d->is_transferred = true; /* from now on */
    begin(d, &third);
    assert_false(door_has_history(d, 5));
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    d->is_transferred = false; /* what has a history goes on with it */
    struct model fourth = after(third, 8, 3, 9);
    begin(d, &fourth);
    assert_int_equal(door_expect_history(d, &second, &fourth), 2);
}

/* ---- restarts */

static void test_restart_with_the_same_file(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 1);
    begin(d, &first);
    begin(d, &second);
    for (unsigned i = 0; i < 3; i++) {
        door_restart(d);
        assert_int_equal(d->loaded, 1);
        assert_string_equal(d->said, "");
        door_expect(d, &second);
        assert_int_equal(door_expect_history(d, &first, &second), 1);
    }
    begin(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    door_restart(d);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
}

/* Changed while nobody was there: what those who follow us lack is a change all the same. */
static void test_restart_with_a_raised_serial(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 9, 4, 1);
    begin(d, &first);
    begin(d, &second);
    door_stop(d);
    door_write(d, &third, "");
    door_start(d);
    door_load(d);
    assert_int_equal(d->loaded, 1);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    door_restart(d);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
}

static void test_restart_with_a_serial_that_is_not_raised(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), wrong = after(second, 6, 4, 1), right = after(wrong, 7, 4, 1);
    begin(d, &first);
    begin(d, &second);
    door_stop(d);
    door_write(d, &wrong, "");
    door_start(d);
    for (unsigned i = 0; i < 2; i++) {
        door_load(d);
        assert_int_equal(d->failed, 1);
        expect_in(d->said, "serial 6 is not above the last one, 6");
        door_expect(d, &second);
        door_expect_state(d, STORE_ZONE_SERVED_STALE);
        assert_int_equal(door_expect_history(d, &first, &second), 1);
    }
    begin(d, &right);
    door_expect_state(d, STORE_ZONE_SERVED);
    assert_int_equal(door_expect_history(d, &first, &right), 2);
}

static void expect_kept(struct door *d, const struct model *model)
{
    door_start(d);
    door_load(d);
    assert_int_equal(d->failed, 1);
    door_expect(d, model);
    door_expect_state(d, STORE_ZONE_SERVED_STALE);
    assert_int_equal(door_expect_history(d, &first, model), 1);
    door_stop(d);
}

static void test_restart_with_a_broken_or_missing_file(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 5, 5);
    begin(d, &first);
    begin(d, &second);
    door_stop(d);
    door_write(d, &third, "www A 192.0.2.256\n");
    expect_kept(d, &second);
    door_remove_text(d);
    expect_kept(d, &second);
    door_start(d);
    begin(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
}

/* ---- serials made here */

static void test_increment(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 5, 3, 7), third = after(second, 5, 4, 1);
    d->serial_mode = STORE_SERIAL_INCREMENT;
    begin(d, &first);
    door_write(d, &second, "");
    door_load(d);
    second.serial = 6;
    door_expect(d, &second);
    door_write(d, &second, "; serial 6, which is what is published\n");
    door_load(d);
    door_expect(d, &second);
    door_restart(d);
    door_expect(d, &second);
    door_stop(d);
    door_write(d, &third, "");
    door_start(d);
    door_load(d);
    third.serial = 7;
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    struct model fourth = after(third, 100, 4, 2); /* its own, which is later */
    begin(d, &fourth);
    door_restart(d);
    door_expect(d, &fourth);
}

/* A serial that was made of the time stays, whatever time it is in the next process. */
static void made_of_time(struct door *d, enum store_serial mode)
{
    struct model second = after(first, 5, 3, 7);
    d->serial_mode = mode;
    door_write(d, &first, "");
    door_load(d);
    uint32_t serial = serial_of(d);
    uint32_t least = serial_first(mode, 5, clock_wall_ms() / 1000 - 100);
    assert_true(serial >= least && serial <= serial_first(mode, 5, clock_wall_ms() / 1000));
    struct model model = first;
    model.serial = serial;
    for (unsigned i = 0; i < 2; i++) {
        door_expect(d, &model);
        door_restart(d);
    }
    door_write(d, &second, "");
    door_load(d);
    second.serial = serial_of(d);
    assert_true(second.serial > serial);
    door_restart(d);
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &model, &second), 1);
    door_write(d, &second, "; other bytes\n");
    door_load(d);
    door_expect(d, &second);
}

static void test_unixtime(void **state) { made_of_time(*state, STORE_SERIAL_UNIXTIME); }

static void test_date(void **state) { made_of_time(*state, STORE_SERIAL_DATE); }

/* ---- by force */

static void test_an_older_text_by_force(void **state)
{
    struct door *d = *state;
    struct model older = after(first, 2, 3, 7), next = after(older, 3, 4, 4);
    begin(d, &first);
    door_write(d, &older, "");
    door_load(d);
    assert_int_equal(d->failed, 1);
    door_load_by_force(d);
    assert_int_equal(d->loaded, 1);
    older.serial = 6; /* nobody who has 5 would take 2 */
    door_expect(d, &older);
    assert_int_equal(door_expect_history(d, &first, &older), 1);
    door_restart(d);
    door_expect(d, &older);
    door_write(d, &next, ""); /* above the text that was taken */
    door_load(d);
    next.serial = 7;
    door_expect(d, &next);
}

static void test_one_zone_that_is_not_there(void **state)
{
    struct door *d = *state;
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_CAREFULLY, door_report, d), ERR_NOT_FOUND);
    begin(d, &first);
    door_begin_load(d);
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_CAREFULLY, door_report, d), ERR_BUSY);
    door_wait(d);
    assert_int_equal(store_load_zone(d->store, test_apex, STORE_LOAD_CAREFULLY, door_report, d), ERR_OK);
    door_wait(d);
    assert_int_equal(d->unchanged, 1);
}

/* ---- updates in the history, that the file lacks */

/* What an update will do: steps, of which the entry says that the file lacks them. */
struct update {
    struct store_change change;
    struct model from, to;
};

static enum err make_update(struct store_change *change, struct store_making *making)
{
    struct update *update = container_of(change, struct update, change);
    struct changeset *changes = model_changes(&update->from, &update->to);
    enum err err = zone_apply(&making->version, making->base, changes, making->marks);
    if (!err)
        err = keeping_changes(&making->keeping, making->base, making->version, &changes, 1, making->why);
    keeping_set_flags(&making->keeping, test_apex, making->keeping.entry.flags | HISTORY_HAS_UPDATES);
    changeset_free(changes);
    return err;
}

static void update_done(struct store_change *change, enum err err, const char *why)
{
    (void)change;
    (void)why;
    assert_int_equal(err, ERR_OK);
}

static void do_update(struct door *d, const struct model *from, const struct model *to)
{
    struct update update = {{.make = make_update, .done = update_done}, *from, *to};
    store_change(d->store, test_apex, &update.change);
    door_wait(d);
    door_expect(d, to);
}

static void test_updates_that_the_file_lacks(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), updated = after(second, 7, 4, 4), text = after(second, 8, 5, 5);
    begin(d, &first);
    begin(d, &second);
    do_update(d, &second, &updated);
    door_load(d);
    assert_int_equal(d->unchanged, 1);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &updated);
    door_write(d, &text, "");
    for (unsigned i = 0; i < 3; i++) {
        door_load(d);
        assert_int_equal(d->failed, 1);
        expect_in(d->said, "the file, serial 8, has changed, and lacks updates that the zone, serial 7, has got");
        door_expect(d, &updated);
        door_restart(d);
    }
    door_load_by_force(d);
    door_expect(d, &text);
    assert_int_equal(door_expect_history(d, &first, &text), 3);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &text);
}

/* Written out, or brought up to date by hand: it has all that the zone has. */
static void test_updates_that_the_file_has_got(void **state)
{
    struct door *d = *state;
    struct model updated = after(first, 6, 4, 4), next = after(updated, 7, 5, 5);
    begin(d, &first);
    do_update(d, &first, &updated);
    door_write(d, &updated, "");
    door_load(d);
    assert_int_equal(d->unchanged, 1);
    assert_string_equal(d->said, "");
    door_expect(d, &updated);
    begin(d, &next);
    door_restart(d);
    door_expect(d, &next);
    assert_int_equal(door_expect_history(d, &first, &next), 2);
}

/* ---- another kind of zone */

static void test_a_secondary_that_becomes_primary(void **state)
{
    struct door *d = *state;
    struct model moved = after(first, 9, 3, 7), text = after(first, 10, 6, 6);
    begin(d, &first);
    d->is_secondary = true;
    door_load(d);
    door_expect(d, &first);
    assert_int_equal(door_whole(d, &moved, false), ERR_OK);
    door_expect(d, &moved);
    d->is_secondary = false;
    door_load(d); /* the text is as it was when it was read last, but what is served is another one */
    assert_int_equal(d->failed, 1);
    expect_in(d->said, "serial 5 is not above the last one, 9");
    door_expect(d, &moved);
    begin(d, &text);
    d->is_secondary = true;
    door_load(d);
    store_expire(d->store, test_apex);
    d->is_secondary = false;
    door_load(d);
    door_expect(d, &text);
    door_expect_state(d, STORE_ZONE_SERVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_zone_without_changes_has_no_history),
        DOOR_CASE(test_changes_are_in_the_history),
        DOOR_CASE(test_a_zone_for_nobody_keeps_nothing),
        DOOR_CASE(test_restart_with_the_same_file),
        DOOR_CASE(test_restart_with_a_raised_serial),
        DOOR_CASE(test_restart_with_a_serial_that_is_not_raised),
        DOOR_CASE(test_restart_with_a_broken_or_missing_file),
        DOOR_CASE(test_increment),
        DOOR_CASE(test_unixtime),
        DOOR_CASE(test_date),
        DOOR_CASE(test_an_older_text_by_force),
        DOOR_CASE(test_one_zone_that_is_not_there),
        DOOR_CASE(test_updates_that_the_file_lacks),
        DOOR_CASE(test_updates_that_the_file_has_got),
        DOOR_CASE(test_a_secondary_that_becomes_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
