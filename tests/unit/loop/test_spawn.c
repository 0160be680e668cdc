/* The spawn helper, whole: commands run by real processes, and what becomes of them when any of them, or the helper, or
 * whoever has forked it, ends or hangs. What does not come is waited for long; what is promised at once is only counted
 * in order, not in time. */
#include "loop/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "loop/spawn_helper.h"

enum { PATIENCE_MS = 20000, LONG_MS = 60000, PLACES = 4, JOBS_MAX = 300, ALARM_SEC = 300 };

struct one {
    struct spawn_job job;
    struct fixture *f;
    bool is_done;
    unsigned turn; /* how many were done before it */
    struct spawn_result result;
};

struct fixture {
    struct spawn_helper helper;
    struct spawn *spawn;
    char folder[32];
    struct one jobs[JOBS_MAX];
    unsigned done_cnt;
};

/* ---- a helper and its jobs ---- */

static bool stay(const char *user)
{
    setenv("HELPER_USER", user, 1);
    return true;
}

static void begin(struct fixture *f, const char *user)
{
    static const unsigned most[] = {PLACES, 1};
    static const struct spawn_helper_setup setup = {most, 2, stay};
    if (spawn_helper_fork(&f->helper, &setup) || spawn_helper_begin(&f->helper, user))
        abort();
    f->spawn = spawn_new(f->helper.fds[0], "checks");
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/rondo-spawn-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    begin(f, "somebody");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[64];
    spawn_free(f->spawn);
    spawn_helper_end(&f->helper);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    int status = system(command);
    free(f);
    return status;
}

static void done(struct spawn_job *job, const struct spawn_result *result)
{
    struct one *one = container_of(job, struct one, job);
    assert_false(one->is_done);
    assert_int_equal(job->id, 0);
    one->is_done = true;
    one->turn = one->f->done_cnt++;
    one->result = *result;
}

static enum err hand_in(struct fixture *f, unsigned number, const char *const *argv, size_t arg_cnt,
                        uint32_t timeout_ms, bool hung_before)
{
    static const char *const variables[] = {"RONDO_WHAT=this", "HELPER_OWN=theirs"};
    const struct spawn_request request = {argv, arg_cnt, variables, 2, timeout_ms, hung_before};
    struct one *one = &f->jobs[number];
    *one = (struct one){.f = f, .job.done = done};
    return spawn_run(f->spawn, &one->job, &request);
}

static void run(struct fixture *f, unsigned number, const char *script, uint32_t timeout_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", f->folder};
    assert_int_equal(hand_in(f, number, argv, 5, timeout_ms, false), ERR_OK);
}

static void serve(struct fixture *f)
{
    struct pollfd pollfd = {.fd = spawn_fd(f->spawn),
                            .events = (short)(spawn_wants_write(f->spawn) ? POLLIN | POLLOUT : POLLIN)};
    poll(&pollfd, 1, 10);
    spawn_serve(f->spawn);
}

static const struct spawn_result *wait_done(struct fixture *f, unsigned number)
{
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (!f->jobs[number].is_done) {
        assert_true(clock_mono_ms() < end_ms);
        serve(f);
    }
    return &f->jobs[number].result;
}

static void expect(const struct spawn_result *result, enum spawn_how how, uint32_t number, const char *line)
{
    if (result->how != how || result->number != number || strcmp(result->line, line))
        fail_msg("how %d number %u line \"%s\", expected %d, %u, \"%s\"", result->how, result->number, result->line,
                 how, number, line);
}

static void expect_script(struct fixture *f, const char *script, uint32_t status, const char *line)
{
    run(f, 0, script, LONG_MS);
    expect(wait_done(f, 0), SPAWN_EXITED, status, line);
}

/* ---- processes ---- */

/* Of `name` in the folder; 0: not yet. */
static pid_t pid_in(const struct fixture *f, const char *name)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d\n", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    return pid;
}

static pid_t wait_pid(struct fixture *f, const char *name)
{
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    pid_t pid;
    while (!(pid = pid_in(f, name))) {
        assert_true(clock_mono_ms() < end_ms);
        serve(f);
    }
    return pid;
}

/* A zombie has ended, though whoever inherited it may not have looked yet. */
static bool is_alive(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    if (file)
        fclose(file);
    return state != 'Z';
}

static void wait_gone(pid_t pid)
{
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    assert_true(pid > 1);
    while (is_alive(pid)) {
        assert_true(clock_mono_ms() < end_ms);
        poll(NULL, 0, 2);
    }
}

static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return child;
}

static pid_t runner_of(struct fixture *f)
{
    expect_script(f, "true", 0, ""); /* it has begun */
    pid_t runner = child_of(f->helper.pid);
    assert_true(runner > 1);
    return runner;
}

/* ---- how commands end ---- */

static void test_ends(void **state)
{
    struct fixture *f = *state;
    expect_script(f, "exit 0", 0, "");
    expect_script(f, "echo 'OK - fine | time=1'; echo more; exit 0", 0, "OK - fine | time=1");
    expect_script(f, "echo bad >&2; exit 2", 2, "bad");
    expect_script(f, "echo bad >&2; echo out; exit 3", 3, "out");
    expect_script(f, "printf '\\n\\n  \\033[1mloud\\377 '; exit 1", 1, "?[1mloud?");
    expect_script(f, "exit 255", 255, "");
    run(f, 0, "kill -TERM $$", LONG_MS);
    expect(wait_done(f, 0), SPAWN_SIGNALLED, SIGTERM, "");
    run(f, 0, "echo last words; kill -SEGV $$", LONG_MS);
    expect(wait_done(f, 0), SPAWN_SIGNALLED, SIGSEGV, "last words");
}

static void test_cannot_run(void **state)
{
    struct fixture *f = *state;
    const char *const missing[] = {"/nonexistent/check", "x"};
    const char *const folder[] = {"/tmp"}, *const file[] = {"/etc/passwd"};
    assert_int_equal(hand_in(f, 0, missing, 2, LONG_MS, false), ERR_OK);
    expect(wait_done(f, 0), SPAWN_NOT_RUN, ENOENT, "");
    assert_int_equal(hand_in(f, 0, folder, 1, LONG_MS, false), ERR_OK);
    expect(wait_done(f, 0), SPAWN_NOT_RUN, EACCES, "");
    assert_int_equal(hand_in(f, 0, file, 1, LONG_MS, false), ERR_OK);
    expect(wait_done(f, 0), SPAWN_NOT_RUN, EACCES, "");
    expect_script(f, "exit 127", 127, ""); /* is no such error */
}

static void test_too_long(void **state)
{
    struct fixture *f = *state;
    char *large = malloc(SPAWN_MESSAGE_MAX);
    memset(large, 'a', SPAWN_MESSAGE_MAX);
    large[SPAWN_MESSAGE_MAX - 1] = '\0';
    const char *const argv[] = {"/bin/true", large};
    assert_int_equal(hand_in(f, 0, argv, 2, LONG_MS, false), ERR_LIMIT);
    assert_int_equal(f->jobs[0].job.id, 0);
    free(large);
    expect_script(f, "echo on", 0, "on");
}

/* What a command finds: no input, its two outputs and nothing else open, no signal ignored or blocked, a group of its
 * own, the variables, no open folder of anybody. */
static void test_surroundings(void **state)
{
    struct fixture *f = *state;
    expect_script(f, "cat; echo $(ls /proc/self/fd | tr '\\n' ' ')", 0, "0 1 2 3"); /* 3 is the folder that ls reads */
    expect_script(f, "readlink /proc/self/fd/0", 0, "/dev/null");
    expect_script(f, "pwd", 0, "/");
    /* Without 32 and 33, which are the C library's own and stay as they were found. */
    expect_script(f, "grep SigBlk /proc/self/status | tr -d '\\t'", 0, "SigBlk:0000000000000000");
    expect_script(f,
                  "grep SigIgn /proc/self/status | tr -d '\\t' | "
                  "sed -E 's/:0*(180000000|100000000|80000000)?$/:/'",
                  0, "SigIgn:");
    expect_script(f, "test $(cut -d ' ' -f 5 /proc/$$/stat) = $$ && echo alone", 0, "alone");
    expect_script(f, "echo $RONDO_WHAT $HELPER_USER $HELPER_OWN", 0, "this somebody theirs");
    expect_script(f, "test \"$PATH\" && echo path", 0, "path");
}

static void test_long_output(void **state)
{
    struct fixture *f = *state;
    char line[SPAWN_LINE_MAX];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    expect_script(f, "head -c 1000000 /dev/zero | tr '\\0' x; exit 1", 1, line);
    expect_script(f, "seq 200000; exit 2", 2, "1");
}

/* ---- time ---- */

static void test_timeout_kills_the_group(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "sleep 600 & echo $! >$1/child; echo $$ >$1/leader; trap '' TERM; echo soon; wait", 150);
    const struct spawn_result *result = wait_done(f, 0);
    expect(result, SPAWN_LATE, 0, "");
    assert_true(result->duration_us >= 150000);
    wait_gone(wait_pid(f, "leader"));
    wait_gone(wait_pid(f, "child"));
}

/* It has ended when its leader has, whoever else holds its output; and nobody of its group stays. */
static void test_what_is_left_behind(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "sleep 600 & echo $! >$1/child; echo done; exit 2", LONG_MS);
    expect(wait_done(f, 0), SPAWN_EXITED, 2, "done");
    wait_gone(wait_pid(f, "child"));
    run(f, 0, "setsid sleep 600 >/dev/null 2>&1 & echo $! >$1/free; sleep 0.1; echo done", LONG_MS);
    expect(wait_done(f, 0), SPAWN_EXITED, 0, "done");
    pid_t own_way = wait_pid(f, "free");
    assert_true(is_alive(own_way));
    kill(own_way, SIGKILL);
}

static void test_output_without_end(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "yes & echo $! >$1/child; wait", 1000);
    run(f, 1, "echo meanwhile", LONG_MS);
    expect(wait_done(f, 1), SPAWN_EXITED, 0, "meanwhile");
    expect(wait_done(f, 0), SPAWN_LATE, 0, "");
    assert_true(f->jobs[1].turn < f->jobs[0].turn);
    wait_gone(wait_pid(f, "child"));
}

static void test_stop(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < PLACES + 2; i++)
        run(f, i, i ? "sleep 600" : "sleep 600 & echo $! >$1/child; wait", LONG_MS);
    pid_t child = wait_pid(f, "child");
    for (unsigned i = 0; i < PLACES + 2; i++) /* the last two wait for a place */
        spawn_stop(f->spawn, &f->jobs[PLACES + 1 - i].job);
    wait_gone(child);
    expect_script(f, "echo on", 0, "on");
    assert_int_equal(f->done_cnt, 1);
}

/* ---- places ---- */

static void test_all_get_their_turn(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < JOBS_MAX; i++)
        run(f, i, "echo $$", LONG_MS);
    for (unsigned i = 0; i < JOBS_MAX; i++) {
        const struct spawn_result *result = wait_done(f, i);
        assert_int_equal(result->how, SPAWN_EXITED);
        assert_true(atoi(result->line) > 1);
    }
}

/* Never more than there are places: each looks at how many others are there. */
static void test_places(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 5 * PLACES; i++)
        run(f, i, "echo x >$1/$$; ls $1 | wc -l; sleep 0.01; rm $1/$$", LONG_MS);
    for (unsigned i = 0; i < 5 * PLACES; i++)
        assert_in_range(atoi(wait_done(f, i)->line), 1, PLACES);
}

/* Who has waited for its timeout is told so, and has not run. */
static void test_no_place(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < PLACES; i++)
        run(f, i, "sleep 600", 700);
    run(f, PLACES, "echo x >$1/ran", 100);
    run(f, PLACES + 1, "echo late", LONG_MS);
    expect(wait_done(f, PLACES), SPAWN_NO_PLACE, 0, "");
    assert_int_equal(f->jobs[PLACES].result.duration_us, 0);
    assert_int_equal(f->jobs[PLACES].turn, 0);
    expect(wait_done(f, PLACES + 1), SPAWN_EXITED, 0, "late"); /* it had time to wait, which does not count */
    assert_int_equal(pid_in(f, "ran"), 0);
    for (unsigned i = 0; i < PLACES; i++)
        expect(wait_done(f, i), SPAWN_LATE, 0, "");
}

/* Those that hung before leave a place to the others, however many they are. */
static void test_who_hung_before(void **state)
{
    struct fixture *f = *state;
    const char *const argv[] = {"/bin/sleep", "600"};
    for (unsigned i = 0; i < 3 * PLACES; i++)
        assert_int_equal(hand_in(f, i, argv, 2, LONG_MS, true), ERR_OK);
    for (unsigned i = 0; i < 10; i++) {
        run(f, 50, "echo through", LONG_MS);
        expect(wait_done(f, 50), SPAWN_EXITED, 0, "through");
    }
    assert_int_equal(f->done_cnt, 10);
}

/* But one in so many has its turn, however many others wait all the time. */
static void test_who_hung_before_has_its_turn(void **state)
{
    struct fixture *f = *state;
    const char *const argv[] = {"/bin/echo", "back"};
    for (unsigned i = 0; i < PLACES; i++)
        run(f, i, "sleep 0.3", LONG_MS);
    assert_int_equal(hand_in(f, JOBS_MAX - 1, argv, 2, LONG_MS, true), ERR_OK);
    for (unsigned i = PLACES; i < 100; i++)
        run(f, i, "sleep 0.02", LONG_MS);
    expect(wait_done(f, JOBS_MAX - 1), SPAWN_EXITED, 0, "back");
    assert_in_range(f->jobs[JOBS_MAX - 1].turn, 0, 50);
}

static void test_channels_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct spawn *first = f->spawn;
    for (unsigned i = 0; i < PLACES + 1; i++)
        run(f, i, "sleep 600", LONG_MS);
    f->spawn = spawn_new(f->helper.fds[1], "changes");
    run(f, 50, "echo through", LONG_MS);
    expect(wait_done(f, 50), SPAWN_EXITED, 0, "through");
    spawn_free(f->spawn);
    f->spawn = first;
}

/* ---- deaths ---- */

static void test_the_runner_dies(void **state)
{
    struct fixture *f = *state;
    pid_t runner = runner_of(f), first = runner;
    for (unsigned round = 0; round < 2; round++) {
        char script[128], name[16];
        snprintf(name, sizeof name, "child%u", round);
        snprintf(script, sizeof script, "sleep 600 & echo $! >$1/%s; wait", name);
        run(f, 1, script, LONG_MS);
        pid_t child = wait_pid(f, name);
        kill(runner, SIGKILL);
        expect(wait_done(f, 1), SPAWN_LOST, 0, "");
        wait_gone(child);
        assert_true(spawn_is_open(f->spawn));
        runner = runner_of(f);
        assert_int_not_equal(runner, first);
    }
}

static void test_the_keeper_dies(void **state)
{
    struct fixture *f = *state;
    pid_t runner = runner_of(f);
    run(f, 1, "sleep 600 & echo $! >$1/child; wait", LONG_MS);
    pid_t child = wait_pid(f, "child");
    kill(f->helper.pid, SIGKILL);
    expect(wait_done(f, 1), SPAWN_LOST, 0, "");
    wait_gone(child);
    wait_gone(runner);
    const char *const argv[] = {"/bin/true"};
    assert_int_equal(hand_in(f, 0, argv, 1, LONG_MS, false), ERR_CLOSED);
    assert_false(spawn_is_open(f->spawn));
    spawn_serve(f->spawn);
}

/* Whoever has forked the helper is killed: nothing stays. */
static void test_the_daemon_dies(void **state)
{
    struct fixture *f = *state;
    pid_t daemon = fork();
    if (!daemon) {
        struct fixture own = {.helper = {0}};
        memcpy(own.folder, f->folder, sizeof own.folder);
        begin(&own, "");
        run(&own, 0, "sleep 600 & echo $! >$1/child; echo $$ >$1/leader; echo $PPID >$1/runner; wait", LONG_MS);
        for (;;)
            serve(&own);
    }
    pid_t leader = wait_pid(f, "leader"), child = wait_pid(f, "child"), runner = wait_pid(f, "runner");
    pid_t keeper = child_of(daemon);
    assert_true(keeper > 1);
    kill(daemon, SIGKILL);
    assert_int_equal(waitpid(daemon, NULL, 0), daemon);
    wait_gone(leader);
    wait_gone(child);
    wait_gone(runner);
    wait_gone(keeper);
}

static void test_the_daemon_ends(void **state)
{
    struct fixture *f = *state;
    pid_t runner = runner_of(f), keeper = f->helper.pid;
    run(f, 1, "sleep 600 & echo $! >$1/child; wait", LONG_MS);
    pid_t child = wait_pid(f, "child");
    spawn_free(f->spawn);
    spawn_helper_end(&f->helper);
    assert_int_equal(kill(keeper, 0), -1); /* reaped */
    assert_false(is_alive(runner));
    wait_gone(child);
    f->spawn = spawn_new(-1, "checks");
}

/* A service manager's and a terminal's signals for all of a group are not for the helper. */
static void test_signals_to_all(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    struct fixture *f = *state;
    pid_t runner = runner_of(f);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        kill(runner, numbers[i]);
        kill(f->helper.pid, numbers[i]);
    }
    expect_script(f, "echo on", 0, "on");
    assert_int_equal(runner_of(f), runner);
    assert_int_not_equal(getsid(f->helper.pid), getsid(0));
}

/* Nothing of whoever has forked it: no files, sockets, other channels' ends. */
static void test_open_descriptors(void **state)
{
    struct fixture *f = *state;
    char path[64];
    pid_t pids[] = {f->helper.pid, runner_of(f)};
    for (unsigned i = 0; i < 2; i++) {
        /* 0, 1, 2, two channels; the runner's epoll and signals too */
        for (int fd = 0; fd < 1024; fd++) {
            struct stat st;
            snprintf(path, sizeof path, "/proc/%d/fd/%d", pids[i], fd);
            assert_int_equal(lstat(path, &st) == 0, fd < (i ? 7 : 5));
        }
    }
}

/* Before it has been told who to be it runs nothing; when nobody tells it, it ends. */
static void test_no_beginning(void **state)
{
    static const unsigned most[] = {1};
    static const struct spawn_helper_setup setup = {most, 1, stay};
    struct spawn_helper helper;
    (void)state;
    assert_int_equal(spawn_helper_fork(&helper, &setup), ERR_OK);
    pid_t keeper = helper.pid;
    spawn_helper_end(&helper);
    assert_int_equal(kill(keeper, 0), -1);
}

static bool refuse(const char *user)
{
    (void)user;
    return false;
}

static void test_cannot_become(void **state)
{
    static const unsigned most[] = {1};
    static const struct spawn_helper_setup setup = {most, 1, refuse};
    struct fixture *f = calloc(1, sizeof *f);
    (void)state;
    assert_int_equal(spawn_helper_fork(&f->helper, &setup), ERR_OK);
    f->spawn = spawn_new(f->helper.fds[0], "checks");
    assert_int_equal(spawn_helper_begin(&f->helper, "nobody"), ERR_OK);
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (spawn_is_open(f->spawn)) {
        assert_true(clock_mono_ms() < end_ms);
        serve(f);
    }
    spawn_free(f->spawn);
    spawn_helper_end(&f->helper);
    free(f);
}

#define story(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        story(test_ends),
        story(test_cannot_run),
        story(test_too_long),
        story(test_surroundings),
        story(test_long_output),
        story(test_timeout_kills_the_group),
        story(test_what_is_left_behind),
        story(test_output_without_end),
        story(test_stop),
        story(test_all_get_their_turn),
        story(test_places),
        story(test_no_place),
        story(test_who_hung_before),
        story(test_who_hung_before_has_its_turn),
        story(test_channels_do_not_mix),
        story(test_the_runner_dies),
        story(test_the_keeper_dies),
        story(test_the_daemon_dies),
        story(test_the_daemon_ends),
        story(test_signals_to_all),
        story(test_open_descriptors),
        cmocka_unit_test(test_no_beginning),
        cmocka_unit_test(test_cannot_become),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
