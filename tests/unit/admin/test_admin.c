/* The commands that show, and those that change the daemon at once; reload: test_reload.c; zones:
 * test_zones.c. */
#include "rig.h"

/* ==== status ==== */

static void status_shows_the_server(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->sync.counters.ixfr_whole = 9;
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    assert_string_equal(text(answer.data, "version"), RONDO_VERSION);
    assert_int_equal(number(answer.data, "pid"), getpid());
    assert_string_equal(text(answer.data, "configuration"), "/etc/rondo/rondo.conf");
    assert_string_equal(text(answer.data, "log_level"), "error");
    assert_int_equal(number(answer.data, "workers"), 2);
    assert_int_equal(number(answer.data, "tcp_open"), 4);
    assert_true(number(answer.data, "memory_bytes") > 100000);
    assert_int_equal(strlen(text(answer.data, "started")), 20);
    assert_in_range(number(answer.data, "uptime_seconds"), 0, 60);
    const json_t *zones = json_object_get(answer.data, "zones");
    assert_int_equal(number(zones, "total"), 4);
    assert_int_equal(number(zones, "served"), 1);
    assert_int_equal(number(zones, "stale"), 1);
    assert_int_equal(number(zones, "failed"), 1);
    assert_int_equal(number(zones, "loading"), 1);
    const json_t *pools = json_object_get(answer.data, "pools"), *of_pools = json_object_get(answer.data, "members");
    assert_int_equal(number(pools, "total"), 2);
    assert_int_equal(number(pools, "live"), 1);
    assert_int_equal(number(pools, "all_down"), 1);
    assert_int_equal(number(of_pools, "total"), 2);
    assert_int_equal(number(of_pools, "up"), 1);
    assert_int_equal(number(of_pools, "down"), 1);
    assert_int_equal(number(json_object_get(answer.data, "answers"), "queries_udp"), 11);
    assert_int_equal(number(json_object_get(answer.data, "answers"), "refused"), 2);
    assert_int_equal(number(json_object_get(answer.data, "sockets"), "tcp_accepted"), 3);
    assert_int_equal(number(answer.data, "transfers_running"), 2);
    assert_int_equal(number(json_object_get(answer.data, "transfers"), "ixfr_whole"), 9);
    assert_string_equal(text(json_object_get(answer.data, "last_load"), "result"), "none");
    assert_true(json_is_null(json_object_get(json_object_get(answer.data, "last_load"), "ended")));
    ctl_answer_fini(&answer);
}

static void pools_shows_each(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "pools", NULL, &answer), CTL_STATUS_DONE);
    const json_t *pools = json_object_get(answer.data, "pools");
    assert_int_equal(json_array_size(pools), 2);
    const json_t *pool = json_array_get(pools, 0);
    assert_string_equal(text(pool, "name"), "www.example.com");
    assert_string_equal(text(pool, "zone"), "example.com");
    assert_string_equal(text(pool, "type"), "A");
    assert_string_equal(text(pool, "policy"), "weighted");
    assert_string_equal(text(pool, "state"), "live");
    assert_int_equal(number(pool, "ttl"), 5);
    assert_int_equal(number(pool, "detection_ms"), 8550);
    assert_int_equal(number(pool, "staleness_ms"), 26550);
    const json_t *all = json_object_get(pool, "members"), *member = json_array_get(all, 0);
    assert_int_equal(json_array_size(all), 3);
    assert_string_equal(text(member, "address"), "192.0.2.1");
    assert_string_equal(text(member, "verdict"), "up");
    assert_string_equal(text(member, "reason"), "status 200");
    assert_string_equal(text(member, "since"), "2025-11-30T12:00:00Z");
    assert_int_equal(number(member, "weight"), 4);
    assert_true(json_real_value(json_object_get(member, "weight_now")) == 1.5);
    assert_true(json_real_value(json_object_get(member, "response_ms")) == 1.25);
    assert_string_equal(text(json_object_get(member, "load"), "kind"), "utilization");
    assert_true(json_real_value(json_object_get(json_object_get(member, "load"), "value")) == 0.5);
    assert_true(json_real_value(json_object_get(member, "share")) == 1);
    assert_true(json_is_true(json_object_get(member, "used")));
    member = json_array_get(all, 1);
    assert_string_equal(text(member, "reason"), "connection \\xfe refused");
    assert_true(json_is_true(json_object_get(member, "drained")));
    assert_true(json_is_true(json_object_get(member, "unsettled")));
    assert_true(json_is_null(json_object_get(member, "response_ms")));
    assert_string_equal(text(json_object_get(member, "load"), "kind"), "connections");
    assert_true(json_real_value(json_object_get(json_object_get(member, "load"), "value")) == 291);
    member = json_array_get(all, 2);
    assert_true(json_is_null(json_object_get(member, "load")));
    assert_true(json_is_true(json_object_get(member, "sleeping")));
    assert_true(json_is_null(json_object_get(member, "since")));
    assert_true(json_is_null(json_object_get(member, "reason")));
    pool = json_array_get(pools, 1);
    assert_string_equal(text(pool, "type"), "AAAA");
    assert_string_equal(text(pool, "state"), "all_down");
    assert_true(json_is_null(json_object_get(pool, "detection_ms")));
    ctl_answer_fini(&answer);
}

/* ==== failback, release ==== */

static void expect_failed(struct fixture *f, const char *command, const char *arg, const char *error)
{
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, command, arg, &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, error);
    ctl_answer_fini(&answer);
}

static void failback_counts_the_pools_that_go(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    expect_failed(f, "failback", "www.example.com", "pool \"www.example.com\" is on its best tier");
    expect_failed(f, "failback", "nobody.example.com", "\"nobody.example.com\" is no pool");
    expect_failed(f, "failback", "a..b", "\"a..b\" is no pool");
    expect_failed(f, "failback", "all.", "\"all.\" is no pool");
    f->balance.pools[0].tier = 2;
    f->balance.pools[0].better_tier = 1;
    f->balance.pools[0].better_since_wall_ms = 1764504000000ull;
    f->balance.pools[0].back_wall_ms = 1764504060000ull;
    static const char *const names[] = {"WWW.example.com", "all"};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(talk(&f->loop, f->path, "failback", names[i], &answer), CTL_STATUS_DONE);
        assert_int_equal(number(answer.data, "pools"), 1);
        ctl_answer_fini(&answer);
    }
    assert_int_equal(talk(&f->loop, f->path, "pools", "www.example.com", &answer), CTL_STATUS_DONE);
    const json_t *pool = json_array_get(json_object_get(answer.data, "pools"), 0);
    assert_int_equal(number(pool, "better_tier"), 1);
    assert_string_equal(text(pool, "better_since"), "2025-11-30T12:00:00Z");
    assert_string_equal(text(pool, "back"), "2025-11-30T12:01:00Z");
    assert_true(json_is_null(json_object_get(pool, "trickle_tier")));
    assert_true(json_is_null(json_object_get(answer.data, "hold")));
    ctl_answer_fini(&answer);
}

static void a_hold_is_shown_and_released(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    static const char *const shows[] = {"status", "pools"};
    expect_failed(f, "release", NULL, "no verdicts are held");
    f->balance.hold = (struct balance_hold_view){.is_on = true,
                                                 .cause = HOLD_BY_TARGETS,
                                                 .since_wall_ms = 1764504000000ull,
                                                 .until_wall_ms = 1764504600000ull,
                                                 .target_cnt = 12,
                                                 .failing_cnt = 11,
                                                 .held_cnt = 10,
                                                 .anchor_cnt = 2};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(talk(&f->loop, f->path, shows[i], NULL, &answer), CTL_STATUS_DONE);
        const json_t *hold = json_object_get(answer.data, "hold");
        assert_string_equal(text(hold, "cause"), "targets");
        assert_string_equal(text(hold, "since"), "2025-11-30T12:00:00Z");
        assert_string_equal(text(hold, "until"), "2025-11-30T12:10:00Z");
        assert_int_equal(number(hold, "targets"), 12);
        assert_int_equal(number(hold, "failing"), 11);
        assert_int_equal(number(hold, "held"), 10);
        ctl_answer_fini(&answer);
    }
    assert_int_equal(talk(&f->loop, f->path, "release", NULL, &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    expect_failed(f, "release", NULL, "no verdicts are held");
}

/* ==== pools, all of them ==== */

static int ask_pools(struct fixture *f)
{
    int fd = talk_connect(f->path);
    unsigned before = rig_walk_slices;
    talk_request(&f->loop, fd, "pools", NULL);
    for (uint64_t end_ms = talk_now_ms() + TALK_PATIENCE_MS; rig_walk_slices == before;) {
        assert_true(talk_now_ms() < end_ms);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    return fd;
}

/* All pools are looked at in slices; whoever else asks is answered in between, and who leaves is forgotten. */
static void pools_hold_nobody_up(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.endless = true;
    int first = ask_pools(f);
    unsigned before = rig_walk_slices;
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(rig_walk_slices, before + 1); /* a turn, a slice */
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "pools", "x.example.com", &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    int second = talk_connect(f->path);
    talk_request(&f->loop, second, "pools", NULL);
    close(first);
    f->balance.endless = false;
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    assert_int_equal(json_array_size(json_object_get(answer.data, "pools")), 2);
    ctl_answer_fini(&answer);
    before = rig_walk_slices;
    rig_turn(f);
    assert_int_equal(rig_walk_slices, before); /* nobody waits */
}

static void who_waits_for_pools_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.endless = true;
    int fds[2] = {ask_pools(f), ask_pools(f)};
    rig_turn(f);
    unsigned before = rig_walk_slices;
    admin_close(&f->admin);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_FAILED);
        assert_string_equal(answer.error, "rondod is stopping");
        ctl_answer_fini(&answer);
    }
    assert_int_equal(rig_walk_slices, before);
}

static void pools_takes_a_name(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "pools", "X.Example.com", &answer), CTL_STATUS_DONE);
    const json_t *pools = json_object_get(answer.data, "pools");
    assert_int_equal(json_array_size(pools), 1);
    assert_string_equal(text(json_array_get(pools, 0), "name"), "x.example.com");
    ctl_answer_fini(&answer);
    static const char *const none[] = {"example.com", "..", "a\xff", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(talk(&f->loop, f->path, "pools", none[i], &answer), CTL_STATUS_FAILED);
        assert_non_null(strstr(answer.error, "is no pool"));
        ctl_answer_fini(&answer);
    }
}

static void what_is_no_pool_in_a_signed_zone_is_told_why(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *error;
    } asked[] = {
        {"Nobody.Example.com", "\"Nobody.Example.com\" is no pool: zone \"example.com\" is signed"},
        {"example.com.", "\"example.com.\" is no pool: zone \"example.com\" is signed"},
        {"a.broken1.test", "\"a.broken1.test\" is no pool"}, /* nearer than the root */
        {"test", "\"test\" is no pool: zone \".\" is signed"},
        {"..", "\"..\" is no pool"},
    };
    f->store.zones[0].signed_kind = "no";
    f->store.zones[1].signed_kind = "nsec";
    f->store.zones[3].signed_kind = "nsec3";
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct ctl_answer answer;
        assert_int_equal(talk(&f->loop, f->path, "pools", asked[i].name, &answer), CTL_STATUS_FAILED);
        assert_string_equal(answer.error, asked[i].error);
        ctl_answer_fini(&answer);
    }
}

/* The rest of it: tests/functional/test_near.py. */
static void explain_wants_something_loaded(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    static const char *const args[] = {"www.example.com", "A"};
    size_t len;
    char *bytes = ctl_request_format(&len, "explain", args, 2);
    int fd = talk_connect(f->path);
    assert_true(talk_send(&f->loop, fd, bytes, len));
    free(bytes);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "nothing has been loaded yet");
    ctl_answer_fini(&answer);
}

/* ==== log and stop ==== */

static void log_sets_the_level(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "log", "warning", &answer), CTL_STATUS_DONE);
    assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
    assert_string_equal(text(answer.data, "was"), "error");
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "log", "loud", &answer), CTL_STATUS_USAGE);
    assert_non_null(strstr(answer.error, "expected error, warning"));
    assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
    ctl_answer_fini(&answer);
}

static void stop_answers_first(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "stop", NULL, &answer), CTL_STATUS_DONE);
    assert_true(f->stopped);
    assert_int_equal(number(answer.data, "pid"), getpid());
    ctl_answer_fini(&answer);
}

/* ==== the socket ==== */

static void a_second_server_is_refused(void **state)
{
    struct fixture *f = *state;
    struct diag *diag = diag_new(4);
    struct admin *second;
    struct admin_setup setup = {.loop = &f->loop,
                                .control_path = f->path,
                                .conf_path = "c",
                                .store = &f->store,
                                .hooks = {f, rig_on_reload, rig_on_load_zone, rig_on_stop}};
    assert_int_equal(admin_open(&second, &setup, diag), ERR_EXISTS);
    assert_null(second);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    diag_free(diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(status_shows_the_server),
        CASE(pools_shows_each),
        CASE(failback_counts_the_pools_that_go),
        CASE(a_hold_is_shown_and_released),
        CASE(pools_hold_nobody_up),
        CASE(who_waits_for_pools_at_the_end_is_told),
        CASE(pools_takes_a_name),
        CASE(what_is_no_pool_in_a_signed_zone_is_told_why),
        CASE(explain_wants_something_loaded),
        CASE(log_sets_the_level),
        CASE(stop_answers_first),
        CASE(a_second_server_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
