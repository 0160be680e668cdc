/* exec: which commands are refused, what is made of one for a member, what its end means, and the whole way through a
 * prober and the spawn helper. */
#include "probe/exec.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/spawn_helper.h"
#include "prober.h"

enum { ARGUMENTS_MOST = 300 };

static struct opt_list list_of(const char *const *arguments)
{
    struct opt_list list = {(void *)(uintptr_t)arguments, 0};
    while (arguments[list.cnt])
        list.cnt++;
    return list;
}

/* ---- settings ---- */

static void say(void *arg, const char *key, const char *text)
{
    char *said = arg;
    size_t len = strlen(said);
    snprintf(said + len, 1024 - len, "%s: %s|", key, text);
}

static void expect_said(const char *const *arguments, int64_t port, const char *begin)
{
    char said[1024] = "", name[] = "x";
    struct probe_options options = {.name = name,
                                    .type = PROBE_EXEC,
                                    .port = port,
                                    .interval_ms = 5000,
                                    .fast_interval_ms = 1000,
                                    .timeout_ms = 1000,
                                    .rise = 2,
                                    .fall = 3,
                                    .verify = true, /* the defaults of others' keys */
                                    .command = list_of(arguments)};
    probe_opt_table.check(&options, say, said);
    if (!*begin ? *said != '\0' : strncmp(said, begin, strlen(begin)) != 0)
        fail_msg("expected \"%s...\", got \"%s\"", begin, said);
}

static void test_options(void **state)
{
    const char *many[ARGUMENTS_MOST + 1];
    (void)state;
    expect_said((const char *const[]){"/bin/true", NULL}, 0, "");
    expect_said((const char *const[]){"/bin/check", "-H", "{address}", "", "a {pool} b", "{\"json\": 1}", NULL}, 0, "");
    expect_said((const char *const[]){"/bin/check", "{port}", NULL}, 25, "");
    expect_said((const char *const[]){NULL}, 0, "command: missing: a probe of type \"exec\" must have it|");
    expect_said((const char *const[]){"check_tcp", NULL}, 0, "command: expected the program's absolute path first");
    expect_said((const char *const[]){"", NULL}, 0, "command: expected the program's absolute path first");
    expect_said((const char *const[]){"/bin/x", "-p{port}", NULL}, 0,
                "command: \"{port}\" stands for nothing: the probe has no port|");
    expect_said((const char *const[]){"/bin/x", "{adress}", NULL}, 0,
                "command: \"{adress}\" stands for nothing; known are {address}, {port}, {pool}|");
    expect_said((const char *const[]){"/bin/x", "{{address}}", NULL}, 0, "command: \"{{\" is no escape");
    for (unsigned i = 0; i < ARGUMENTS_MOST; i++)
        many[i] = "/x";
    many[ARGUMENTS_MOST] = NULL;
    expect_said(many, 0, "command: 300 arguments, at most 256 can be|");
}

static void test_keys_of_others(void **state)
{
    static const char *const command[] = {"/bin/true", NULL};
    char said[1024] = "", name[] = "x";
    struct addr source = {.family = ADDR_V4};
    struct probe_options options = {.name = name, .type = PROBE_TCP, .port = 1, .verify = true,
                                    .command = list_of(command)};
    (void)state;
    probe_opt_table.check(&options, say, said);
    assert_string_equal(said, "command: only a probe of type \"exec\" has it|");
    options.type = PROBE_EXEC;
    options.source = (struct opt_list){&source, 1};
    said[0] = '\0';
    probe_opt_table.check(&options, say, said);
    assert_non_null(strstr(said, "source: only a probe of type \"tcp\""));
    assert_null(strstr(said, "exec"));
}

/* ---- targets ---- */

static struct probe_spec spec(const char *address, const char *pool, const char *const *arguments)
{
    struct probe_spec made = spec_of(PROBE_EXEC, address, 0);
    made.pool = pool;
    made.options.command = list_of(arguments);
    return made;
}

static void test_arguments(void **state)
{
    static const char *const command[] = {"/bin/x", "-H", "{address}", "", "{pool}:{port}", NULL};
    static const char expected[] = "/bin/x\0-H\0"
                                   "2001:db8::1\0\0www.example.com:25";
    struct target_table table;
    struct probe_spec wanted = spec("2001:db8::1", "www.example.com", command);
    bool is_new;
    (void)state;
    wanted.address.port = 25;
    target_table_init(&table);
    const struct target *target = target_table_at(&table, target_table_add(&table, &wanted, &is_new));
    assert_int_equal(exec_of(target)->arg_cnt, 5);
    assert_int_equal(target->detail_len, sizeof(struct exec_detail) + sizeof expected);
    assert_memory_equal(exec_of(target)->arguments, expected, sizeof expected);
    target_table_fini(&table);
}

/* Two pools with a member at one address: one check, unless the pool matters to it. */
static void test_identity(void **state)
{
    static const char *const plain[] = {"/bin/x", "{address}", NULL}, *const pool[] = {"/bin/x", "{pool}", NULL};
    static const char *const cut[] = {"/bin/x", "a", "b", NULL}, *const other_cut[] = {"/bin/x", "a", "b", "", NULL};
    struct target_table table;
    bool is_new;
    (void)state;
    target_table_init(&table);
    struct probe_spec specs[] = {
        spec("192.0.2.1", "www.example.com", plain), spec("192.0.2.1", "api.example.com", plain),
        spec("192.0.2.1", "www.example.com", pool),  spec("192.0.2.1", "api.example.com", pool),
        spec("192.0.2.2", "www.example.com", plain), spec("192.0.2.1", "www.example.com", cut),
        spec("192.0.2.1", "www.example.com", other_cut),
    };
    uint32_t slots[7];
    for (unsigned i = 0; i < 7; i++) {
        slots[i] = target_table_add(&table, &specs[i], &is_new);
        assert_int_equal(is_new, i != 1);
    }
    assert_int_equal(slots[0], slots[1]);
    target_table_fini(&table);
}

/* ---- what an end means ---- */

static void test_judge(void **state)
{
    static const struct {
        enum spawn_how how;
        uint32_t number;
        const char *line;
        enum kind_state state; /* KIND_RUNNING: a failure of ours */
        const char *reason;
    } rows[] = {
        {SPAWN_EXITED, 0, "TCP OK - 0.1 s", KIND_PASSED, "TCP OK - 0.1 s"},
        {SPAWN_EXITED, 0, "TCP OK |time=0.1s;;;", KIND_PASSED, "TCP OK"},
        {SPAWN_EXITED, 0, "", KIND_PASSED, "exit status 0"},
        {SPAWN_EXITED, 0, "|a=1", KIND_PASSED, "exit status 0"},
        {SPAWN_EXITED, 1, "WARNING - slow", KIND_PASSED, "WARNING - slow"},
        {SPAWN_EXITED, 1, "", KIND_PASSED, "exit status 1"},
        {SPAWN_EXITED, 2, "CRITICAL - gone", KIND_FAILED, "CRITICAL - gone"},
        {SPAWN_EXITED, 2, "", KIND_FAILED, "exit status 2"},
        {SPAWN_EXITED, 3, "UNKNOWN - eh", KIND_IGNORED, "UNKNOWN - eh"},
        {SPAWN_EXITED, 3, "", KIND_IGNORED, "no word on it, exit status 3"},
        {SPAWN_EXITED, 4, "odd", KIND_IGNORED, "no word on it, exit status 4: odd"},
        {SPAWN_EXITED, 127, "sh: not found", KIND_IGNORED, "no word on it, exit status 127: sh: not found"},
        {SPAWN_SIGNALLED, SIGSEGV, "", KIND_IGNORED, "no word on it, the command was ended by SIGSEGV"},
        {SPAWN_SIGNALLED, SIGTERM, "so far", KIND_IGNORED, "no word on it, the command was ended by SIGTERM: so far"},
        {SPAWN_SIGNALLED, 40, "", KIND_IGNORED, "no word on it, the command was ended by a signal"},
        {SPAWN_LATE, 0, "", KIND_FAILED, "no result within 1500ms"},
        {SPAWN_NOT_RUN, ENOENT, "", KIND_RUNNING,
         "not checked, trying again: cannot run it: no such file or directory"},
        {SPAWN_NO_PLACE, 0, "", KIND_RUNNING, "not checked, trying again: too many commands run already"},
        {SPAWN_LOST, 0, "", KIND_RUNNING,
         "not checked, trying again: the process that runs commands does not answer"},
    };
    const struct target target = {.type = PROBE_EXEC, .timing.timeout_ms = 1500};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct check check = {.run.target = &target};
        struct spawn_result result = {.how = rows[i].how, .number = rows[i].number};
        char text[PROBE_REASON_MAX];
        strcpy(result.line, rows[i].line);
        exec_judge(&check, &result);
        assert_int_equal(check.run.state, rows[i].state);
        assert_int_equal(check.local_error != 0, rows[i].state == KIND_RUNNING);
        assert_int_equal(check.is_late, rows[i].how == SPAWN_LATE);
        struct reason reason = check.local_error ? check.lack : check.run.reason;
        assert_string_equal(reason.code == REASON_TEXT ? check.run.text : reason_to_text(text, reason), rows[i].reason);
    }
}

/* A line of any length is cut to what a reason holds, between characters. */
static void test_long_line(void **state)
{
    const struct target target = {.type = PROBE_EXEC};
    struct check check = {.run.target = &target};
    struct spawn_result result = {.how = SPAWN_EXITED, .number = 9};
    (void)state;
    for (unsigned i = 0; i + 2 < sizeof result.line; i += 2)
        strcpy(result.line + i, "\xc3\xa4");
    exec_judge(&check, &result);
    size_t len = strlen(check.run.text);
    assert_in_range(len, PROBE_REASON_MAX - 2, PROBE_REASON_MAX - 1);
    assert_memory_equal(check.run.text + len - 2, "\xc3\xa4", 2);
}

/* ---- the whole way ---- */

static struct spawn_helper helper;

static const char *const script[] = {"/bin/sh", "-c", NULL, NULL};

static uint32_t subscribe_script(struct fixture *f, const char *text, uint64_t timeout_ms)
{
    const char *arguments[] = {script[0], script[1], text, NULL};
    struct probe_spec wanted = spec("192.0.2.1", "www.example.com", arguments);
    wanted.timing.timeout_ms = timeout_ms;
    wanted.timing.fall = 1;
    return subscribe_spec(f, &wanted);
}

static void test_prober(void **state)
{
    struct fixture *f = *state;
    prober_begin(f, 10);
    uint32_t good = subscribe_script(f, "echo OK - fine; exit 0", SPEC_TIMEOUT_MS);
    expect_event(f, good, HEALTH_UP, false);
    expect_reason(f, good, "OK - fine");
    probe_unsubscribe(f->probe, good);
    uint32_t bad = subscribe_script(f, "echo CRITICAL - gone; exit 2", SPEC_TIMEOUT_MS);
    expect_event(f, bad, HEALTH_DOWN, false);
    expect_reason(f, bad, "CRITICAL - gone");
    probe_unsubscribe(f->probe, bad);
    uint32_t slow = subscribe_script(f, "sleep 600", 100);
    expect_event(f, slow, HEALTH_DOWN, false);
    expect_reason(f, slow, "no result within 100ms");
    probe_unsubscribe(f->probe, slow);
    uint32_t no_word = subscribe_script(f, "echo UNKNOWN - eh; exit 3", SPEC_TIMEOUT_MS);
    wait_reason(f, no_word, "UNKNOWN - eh");
    struct probe_event event;
    probe_state(f->probe, no_word, &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
    probe_unsubscribe(f->probe, no_word);
    assert_false(next_event(f, &event, 0));
}

static void test_cannot_be_run(void **state)
{
    static const char *const missing[] = {"/nonexistent/check", NULL};
    struct fixture *f = *state;
    struct probe_event event;
    struct probe_spec wanted = spec("192.0.2.1", "www.example.com", missing);
    prober_begin(f, 10);
    uint32_t target = subscribe_spec(f, &wanted);
    wait_reason(f, target, "not checked, trying again: cannot run it: no such file or directory");
    probe_state(f->probe, target, &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
    probe_unsubscribe(f->probe, target);
}

/* The duration is the command's, and one that is under way when nobody wants it any more is ended. */
static void test_duration(void **state)
{
    struct fixture *f = *state;
    struct probe_event event;
    prober_begin(f, 10);
    uint32_t target = subscribe_script(f, "sleep 0.15; exit 0", SPEC_TIMEOUT_MS);
    expect_event(f, target, HEALTH_UP, false);
    probe_state(f->probe, target, &event);
    assert_in_range(event.duration_us, 140000, (uint64_t)PATIENCE_MS * 1000);
    probe_unsubscribe(f->probe, target);
    (void)subscribe_script(f, "sleep 600", SPEC_TIMEOUT_MS); /* left to the end of the prober */
}

/* The last one: nobody runs commands any more. */
static void test_helper_is_gone(void **state)
{
    struct fixture *f = *state;
    prober_begin(f, 10);
    uint32_t target = subscribe_script(f, "exit 0", SPEC_TIMEOUT_MS);
    expect_event(f, target, HEALTH_UP, false);
    kill(helper.pid, SIGKILL);
    wait_reason(f, target, "not checked, trying again: the process that runs commands does not answer");
    struct probe_event event;
    probe_state(f->probe, target, &event);
    assert_int_equal(event.verdict, HEALTH_UP);
    probe_unsubscribe(f->probe, target);
}

static bool stay(const char *user)
{
    (void)user;
    return true;
}

#define whole(fn) cmocka_unit_test_setup_teardown(fn, prober_set_up, prober_tear_down)

int main(void)
{
    static const unsigned most[] = {4};
    static const struct spawn_helper_setup setup = {most, 1, stay};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),  cmocka_unit_test(test_keys_of_others), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_judge),          cmocka_unit_test(test_long_line),
        whole(test_prober),              whole(test_cannot_be_run),             whole(test_duration),
        whole(test_helper_is_gone),
    };
    alarm(ALARM_SEC);
    if (spawn_helper_fork(&helper, &setup) || spawn_helper_begin(&helper, ""))
        return 1;
    probe_use_spawn(helper.fds[0]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    spawn_helper_end(&helper);
    return failed;
}
