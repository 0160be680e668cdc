/* Snapshots: a version comes back from its file; what is not a whole one is told as such; the old file outlives every
 * failure. */
#include "history_rig.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "store/snapshot.h"

struct fixture {
    struct folder folder;
    char *dir;
    char why[SNAPSHOT_WHY_MAX];
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    folder_make(&f->folder);
    if (snapshot_dir_make(&f->dir, f->folder.path, f->why))
        fail_msg("%s", f->why);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    folder_remove(f->folder.path);
    free(f->dir);
    free(f);
    return 0;
}

static enum err read_it(struct fixture *f, struct zone_records **records, struct snapshot_head *head)
{
    return snapshot_read(records, head, f->dir, test_apex, &test_key, f->why);
}

/* The file holds what `zone` has. */
static void expect_file(struct fixture *f, const struct zone *zone, uint64_t seq)
{
    struct zone_records *read, *want = rig_records_of(zone->current);
    struct snapshot_head head;
    if (read_it(f, &read, &head))
        fail_msg("%s", f->why);
    rig_expect_same(read, want);
    assert_int_equal(head.serial, zone->current->serial);
    assert_int_equal(head.seq, seq);
    assert_int_equal(snapshot_seq(f->dir, test_apex), seq);
    assert_true(head.wall_ms > 1600000000000);
    assert_int_equal(folder_cnt(f->dir, ""), 1);
    zone_records_free(read);
    zone_records_free(want);
}

static void versions_come_back(void **state)
{
    struct fixture *f = *state;
    struct random_state rng = {{3, 4}};
    struct rig_zone states = {.serial = 1};
    struct zone *zone = rig_build(&states);
    for (unsigned i = 0; i < 25; i++) {
        assert_int_equal(snapshot_write(f->dir, zone->current, UINT64_MAX - i, f->why), ERR_OK);
        expect_file(f, zone, UINT64_MAX - i);
        rig_change(&states, &rng, random_below(&rng, 50));
        changeset_free(rig_advance(zone, &states));
    }
    zone_free(zone);
}

/* Many times the buffer, with records of every length on its borders. */
static void a_large_one_comes_back(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = large_zone();
    assert_int_equal(snapshot_write(f->dir, zone->current, 1, f->why), ERR_OK);
    expect_file(f, zone, 1);
    zone_free(zone);
}

static void expect_refused(struct fixture *f, const char *part)
{
    struct zone_records *read;
    struct snapshot_head head;
    assert_int_equal(read_it(f, &read, &head), ERR_INVALID);
    assert_null(read);
    if (!strstr(f->why, part))
        fail_msg("%s", f->why);
}

/* A look at the head says no more than the head can. */
static void heads_alone(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = zone_of(APEX);
    char *path = snapshot_path(f->dir, test_apex);
    assert_int_equal(snapshot_seq(f->dir, test_apex), 0);
    assert_int_equal(snapshot_write(f->dir, zone->current, 77, f->why), ERR_OK);
    assert_int_equal(snapshot_seq(f->dir, test_apex), 77);
    assert_int_equal(snapshot_seq(f->dir, (const uint8_t *)"\7example\3net"), 0);
    size_t len;
    uint8_t *good = file_read(path, &len);
    for (size_t cut = 0; cut < len; cut++) {
        file_write(path, good, cut);
        uint64_t seq = snapshot_seq(f->dir, test_apex);
        assert_true(seq == 0 || seq == 77);
        assert_true(cut > 40 || !seq);
    }
    file_write(path, "no snapshot at all, and longer than any head of one would be, which says nothing", 80);
    assert_int_equal(snapshot_seq(f->dir, test_apex), 0);
    free(good);
    free(path);
    zone_free(zone);
}

static void damage_is_told(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = zone_of(APEX "a 60 A 1\na 60 A 2\nb.a 60 TXT hello\n");
    char *path = snapshot_path(f->dir, test_apex);
    size_t len;
    assert_int_equal(snapshot_write(f->dir, zone->current, 5, f->why), ERR_OK);
    uint8_t *good = file_read(path, &len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        good[bit / 8] ^= (uint8_t)(1 << bit % 8);
        file_write(path, good, len);
        expect_refused(f, "it is ");
        good[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < len; cut++) {
        file_write(path, good, cut);
        expect_refused(f, cut < 25 ? "it is " : "cut short");
    }
    uint8_t *longer = mem_zalloc(len + 1, 1);
    memcpy(longer, good, len);
    file_write(path, longer, len + 1);
    expect_refused(f, "damaged");
    good[8] = 2;
    file_write(path, good, len);
    expect_refused(f, "another version");
    file_write(path, "a text of somebody else, and not a short one", 44);
    expect_refused(f, "no snapshot");
    free(longer);
    free(good);
    free(path);
    zone_free(zone);
}

static void what_is_no_file_of_the_zone_is_told(void **state)
{
    struct fixture *f = *state;
    static const uint8_t other_apex[] = "\5other\3com";
    char *path = snapshot_path(f->dir, test_apex), *other = snapshot_path(f->dir, other_apex);
    struct zone *zone = zone_of(APEX);
    struct zone_records *read;
    struct snapshot_head head;
    assert_int_equal(read_it(f, &read, &head), ERR_NOT_FOUND);
    assert_int_equal(snapshot_write(f->dir, zone->current, 5, f->why), ERR_OK);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(snapshot_read(&read, &head, f->dir, other_apex, &test_key, f->why), ERR_INVALID);
    assert_string_equal(f->why, "it is of another zone");
    assert_int_equal(symlink(other, path), 0);
    expect_refused(f, "no regular file");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused(f, "no regular file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused(f, "no regular file");
    free(path);
    free(other);
    zone_free(zone);
}

static void the_old_one_outlives_a_full_disk(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = zone_of(APEX "a 60 A 1\n");
    struct rlimit before, limit;
    assert_int_equal(snapshot_write(f->dir, zone->current, 5, f->why), ERR_OK);
    expect_file(f, zone, 5);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){50, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    enum err err = snapshot_write(f->dir, zone->current, 6, f->why);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(err, ERR_IO);
    assert_string_equal(f->why, strerror(EFBIG));
    expect_file(f, zone, 5);
    assert_int_equal(snapshot_write("/nowhere/at/all", zone->current, 6, f->why), ERR_IO);
    assert_string_equal(f->why, strerror(ENOENT));
    zone_free(zone);
}

static void leftovers_are_cleared(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = zone_of(APEX "a 60 A 1\n");
    char *path = snapshot_path(f->dir, test_apex), *left = mem_printf("%s.tmp", path), *again;
    assert_int_equal(snapshot_write(f->dir, zone->current, 5, f->why), ERR_OK);
    file_write(left, "half", 4);
    assert_int_equal(snapshot_dir_make(&again, f->folder.path, f->why), ERR_OK);
    assert_string_equal(again, f->dir);
    expect_file(f, zone, 5);
    assert_int_equal(symlink("/nowhere", left), 0); /* nor is it in the way of the next */
    assert_int_equal(snapshot_write(f->dir, zone->current, 6, f->why), ERR_OK);
    expect_file(f, zone, 6);
    free(again);
    assert_int_equal(snapshot_dir_make(&again, "/nowhere", f->why), ERR_IO);
    assert_null(again);
    free(left);
    free(path);
    zone_free(zone);
}

static void one_is_set_aside_or_removed(void **state)
{
    struct fixture *f = *state;
    struct zone *zone = zone_of(APEX);
    char *name;
    assert_int_equal(snapshot_set_aside(&name, f->dir, test_apex, f->why), ERR_NOT_FOUND);
    assert_null(name);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(snapshot_write(f->dir, zone->current, i, f->why), ERR_OK);
        assert_int_equal(snapshot_set_aside(&name, f->dir, test_apex, f->why), ERR_OK);
        assert_int_equal(access(name, F_OK), 0);
        assert_int_equal(folder_cnt(f->dir, ".zone.aside-"), i);
        assert_int_equal(folder_cnt(f->dir, ""), i);
        free(name);
    }
    assert_int_equal(snapshot_write(f->dir, zone->current, 9, f->why), ERR_OK);
    assert_int_equal(snapshot_remove(f->dir, test_apex, f->why), ERR_OK);
    assert_int_equal(snapshot_remove(f->dir, test_apex, f->why), ERR_OK);
    assert_int_equal(folder_cnt(f->dir, ""), 3);
    zone_free(zone);
}

/* Whatever bytes a name has, there is a file for it, and no other name's. */
static void every_name_has_a_file(void **state)
{
    struct fixture *f = *state;
    static uint8_t long_name[NAME_MAX_LEN];
    for (unsigned i = 0; i < 3; i++) {
        long_name[64 * i] = 63;
        memset(long_name + 64 * i + 1, 'a', 63);
    }
    long_name[192] = 61;
    memset(long_name + 193, 'b', 61);
    const uint8_t *const names[] = {(const uint8_t *)"", (const uint8_t *)"\1/", (const uint8_t *)"\2..",
                                    (const uint8_t *)"\1\0", (const uint8_t *)"\3a.b", (const uint8_t *)"\1a\1b",
                                    (const uint8_t *)"\1\377", (const uint8_t *)"\1_", long_name};
    enum { CNT = sizeof names / sizeof *names };
    char *paths[CNT];
    for (unsigned i = 0; i < CNT; i++) {
        paths[i] = snapshot_path(f->dir, names[i]);
        assert_true(strlen(strrchr(paths[i], '/') + 1) <= 200);
        assert_int_equal(strspn(paths[i] + strlen(f->dir) + 1, "abcdefghijklmnopqrstuvwxyz0123456789-._"),
                         strlen(paths[i] + strlen(f->dir) + 1));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(paths[i], paths[k]);
        file_write(paths[i], "x", 1);
    }
    assert_int_equal(folder_cnt(f->dir, ""), CNT);
    char *lower = snapshot_path(f->dir, test_apex), *upper = snapshot_path(f->dir, (const uint8_t *)"\7EXAMPLE\3Com");
    assert_string_equal(lower, upper);
    assert_non_null(strstr(lower, "/example.com.-"));
    for (unsigned i = 0; i < CNT; i++)
        free(paths[i]);
    free(lower);
    free(upper);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(versions_come_back), CASE(a_large_one_comes_back), CASE(heads_alone), CASE(damage_is_told),
        CASE(what_is_no_file_of_the_zone_is_told), CASE(the_old_one_outlives_a_full_disk), CASE(leftovers_are_cleared),
        CASE(one_is_set_aside_or_removed), CASE(every_name_has_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
