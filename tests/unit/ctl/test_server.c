#include "ctl/server.h"

#include "talk.h"

#include "base/log.h"
#include "base/mem.h"

/* `status` answers at once, `reload` when the test says so, `zones` from a job, `log` echoes its argument, `stop`
 * answers with 40 MiB. */
struct fixture {
    uv_loop_t loop;
    struct ctl_server *server;
    char path[64];
    struct ctl_reply *waiting;
    bool is_waiting;
    unsigned freed_cnt;
};

static void run_status(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)arg;
    (void)request;
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, json_pack("{si}", "n", 5));
    assert_null(reply);
}

static void run_reload(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    struct fixture *f = arg;
    (void)request;
    f->waiting = reply;
    f->is_waiting = true;
}

static void render(void *arg, struct ctl_result *result)
{
    (void)arg;
    result->status = CTL_STATUS_FAILED;
    result->error = mem_strdup("rendered");
    result->data = json_integer(7);
}

static void rendered(void *arg)
{
    struct fixture *f = arg;
    f->freed_cnt++;
}

static void run_zones(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)request;
    ctl_reply_render(&reply, render, rendered, arg);
    assert_null(reply);
}

static void run_log(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)arg;
    ctl_reply_send(&reply, CTL_STATUS_FAILED, request->args[0], NULL);
}

enum { LARGE_LEN = CTL_ANSWER_MAX / 8 * 5 };

/* Made of as little as can be: the server waits ten seconds for its reader, and a sanitizer may be slow. */
static json_t *large_text(void)
{
    static char text[LARGE_LEN];
    if (!*text)
        memset(text, 'x', sizeof text);
    return json_stringn_nocheck(text, sizeof text);
}

static void run_stop(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    (void)arg;
    (void)request;
    ctl_reply_send(&reply, CTL_STATUS_DONE, NULL, large_text());
}

static ctl_command_fn *const run[CTL_COMMAND_CNT] = {
    [CTL_COMMAND_status] = run_status, [CTL_COMMAND_reload] = run_reload, [CTL_COMMAND_zones] = run_zones,
    [CTL_COMMAND_log] = run_log,       [CTL_COMMAND_stop] = run_stop,
};

static int start(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct diag *diag = diag_new(4);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->path, sizeof f->path, "/tmp/rondo-ctl-%ld", (long)getpid());
    uv_loop_init(&f->loop);
    assert_int_equal(ctl_server_open(&f->server, &f->loop, f->path, run, f, diag), ERR_OK);
    diag_free(diag);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    if (f->server)
        ctl_server_close(&f->server);
    assert_null(f->server);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static void commands_answer(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    assert_int_equal(json_integer_value(json_object_get(answer.data, "n")), 5);
    assert_null(answer.error);
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "log", "echo \xff", &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "echo \\xff");
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "zones", NULL, &answer), CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "rendered");
    assert_int_equal(json_integer_value(answer.data), 7);
    assert_int_equal(f->freed_cnt, 1);
    ctl_answer_fini(&answer);
}

static void wrong_usage_is_told(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    assert_int_equal(talk(&f->loop, f->path, "nothing", NULL, &answer), CTL_STATUS_USAGE);
    assert_non_null(strstr(answer.error, "\"nothing\""));
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "log", NULL, &answer), CTL_STATUS_USAGE);
    assert_non_null(strstr(answer.error, "too few arguments; usage: log LEVEL"));
    ctl_answer_fini(&answer);
    assert_int_equal(talk(&f->loop, f->path, "status", "x", &answer), CTL_STATUS_USAGE);
    assert_non_null(strstr(answer.error, "too many"));
    ctl_answer_fini(&answer);
}

static void garbage_is_answered(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "too large"},
        {"\xff\xff\xff\xff", 4, "too large"},
        {"\0\0\20\1{}", 6, "too large: it may have 4,096 bytes"},
        {"\0\0\0\3abc", 7, "not JSON"},
        {"\0\0\0\0", 4, "not JSON"},
        {"\0\0\0\2{}{}", 8, "follow"},
        {"\0\0\0\13{\"rondo\":7}", 15, "version 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl_answer answer;
        int fd = talk_connect(f->path);
        assert_true(talk_send(&f->loop, fd, cases[i].bytes, cases[i].len));
        assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_USAGE);
        assert_non_null(strstr(answer.error, cases[i].why));
        ctl_answer_fini(&answer);
    }
}

static void a_flood_is_cut_off(void **state)
{
    struct fixture *f = *state;
    static char flood[256 * 1024];
    struct ctl_answer answer;
    int fd = talk_connect(f->path);
    for (bool open = true; open;)
        open = talk_send(&f->loop, fd, flood, sizeof flood);
    close(fd);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
}

static void a_command_may_answer_later(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer, other;
    int fd = talk_connect(f->path);
    talk_request(&f->loop, fd, "reload", NULL);
    talk_until(&f->loop, &f->is_waiting);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &other), CTL_STATUS_DONE);
    ctl_answer_fini(&other);
    assert_true(ctl_reply_wanted(f->waiting));
    ctl_reply_send(&f->waiting, CTL_STATUS_FAILED, "late", NULL);
    assert_int_equal(talk_answer(&f->loop, fd, &answer), ERR_OK);
    assert_string_equal(answer.error, "late");
    ctl_answer_fini(&answer);
}

static void a_reply_outlives_its_client_and_the_server(void **state)
{
    struct fixture *f = *state;
    int fd = talk_connect(f->path);
    talk_request(&f->loop, fd, "reload", NULL);
    talk_until(&f->loop, &f->is_waiting);
    close(fd);
    for (int i = 0; i < 1000 && ctl_reply_wanted(f->waiting); i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    assert_false(ctl_reply_wanted(f->waiting));
    ctl_server_close(&f->server);
    for (int i = 0; i < 10; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    ctl_reply_send(&f->waiting, CTL_STATUS_DONE, "nobody hears it", json_integer(1));
}

static void the_server_closes_while_a_job_renders(void **state)
{
    struct fixture *f = *state;
    int fd = talk_connect(f->path);
    talk_request(&f->loop, fd, "zones", NULL);
    for (int i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    ctl_server_close(&f->server);
    close(fd);
}

static void render_large(void *arg, struct ctl_result *result)
{
    (void)arg;
    result->data = large_text();
}

/* One answer for several, made once; copies that the sum does not allow are not made. */
static void an_answer_for_several(void **state)
{
    struct fixture *f = *state;
    ctl_render_fn *const renders[] = {render, render_large};
    for (unsigned i = 0; i < 2; i++) {
        struct ctl_answer answers[2];
        struct ctl_reply *replies[2];
        int fds[2];
        for (unsigned k = 0; k < 2; k++) {
            fds[k] = talk_connect(f->path);
            f->is_waiting = false;
            talk_request(&f->loop, fds[k], "reload", NULL);
            talk_until(&f->loop, &f->is_waiting);
            replies[k] = f->waiting;
        }
        ctl_replies_render(replies, 2, renders[i], rendered, f);
        assert_null(replies[1]);
        f->is_waiting = false;
        assert_int_equal(talk_answer(&f->loop, fds[1], &answers[1]), ERR_OK);
        assert_int_equal(talk_answer(&f->loop, fds[0], &answers[0]), ERR_OK);
        assert_int_equal(f->freed_cnt, i + 1);
        assert_int_equal(answers[0].status, i ? CTL_STATUS_DONE : CTL_STATUS_FAILED);
        assert_int_equal(answers[1].status, CTL_STATUS_FAILED);
        assert_non_null(strstr(answers[1].error, i ? "wait to be read" : "rendered"));
        ctl_answer_fini(&answers[0]);
        ctl_answer_fini(&answers[1]);
    }
    struct ctl_reply *none = NULL;
    ctl_replies_render(&none, 0, render, rendered, f);
    assert_int_equal(f->freed_cnt, 3);
}

/* Two answers of 40 MiB are more than the sum allows: the second is refused while the first waits. */
static void unread_answers_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct ctl_answer answer;
    int greedy = talk_connect(f->path), second = talk_connect(f->path);
    talk_request(&f->loop, greedy, "stop", NULL);
    assert_int_equal(talk(&f->loop, f->path, "status", NULL, &answer), CTL_STATUS_DONE);
    ctl_answer_fini(&answer);
    talk_request(&f->loop, second, "stop", NULL);
    assert_int_equal(talk_answer(&f->loop, second, &answer), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_non_null(strstr(answer.error, "wait to be read"));
    ctl_answer_fini(&answer);
    assert_int_equal(talk_answer(&f->loop, greedy, &answer), ERR_OK);
    assert_int_equal(json_string_length(answer.data), LARGE_LEN);
    ctl_answer_fini(&answer);
}

static void a_hundred_at_once_are_all_answered(void **state)
{
    struct fixture *f = *state;
    enum { CNT = 100 };
    int fds[CNT];
    for (int i = 0; i < CNT; i++) {
        fds[i] = talk_connect(f->path);
        talk_request(&f->loop, fds[i], "status", NULL);
    }
    for (int i = 0; i < CNT; i++) {
        struct ctl_answer answer;
        assert_int_equal(talk_answer(&f->loop, fds[i], &answer), ERR_OK);
        assert_int_equal(answer.status, CTL_STATUS_DONE);
        ctl_answer_fini(&answer);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(commands_answer),
        CASE(wrong_usage_is_told),
        CASE(garbage_is_answered),
        CASE(a_flood_is_cut_off),
        CASE(a_command_may_answer_later),
        CASE(a_reply_outlives_its_client_and_the_server),
        CASE(the_server_closes_while_a_job_renders),
        CASE(an_answer_for_several),
        CASE(unread_answers_are_bounded),
        CASE(a_hundred_at_once_are_all_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
