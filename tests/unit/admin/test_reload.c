/* rondoctl reload: who waits for which load, and what it is told of it. */
#include "rig.h"

#include <time.h>

static int ask_reload(struct fixture *f)
{
    int fd = talk_connect(f->path);
    f->asked = false;
    talk_request(&f->loop, fd, "reload", NULL);
    return fd;
}

static void reload_waits_and_tells_what_happened(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    struct diag *conf = diag_new(10), *zones = diag_new(10);
    char **names = mem_zalloc(2, sizeof *names);
    names[0] = mem_strdup("broken1.test");
    names[1] = mem_strdup("worse.test");
    diag_warning(conf, "/etc/rondo.conf", 4, "odd");
    diag_error(zones, "/z/bro\xffken", 3, "bad \xfe");
    diag_error(zones, NULL, 0, "no file");
    struct store_report report = {
        .loaded = 1, .unchanged = 2, .failed = 2, .added = 3, .removed = 4, .diag = zones, .failed_names = names};
    struct admin_load load = {ERR_OK, conf, &report};
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    rig_turn(f);
    rig_load_ends(f, &load);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "2 zones failed: broken1.test, worse.test");
    assert_string_equal(text(answer.data, "result"), "zones failed");
    assert_int_equal(number(answer.data, "loaded"), 1);
    assert_int_equal(number(answer.data, "unchanged"), 2);
    assert_int_equal(number(answer.data, "failed"), 2);
    assert_int_equal(number(answer.data, "added"), 3);
    assert_int_equal(number(answer.data, "removed"), 4);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer.data, "failed_zones"), 1)),
                        "worse.test");
    const json_t *messages = json_object_get(answer.data, "messages");
    assert_int_equal(json_array_size(messages), 3);
    assert_string_equal(text(json_array_get(messages, 0), "level"), "warning");
    assert_int_equal(number(json_array_get(messages, 0), "line"), 4);
    assert_string_equal(text(json_array_get(messages, 1), "file"), "/z/bro\\xffken");
    assert_true(json_is_null(json_object_get(json_array_get(messages, 2), "file")));
    assert_int_equal(number(answer.data, "messages_omitted"), 0);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    const json_t *last = json_object_get(answer.data, "last_load");
    assert_string_equal(text(last, "result"), "zones failed");
    assert_int_equal(number(last, "errors"), 2);
    assert_int_equal(number(last, "warnings"), 1);
    assert_in_range(number(last, "age_seconds"), 0, 60);
    ctl_answer_fini(&answer);
    assert_null(load.diag); /* taken */
    assert_null(report.diag);
    assert_null(report.failed_names);
}

/* The end of a load with very many failed zones, told to several at once: text is made of it in a job. */
/* What this thread has run: a job that renders an answer meanwhile is not its time. */
static double thread_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void a_load_that_went_very_wrong_holds_nothing_up(void **state)
{
    enum { FAILED_CNT = 50000, ASKED_CNT = 8, MOST_MS = 10 /* twice what a turn of the control thread may take */ };
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fds[ASKED_CNT];
    struct store_report report = {.failed = FAILED_CNT, .diag = diag_new(STORE_REPORT_MOST)};
    report.failed_names = mem_zalloc(FAILED_CNT, sizeof *report.failed_names);
    for (unsigned i = 0; i < FAILED_CNT; i++) {
        report.failed_names[i] = mem_printf("zone%u.example", i);
        diag_error(report.diag, "/etc/rondo/zones/all", i, "expected an address, not \"nonsense\"");
    }
    struct admin_load load = {.zones = &report};
    f->reload_err = ERR_BUSY;
    for (int i = 0; i < ASKED_CNT; i++)
        fds[i] = ask_reload(f);
    while (f->reload_cnt < ASKED_CNT)
        rig_turn(f);
    admin_load_begins(f->admin);
    double before = thread_ms();
    admin_load_done(f->admin, &load);
    double took = thread_ms() - before;
    print_message("%d failed zones, told to %d clients: %.3f ms of the control thread\n", FAILED_CNT, ASKED_CNT, took);
    assert_true(took < MOST_MS);
    for (int i = 0; i < ASKED_CNT; i++) {
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_FAILED);
        assert_int_equal(json_array_size(json_object_get(answer.data, "failed_zones")), FAILED_CNT);
        assert_int_equal(number(answer.data, "messages_omitted"), FAILED_CNT - 1000);
        ctl_answer_fini(&answer);
    }
}

static void a_refused_configuration_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    struct diag *conf = diag_new(1200);
    for (unsigned i = 0; i < 1500; i++)
        diag_error(conf, "/etc/rondo.conf", i + 1, "unknown key");
    struct admin_load load = {ERR_INVALID, conf, NULL};
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    rig_load_ends(f, &load);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "configuration refused: 1500 errors; nothing was changed");
    assert_string_equal(text(answer.data, "result"), "refused");
    assert_int_equal(json_array_size(json_object_get(answer.data, "messages")), 1000);
    assert_int_equal(number(answer.data, "messages_omitted"), 500);
    ctl_answer_fini(&answer);
}

static void a_load_may_end_within_the_hook(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->ends_at_once = true;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(talk(&f->loop, f->path, "reload", NULL, &answer), CTL_STATUS_DONE);
        assert_null(answer.error);
        assert_string_equal(text(answer.data, "result"), "done");
        ctl_answer_fini(&answer);
    }
    assert_int_equal(f->reload_cnt, 3);
}

static void a_hook_that_fails_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->reload_err = ERR_CLOSED;
    assert_int_equal(talk(&f->loop, f->path, "reload", NULL, &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, err_text(ERR_CLOSED));
    ctl_answer_fini(&answer);
}

/* Files may have changed after the load that runs had read them: who asks then is told of the next one. */
static void who_asks_during_a_load_waits_for_the_next(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int first = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    int second = ask_reload(f), third = ask_reload(f);
    rig_turn(f);
    assert_int_equal(f->reload_cnt, 1);
    rig_end_load(f);
    assert_int_equal(talk_answer(&f->loop, first, &answer), ERR_OK);
    ctl_answer_fini(&answer);
    talk_until(&f->loop, &f->asked);
    rig_turn(f);
    assert_int_equal(f->reload_cnt, 2); /* one load for both */
    rig_end_load(f);
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(talk_answer(&f->loop, third, &answer), ERR_OK);
    ctl_answer_fini(&answer);
    rig_turn(f);
    assert_int_equal(f->reload_cnt, 2);
}

/* A load that SIGHUP started runs: the command's own follows it. */
static void who_asks_during_another_load_waits_for_an_own(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    f->reload_err = ERR_BUSY;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    f->reload_err = ERR_OK;
    f->asked = false;
    rig_turn(f);
    assert_false(f->asked);
    struct admin_load other = {.err = ERR_INVALID};
    admin_load_done(f->admin, &other);
    talk_until(&f->loop, &f->asked);
    rig_end_load(f);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(f->reload_cnt, 2);
}

/* Signals never cease: each load's end begins the next at once. The one that
 * began after the command is as good as its own. */
static void any_load_that_begins_later_will_do(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    admin_load_begins(f->admin);
    f->reload_err = ERR_BUSY;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    rig_end_load(f);
    admin_load_begins(f->admin);
    rig_turn(f);
    int late = ask_reload(f);
    rig_turn(f);
    rig_end_load(f);
    admin_load_begins(f->admin);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    assert_int_equal(f->reload_cnt, 2); /* each asked once, in vain */
    rig_end_load(f);
    assert_int_equal(talk_answer(&f->loop, late, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

static void clients_that_leave_harm_no_reload(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int fd = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    close(fd);
    for (int i = 0; i < 100; i++) {
        fd = ask_reload(f);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        close(fd);
    }
    rig_turn(f);
    int last = ask_reload(f);
    rig_turn(f);
    rig_end_load(f);
    talk_until(&f->loop, &f->asked);
    rig_end_load(f);
    assert_int_equal(talk_answer(&f->loop, last, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

static void who_waits_at_the_end_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int first = ask_reload(f);
    talk_until(&f->loop, &f->asked);
    int second = ask_reload(f);
    rig_turn(f);
    admin_close(&f->admin);
    assert_int_equal(talk_answer(&f->loop, first, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "rondod is stopping");
    ctl_answer_fini(&answer);
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    ctl_answer_fini(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reload_waits_and_tells_what_happened),
        CASE(a_load_that_went_very_wrong_holds_nothing_up),
        CASE(a_refused_configuration_is_told),
        CASE(a_load_may_end_within_the_hook),
        CASE(a_hook_that_fails_is_told),
        CASE(who_asks_during_a_load_waits_for_the_next),
        CASE(who_asks_during_another_load_waits_for_an_own),
        CASE(any_load_that_begins_later_will_do),
        CASE(clients_that_leave_harm_no_reload),
        CASE(who_waits_at_the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
