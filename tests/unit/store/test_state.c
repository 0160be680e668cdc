/* State over a restart, of a balance whose prober says what it is told to: orders, verdicts, records that are none, and
 * folders that are of no use. */
#include "store/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/lmdb.h"
#include "store/state_dir.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

static const char plan[] = "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
                           "zones = ( { balance = ( { name = \"www\"; probe = \"tcp\"; } ); } );";
static const char zone[] = "www 60 A 1\nwww 60 A 2\n";
static const uint8_t www[] = "\3www\7example\3com";

struct fixture {
    char dir[64];
    struct rig rig;
    struct state *state;
    struct diag *diag;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/rondo-state-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    log_set_level(LOG_LEVEL_ERROR);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char *command = mem_printf("rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(command);
    diag_free(f->diag);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    diag_free(f->diag);
    f->diag = diag_new(10);
    rig_init(&f->rig, true);
    assert_int_equal(state_open(&f->state, &f->rig.loop, f->dir, f->rig.balance, f->diag), ERR_OK);
    rig_plan(&f->rig, plan);
    rig_zone(&f->rig, zone);
    state_follow(f->state);
}

static void end(struct fixture *f)
{
    state_end(f->state);
    while (!state_ended(f->state))
        uv_run(&f->rig.loop, UV_RUN_ONCE);
    state_close(f->state);
    rig_fini(&f->rig);
}

static struct operate_member member_of(uint8_t last)
{
    return (struct operate_member){test_apex, www, {.bytes = {192, 0, 2, last}, .family = ADDR_V4}};
}

struct answer {
    unsigned cnt;
    char why[256];
};

static void note(void *arg, const char *why)
{
    struct answer *answer = arg;
    answer->cnt++;
    snprintf(answer->why, sizeof answer->why, "%s", why ? why : "");
}

static void order(struct fixture *f, uint8_t last, enum operate_kind kind, const struct operate_order *given)
{
    struct answer answer = {0};
    const struct operate_member member = member_of(last);
    state_order(f->state, &member, 1, kind, given, note, &answer);
    while (!answer.cnt)
        uv_run(&f->rig.loop, UV_RUN_ONCE);
    assert_string_equal(answer.why, "");
    rig_spin(&f->rig);
}

static const struct operate_order *get(struct fixture *f, uint8_t last, enum operate_kind kind)
{
    const struct operate_member member = member_of(last);
    return operate_get(f->rig.balance, &member, kind);
}

static const struct operate_order drain = {.since_wall_ms = 5, .uid = 1, .pid = 2, .reason = "disks"};

/* ---- orders */

static void orders_outlive_us(void **state)
{
    struct fixture *f = *state;
    const struct operate_order force = {.forced = HEALTH_UP, .reason = ""};
    begin(f);
    order(f, 1, OPERATE_DRAIN, &drain);
    order(f, 2, OPERATE_FORCE, &force);
    order(f, 9, OPERATE_DRAIN, &drain);
    order(f, 9, OPERATE_DRAIN, NULL);
    end(f);
    begin(f);
    assert_int_equal(diag_cnt(f->diag, DIAG_WARNING), 0);
    assert_string_equal(get(f, 1, OPERATE_DRAIN)->reason, "disks");
    assert_int_equal(get(f, 2, OPERATE_FORCE)->forced, HEALTH_UP);
    assert_null(get(f, 9, OPERATE_DRAIN));
    expect_answer(&f->rig, "www", "2 ttl 20");
    end(f);
}

/* It is in force when it is durable, not before. */
static void nothing_happens_before_it_is_kept(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    const struct operate_member member = member_of(1);
    begin(f);
    state_order(f->state, &member, 1, OPERATE_DRAIN, &drain, note, &answer);
    assert_int_equal(answer.cnt, 0);
    assert_null(get(f, 1, OPERATE_DRAIN));
    end(f); /* answers */
    assert_int_equal(answer.cnt, 1);
    assert_string_equal(answer.why, "");
    begin(f);
    assert_non_null(get(f, 1, OPERATE_DRAIN));
    end(f);
}

/* Its time is over, also while nobody ran; a record that is on its way is not overtaken. */
static void times_end(void **state)
{
    struct fixture *f = *state;
    struct operate_order shortly = drain;
    struct answer answer = {0};
    const struct operate_member member = member_of(1);
    begin(f);
    shortly.until_wall_ms = clock_wall_ms() + 50;
    order(f, 1, OPERATE_DRAIN, &shortly); /* it may be over when this returns: machines are slow at times */
    while (get(f, 1, OPERATE_DRAIN))
        uv_run(&f->rig.loop, UV_RUN_ONCE);
    rig_spin(&f->rig);
    expect_answer(&f->rig, "www", "1 2 ttl 20");
    shortly.until_wall_ms = clock_wall_ms() + 20;
    order(f, 1, OPERATE_DRAIN, &shortly);
    usleep(40 * 1000); /* it is over, but not seen yet, when the next is given */
    state_order(f->state, &member, 1, OPERATE_DRAIN, &drain, note, &answer);
    while (!answer.cnt)
        uv_run(&f->rig.loop, UV_RUN_ONCE);
    for (int i = 0; i < 20; i++) {
        uv_run(&f->rig.loop, UV_RUN_NOWAIT);
        usleep(5000);
    }
    assert_non_null(get(f, 1, OPERATE_DRAIN));
    shortly.until_wall_ms = clock_wall_ms() + 20;
    order(f, 2, OPERATE_DRAIN, &shortly);
    end(f);
    usleep(40 * 1000);
    begin(f);
    assert_non_null(get(f, 1, OPERATE_DRAIN));
    assert_null(get(f, 2, OPERATE_DRAIN));
    end(f);
}

static void last_answers_are_kept(void **state)
{
    struct fixture *f = *state;
    begin(f);
    order(f, 1, OPERATE_DRAIN, &drain);
    uint64_t last = get(f, 1, OPERATE_DRAIN)->last_answer_wall_ms;
    assert_true(last != 0);
    end(f);
    begin(f);
    assert_true(get(f, 1, OPERATE_DRAIN)->last_answer_wall_ms == last);
    end(f);
}

/* ---- verdicts */

static void say_both(struct fixture *f)
{
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    fake_say("192.0.2.2", HEALTH_UP, true, "no answer within 1s");
    rig_spin(&f->rig);
}

static void verdicts_outlive_us(void **state)
{
    struct fixture *f = *state;
    size_t cnt;
    begin(f);
    say_both(f);
    end(f);
    begin(f);
    const struct health_memory *memories = fake_remembered(&cnt);
    assert_int_equal(cnt, 2);
    assert_int_equal(memories[0].verdict, HEALTH_DOWN);
    assert_string_equal(memories[0].reason, "connection refused");
    assert_true(memories[1].verdict == HEALTH_UP && memories[1].unsettled);
    end(f); /* what nobody found again is gone */
    begin(f);
    fake_remembered(&cnt);
    assert_int_equal(cnt, 0);
    end(f);
}

/* As if killed: what was told was written a tenth of a second later. */
static void transitions_are_written_at_once(void **state)
{
    struct fixture *f = *state;
    size_t cnt;
    begin(f);
    say_both(f);
    for (uint64_t end_ms = clock_mono_ms() + 400; clock_mono_ms() < end_ms;) {
        uv_run(&f->rig.loop, UV_RUN_NOWAIT);
        usleep(5000);
    }
    state_close(f->state); /* without state_end */
    rig_fini(&f->rig);
    begin(f);
    fake_remembered(&cnt);
    assert_int_equal(cnt, 2);
    end(f);
}

struct record {
    const char *database;
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};

static void fill(void *arg, struct lmdb_write *write)
{
    const struct record *r = arg;
    lmdb_put(write, r->database, r->key, r->key_len, r->value, r->value_len);
}

static void put_record(struct fixture *f, const struct record *record)
{
    struct lmdb *lmdb;
    char *path = mem_printf("%s/rondo.mdb", f->dir), why[LMDB_WHY_MAX];
    assert_int_equal(lmdb_open(&lmdb, path, why), ERR_OK);
    assert_int_equal(lmdb_write(lmdb, fill, (void *)(uintptr_t)record, why), ERR_OK);
    lmdb_close(lmdb);
    free(path);
}

static size_t remembered_of_age(struct fixture *f, int64_t age_ms)
{
    static const uint8_t key[] = "verdicts";
    uint8_t value[STATE_TIME_VALUE_LEN];
    size_t cnt;
    begin(f);
    say_both(f);
    end(f);
    state_time_value(value, key, 8, (uint64_t)((int64_t)clock_wall_ms() - age_ms));
    put_record(f, &(struct record){"times", key, 8, value, sizeof value});
    begin(f);
    fake_remembered(&cnt);
    end(f);
    return cnt;
}

static void old_verdicts_are_worthless(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(remembered_of_age(f, 4 * 60 * 1000), 2);
    assert_int_equal(remembered_of_age(f, 5 * 60 * 1000 + 1000), 0);
    assert_int_equal(remembered_of_age(f, -4 * 60 * 1000), 2); /* the clock was set */
    assert_int_equal(remembered_of_age(f, -6 * 60 * 1000), 0);
}

/* ---- records that are none */

static void garbage_is_passed_over(void **state)
{
    struct fixture *f = *state;
    static const uint8_t key[] = "0123456789abcdef", value[] = "this is no record of ours, whoever wrote it";
    static const char *const databases[] = {"orders", "verdicts", "times"};
    size_t cnt;
    begin(f);
    order(f, 1, OPERATE_DRAIN, &drain);
    say_both(f);
    end(f);
    for (size_t i = 0; i < 3; i++) {
        put_record(f, &(struct record){databases[i], key, 16, value, sizeof value});
        put_record(f, &(struct record){databases[i], key, 5, value, 0});
    }
    begin(f);
    assert_int_equal(diag_cnt(f->diag, DIAG_WARNING), 2);
    expect_said(diag_text(f->diag), "records of drains and forced states that are none, passed over: 2");
    expect_said(diag_text(f->diag), "records of verdicts that are none, passed over: 2");
    assert_non_null(get(f, 1, OPERATE_DRAIN));
    fake_remembered(&cnt);
    assert_int_equal(cnt, 2);
    end(f);
}

/* ---- folders */

static void a_useless_folder_is_said(void **state)
{
    struct fixture *f = *state;
    struct answer answer = {0};
    const struct operate_member member = member_of(1);
    char dir[sizeof f->dir];
    strcpy(dir, f->dir);
    strcpy(f->dir, "/dev/null");
    begin(f);
    assert_int_equal(diag_cnt(f->diag, DIAG_WARNING), 1);
    expect_said(diag_text(f->diag), "state_dir \"/dev/null\" cannot be used");
    expect_said(diag_text(f->diag), "Not a directory");
    state_order(f->state, &member, 1, OPERATE_DRAIN, &drain, note, &answer);
    assert_int_equal(answer.cnt, 1);
    expect_said(answer.why, "cannot be used");
    assert_null(get(f, 1, OPERATE_DRAIN));
    say_both(f);
    end(f);
    strcpy(f->dir, dir);
}

static void a_folder_is_made(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    strcat(f->dir, "/new");
    state_dir_make(f->dir, geteuid(), getegid());
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(f->dir), 0);
    begin(f);
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    end(f);
    *strrchr(f->dir, '/') = '\0';
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(orders_outlive_us),
        CASE(nothing_happens_before_it_is_kept),
        CASE(times_end),
        CASE(last_answers_are_kept),
        CASE(verdicts_outlive_us),
        CASE(transitions_are_written_at_once),
        CASE(old_verdicts_are_worthless),
        CASE(garbage_is_passed_over),
        CASE(a_useless_folder_is_said),
        CASE(a_folder_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
