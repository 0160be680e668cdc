/* Histories stay within their size and age: a snapshot is written, the oldest changes go, and what is left still serves
 * and still comes back. */
#include "door_rig.h"

#include <time.h>

#include "store/private.h"

enum { MOST_BYTES = 4096 };

static struct model after(struct model model, unsigned name, uint8_t last)
{
    model.serial++;
    model.last[name] = last;
    return model;
}

static char *snapshot_of(const struct door *d)
{
    char *dir = door_path(d, "zones"), *path = snapshot_path(dir, test_apex);
    free(dir);
    return path;
}

static void begin(struct door *d, const struct model *model)
{
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(door_whole(d, model, false), ERR_OK);
}

static const struct history_zone *entry_of(const struct door *d)
{
    return &store_find(d->store, test_apex)->history;
}

static size_t bytes_of(const struct door *d)
{
    size_t cnt, bytes;
    char why[HISTORY_WHY_MAX];
    assert_int_equal(history_measure(&cnt, &bytes, store_lmdb(d->store), test_apex, 0, why), ERR_OK);
    assert_int_equal(cnt, entry_of(d)->seq - entry_of(d)->dropped_seq);
    return bytes;
}

static void test_by_size(void **state)
{
    struct door *d = *state;
    enum { CHANGES = 150 };
    static struct model models[CHANGES + 1];
    models[0] = (struct model){.serial = 5, .last = {1}};
    size_t most = 0, drops = 0;
    uint64_t dropped = 1;
    d->most_bytes = MOST_BYTES;
    begin(d, &models[0]);
    for (unsigned i = 0; i < CHANGES; i++) {
        models[i + 1] = after(models[i], i % MODEL_NAMES, (uint8_t)(i + 1));
        assert_int_equal(door_steps(d, (struct model[]){models[i], models[i + 1]}, 2), ERR_OK);
        size_t bytes = bytes_of(d);
        most = bytes > most ? bytes : most;
        assert_true(bytes <= MOST_BYTES);
        const struct history_zone *entry = entry_of(d);
        drops += entry->dropped_seq != dropped;
        dropped = entry->dropped_seq;
        assert_true(entry->dropped_seq <= entry->checkpoint_seq);
        /* The first is number 1, and the one that leads from models[n] number n + 2. */
        if (dropped > 1) {
            assert_int_equal(door_expect_history(d, &models[dropped - 1], &models[i + 1]), i + 2 - dropped);
            assert_false(door_has_history(d, models[dropped - 1].serial - 1));
        }
        if (i % 20 == 19)
            door_restart(d);
        door_expect(d, &models[i + 1]);
    }
    assert_true(drops >= 2);
    assert_true(most > MOST_BYTES / 2);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &models[CHANGES]);
}

/* It was written so long ago. */
static void make_older(const char *path, uint64_t ms)
{
    struct timespec times[2];
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= (time_t)(ms / 1000);
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static struct timespec time_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mtim;
}

/* What the snapshot before had goes with the next one: changes live for one age at least. */
static void test_by_age(void **state)
{
    struct door *d = *state;
    struct model first = {.serial = 5, .last = {1}}, second = after(first, 2, 2), third = after(second, 3, 3),
                 fourth = after(third, 4, 4);
    enum { AGE_MS = 3600 * 1000 };
    char *path = snapshot_of(d);
    d->most_ms = AGE_MS;
    begin(d, &first);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    door_stop(d);
    make_older(path, AGE_MS - 60 * 1000);
    struct timespec before = time_of(path);
    door_start(d);
    door_load(d);
    assert_int_equal(time_of(path).tv_sec, before.tv_sec); /* not yet */
    assert_int_equal(entry_of(d)->checkpoint_seq, 1);
    door_stop(d);
    make_older(path, AGE_MS + 60 * 1000);
    door_start(d);
    door_load(d);
    assert_true(time_of(path).tv_sec > before.tv_sec);
    assert_int_equal(entry_of(d)->checkpoint_seq, 2);
    assert_int_equal(door_expect_history(d, &first, &second), 1); /* it is no age old so far */
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_OK);
    door_stop(d);
    make_older(path, AGE_MS + 60 * 1000);
    door_start(d);
    door_load(d);
    assert_int_equal(entry_of(d)->checkpoint_seq, 3);
    assert_false(door_has_history(d, first.serial));
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    assert_int_equal(door_steps(d, (struct model[]){third, fourth}, 2), ERR_OK);
    door_restart(d);
    door_expect(d, &fourth);
    assert_int_equal(door_expect_history(d, &second, &fourth), 2);
    free(path);
}

/* It is tried again later, and meanwhile nothing is dropped. */
static void test_a_full_disk(void **state)
{
    struct door *d = *state;
    struct model model = {.serial = 5, .last = {1}}, begun = model;
    int error = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
    begin(d, &model);
    for (unsigned i = 0; i < 30; i++) {
        struct model next = after(model, i % MODEL_NAMES, (uint8_t)(i + 1));
        assert_int_equal(door_steps(d, (struct model[]){model, next}, 2), ERR_OK);
        model = next;
    }
    d->most_bytes = MOST_BYTES / 4;
    dup2(null, STDERR_FILENO);
    disk_fill(d, 0);
    door_restart(d);
    disk_empty(d);
    dup2(error, STDERR_FILENO);
    close(error);
    close(null);
    door_expect(d, &model);
    assert_int_equal(door_expect_history(d, &begun, &model), 30);
    door_restart(d);
    door_expect(d, &model);
    assert_true(bytes_of(d) <= MOST_BYTES / 4);
    door_restart(d);
    assert_string_equal(d->said, "");
    door_expect(d, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_by_size),
        DOOR_CASE(test_by_age),
        DOOR_CASE(test_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
