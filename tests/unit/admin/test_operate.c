/* drain, undrain, force, unforce and check: words in, orders out, and what is answered when. */
#include "rig.h"

static void ask(struct fixture *f, int fd, const char *command, const char *const *args, size_t cnt)
{
    size_t len;
    char *bytes = ctl_request_format(&len, command, args, cnt);
    assert_true(talk_send(&f->loop, fd, bytes, len));
    free(bytes);
}

static int run(struct fixture *f, struct ctl_answer *answer, const char *command, const char *const *args, size_t cnt)
{
    int fd = talk_connect(f->path);
    ask(f, fd, command, args, cnt);
    assert_int_equal(talk_answer(&f->loop, fd, answer), ERR_OK);
    return answer->status;
}

#define WORDS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)
#define MEMBER "www.example.com", "192.0.2.1"

static void expect_error(struct fixture *f, int status, const char *part, const char *command, const char *const *args,
                         size_t cnt)
{
    struct ctl_answer answer;
    assert_int_equal(run(f, &answer, command, args, cnt), status);
    assert_non_null(answer.error);
    if (!strstr(answer.error, part))
        fail_msg("\"%s\" is not in \"%s\"", part, answer.error);
    ctl_answer_fini(&answer);
    assert_int_equal(f->state.given_cnt, 0);
}

static void orders_are_given(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.served = true;
    assert_int_equal(
        run(f, &answer, "drain", WORDS("WWW.Example.com.", "192.0.2.1", "--for", "10m", "--reason", "a b")),
        CTL_STATUS_DONE);
    assert_string_equal(text(answer.data, "pool"), "www.example.com");
    assert_string_equal(text(answer.data, "member"), "192.0.2.1");
    const json_t *zone = json_array_get(json_object_get(answer.data, "zones"), 0);
    assert_string_equal(text(zone, "zone"), "example.com");
    assert_string_equal(text(json_object_get(zone, "member"), "address"), "192.0.2.1");
    ctl_answer_fini(&answer);
    const struct order_given *given = &f->state.given[0];
    assert_int_equal(f->state.given_cnt, 1);
    assert_int_equal(given->kind, OPERATE_DRAIN);
    assert_int_equal(given->address.bytes[3], 1);
    assert_string_equal(given->reason, "a b");
    assert_int_equal(given->order.until_wall_ms - given->order.since_wall_ms, 600000);
    assert_int_equal(given->order.uid, geteuid());
    assert_int_equal(given->order.pid, getpid());
    assert_int_equal(run(f, &answer, "force", WORDS("--reason", "", MEMBER, "down")), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    given = &f->state.given[1];
    assert_int_equal(given->kind, OPERATE_FORCE);
    assert_int_equal(given->order.forced, HEALTH_DOWN);
    assert_true(given->order.until_wall_ms == 0);
    assert_int_equal(run(f, &answer, "force", WORDS(MEMBER, "up")), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(f->state.given[2].order.forced, HEALTH_UP);
}

/* Not before tables tell it. */
static void the_answer_waits(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fd = talk_connect(f->path);
    ask(f, fd, "drain", WORDS(MEMBER));
    while (!f->balance.waiting)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    rig_turn(f);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    f->balance.waiting(f->balance.waiting_arg);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
}

static void the_client_may_leave(void **state)
{
    struct fixture *f = *state;
    int fd = talk_connect(f->path);
    ask(f, fd, "drain", WORDS(MEMBER));
    while (!f->balance.waiting)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    close(fd);
    rig_turn(f);
    f->balance.waiting(f->balance.waiting_arg);
}

static void what_cannot_be_kept_is_said(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->state.why = "No space left on device";
    assert_int_equal(run(f, &answer, "drain", WORDS(MEMBER)), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "No space left on device");
    ctl_answer_fini(&answer);
    assert_null(f->balance.waiting);
}

static void orders_are_lifted(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->balance.served = true;
    expect_error(f, CTL_STATUS_FAILED, "is not drained", "undrain", WORDS(MEMBER));
    expect_error(f, CTL_STATUS_FAILED, "is not forced", "unforce", WORDS(MEMBER));
    expect_error(f, CTL_STATUS_FAILED, "its weight in the configuration is 0", "undrain",
                 WORDS("www.example.com", "192.0.2.2"));
    expect_error(f, CTL_STATUS_FAILED, "is no member of it", "undrain", WORDS("www.example.com", "192.0.2.9"));
    f->balance.orders[0].member = (struct operate_member){(const uint8_t *)"\7example\3com",
                                                          (const uint8_t *)"\3www\7example\3com",
                                                          {.bytes = {192, 0, 2, 9}, .family = ADDR_V4}};
    f->balance.orders[0].order.reason = "";
    f->balance.order_cnt = 1;
    assert_int_equal(run(f, &answer, "undrain", WORDS("www.example.com", "192.0.2.9")), CTL_STATUS_DONE);
    assert_int_equal(json_array_size(json_object_get(answer.data, "zones")), 0);
    ctl_answer_fini(&answer);
    assert_true(f->state.given[0].is_lifted);
    assert_int_equal(run(f, &answer, "pools", WORDS("www.example.com")), CTL_STATUS_DONE);
    const json_t *lone = json_array_get(json_object_get(answer.data, "orders_without_member"), 0);
    assert_string_equal(text(lone, "member"), "192.0.2.9");
    assert_true(json_is_object(json_object_get(lone, "drain")));
    ctl_answer_fini(&answer);
}

static void wrong_words_are_said(void **state)
{
    struct fixture *f = *state;
    expect_error(f, CTL_STATUS_USAGE, "too much", "drain", WORDS(MEMBER, "x"));
    expect_error(f, CTL_STATUS_USAGE, "too few", "drain", WORDS("--for", "1h", "www.example.com"));
    expect_error(f, CTL_STATUS_USAGE, "\"--for\" needs a value", "drain", WORDS(MEMBER, "--for"));
    expect_error(f, CTL_STATUS_USAGE, "unknown option \"--force\"", "drain", WORDS(MEMBER, "--force", "1"));
    expect_error(f, CTL_STATUS_USAGE, "is no time", "drain", WORDS(MEMBER, "--for", "-1s"));
    expect_error(f, CTL_STATUS_USAGE, "is no time", "drain", WORDS(MEMBER, "--for", "0s"));
    expect_error(f, CTL_STATUS_USAGE, "is no time", "drain", WORDS(MEMBER, "--for", "5000d"));
    expect_error(f, CTL_STATUS_USAGE, "expected up or down", "force", WORDS(MEMBER, "UP"));
    expect_error(f, CTL_STATUS_USAGE, "too few arguments", "force", WORDS(MEMBER));
    expect_error(f, CTL_STATUS_FAILED, "\"--for\" is no address", "undrain", WORDS("www.example.com", "--for"));
    expect_error(f, CTL_STATUS_FAILED, "did you mean \"www.example.com\"?", "drain", WORDS("www", "192.0.2.1"));
    expect_error(f, CTL_STATUS_FAILED, "did you mean \"www.example.com\"?", "drain",
                 WORDS("ww.example.com", "192.0.2.1"));
    expect_error(f, CTL_STATUS_FAILED, "\"rondoctl pools\" shows all", "drain", WORDS("..", "192.0.2.1"));
    expect_error(f, CTL_STATUS_FAILED, "it has 192.0.2.1, 192.0.2.2, 192.0.2.3", "drain",
                 WORDS("www.example.com", "192.0.2.4"));
    expect_error(f, CTL_STATUS_FAILED, "\"server1\" is no address; it has", "check",
                 WORDS("www.example.com", "server1"));
    expect_error(f, CTL_STATUS_FAILED, "it has none", "drain", WORDS("x.example.com", "2001:db8::1"));
}

static void nobody_keeps_anything_yet(void **state)
{
    struct fixture *f = *state;
    admin_set_state(f->admin, NULL);
    expect_error(f, CTL_STATUS_FAILED, "rondod is starting", "drain", WORDS(MEMBER));
}

/* ---- check */

static void checks_are_shown(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    char web[] = "web", tcp[] = "tcp", ping[] = "ping";
    const struct look_check checks[] = {
        {.probe = web, .type = "http", .has_port = true, .ended = true,
         .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 80},
         .trace = {.outcome = PROBE_PASSED,
                   .steps = {.connected_us = 100, .sent_us = 200, .first_byte_us = 1500, .ended_us = 2000},
                   .reason = "status 200"}},
        {.probe = tcp, .type = "tcp", .has_port = true, .ended = true,
         .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 443},
         .trace = {.outcome = PROBE_FAILED, .steps = {.ended_us = 1}, .reason = "connection refused"}},
        {.probe = ping, .type = "ping", .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4}},
    };
    f->balance.look = (struct look){checks, 1};
    assert_int_equal(run(f, &answer, "check", WORDS(MEMBER)), CTL_STATUS_DONE);
    assert_null(answer.error);
    ctl_answer_fini(&answer);
    f->balance.look.cnt = 3;
    assert_int_equal(run(f, &answer, "check", WORDS(MEMBER)), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "2 of 3 checks did not pass");
    const json_t *list = json_object_get(answer.data, "checks"), *check = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(text(check, "address"), "192.0.2.1@80");
    assert_string_equal(text(check, "result"), "passed");
    assert_true(json_real_value(json_object_get(check, "first_byte_ms")) == 1.5);
    check = json_array_get(list, 1);
    assert_string_equal(text(check, "result"), "failed");
    assert_string_equal(text(check, "reason"), "connection refused");
    assert_true(json_is_null(json_object_get(check, "connected_ms")));
    check = json_array_get(list, 2);
    assert_string_equal(text(check, "result"), "given up");
    assert_string_equal(text(check, "address"), "192.0.2.1");
    assert_true(json_is_null(json_object_get(check, "ended_ms")));
    ctl_answer_fini(&answer);
}

static void what_is_not_checked_is_said(void **state)
{
    struct fixture *f = *state;
    f->balance.look_err = ERR_INVALID;
    expect_error(f, CTL_STATUS_FAILED, "192.0.2.1 of pool \"www.example.com\" is not checked: it has no probe", "check",
                 WORDS(MEMBER));
    f->balance.look_err = ERR_NOT_FOUND;
    expect_error(f, CTL_STATUS_FAILED, "the zone has no such record", "check", WORDS("www.example.com", "192.0.2.3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(orders_are_given),
        CASE(the_answer_waits),
        CASE(the_client_may_leave),
        CASE(what_cannot_be_kept_is_said),
        CASE(orders_are_lifted),
        CASE(wrong_words_are_said),
        CASE(nobody_keeps_anything_yet),
        CASE(checks_are_shown),
        CASE(what_is_not_checked_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
