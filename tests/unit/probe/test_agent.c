/* The agent's line and the agent machine. */
#include <errno.h>

#include "base/clock.h"
#include "probe/agent_line.h"
#include "unit/probe/machine.h"

/* ---- lines ---- */

enum { DOWN = HEALTH_AGENT_DOWN, DRAIN = HEALTH_AGENT_DRAIN, MAINT = HEALTH_AGENT_MAINT, NO_LOAD = 100000 };

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint8_t before, after;
        unsigned load; /* NO_LOAD: none */
        bool drains, any;
        const char *why, *text;
    } cases[] = {
        {"up", 0, 0, NO_LOAD, false, true, NULL, NULL},
        {"UP", DOWN, 0, NO_LOAD, false, true, NULL, NULL},
        {"up", MAINT, MAINT, NO_LOAD, false, true, NULL, NULL},
        {"ready", MAINT | DOWN, DOWN, NO_LOAD, false, true, NULL, NULL},
        {"ready up 75%", DRAIN | DOWN, 0, 75, false, true, NULL, NULL},
        {"75%,up\tready", MAINT | DOWN, 0, 75, false, true, NULL, NULL},
        {"75%", DOWN, DOWN, 75, false, true, NULL, NULL}, /* what is not said stays */
        {"0%", 0, 0, 0, true, true, NULL, NULL},
        {"200%", 0, 0, 200, false, true, NULL, NULL},
        {"10000%", 0, 0, 10000, false, true, NULL, NULL},
        {"10001%", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"99999999999999999999%", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"75", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"%", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"-5%", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"drain", 0, DRAIN, NO_LOAD, true, true, NULL, NULL},
        {"drain", MAINT, DRAIN, NO_LOAD, true, true, NULL, NULL},
        {"maint", DRAIN, MAINT, NO_LOAD, false, true, NULL, NULL},
        {"drain 50%", 0, DRAIN, 50, true, true, NULL, NULL},
        {"down", 0, DOWN, NO_LOAD, false, true, "down", NULL},
        {"Stopped#for the night, 50% of us", 0, DOWN, NO_LOAD, false, true, "Stopped", "for the night, 50% of us"},
        {"fail#disk full", 0, DOWN, NO_LOAD, false, true, "fail", "disk full"},
        {"failed", 0, DOWN, NO_LOAD, false, true, "failed", NULL},
        {"20% fail #why", 0, DOWN, 20, false, true, "fail", "why"},
        {"down#", 0, DOWN, NO_LOAD, false, true, "down", ""},
        {"down up", 0, 0, NO_LOAD, false, true, NULL, NULL}, /* the last word counts */
        {"up down", 0, DOWN, NO_LOAD, false, true, "down", NULL},
        {"maxconn:30", 0, 0, NO_LOAD, false, true, NULL, NULL},
        {"maxconn:", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"maxconn:30,up", DOWN, 0, NO_LOAD, false, true, NULL, NULL},
        {"", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {" ,\t", DRAIN, DRAIN, NO_LOAD, true, false, NULL, NULL},
        {"hello world", DOWN, DOWN, NO_LOAD, false, false, NULL, NULL},
        {"hello,up", DOWN, 0, NO_LOAD, false, true, NULL, NULL},
        {"upp", 0, 0, NO_LOAD, false, false, NULL, NULL},
        {"#down", 0, 0, NO_LOAD, false, false, NULL, "down"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct health_measure measure = {.agent = cases[i].before};
        struct agent_said said;
        size_t len = strlen(cases[i].line);
        char *exact = malloc(len + 1);
        memcpy(exact, cases[i].line, len);
        agent_line_read(&said, &measure, exact, len);
        assert_int_equal(measure.agent, cases[i].after);
        assert_int_equal(measure.load_kind, cases[i].load == NO_LOAD ? HEALTH_LOAD_NONE : HEALTH_LOAD_PERCENT);
        assert_int_equal(measure.load, cases[i].load == NO_LOAD ? 0 : cases[i].load);
        assert_int_equal(said.has_load, cases[i].load != NO_LOAD);
        assert_int_equal(measure.drains, cases[i].drains);
        assert_int_equal(said.any, cases[i].any);
        assert_int_equal(!said.why, !cases[i].why);
        if (said.why)
            assert_memory_equal(said.why, cases[i].why, said.why_len);
        assert_int_equal(!said.text, !strchr(cases[i].line, '#'));
        if (cases[i].text) {
            assert_int_equal(said.text_len, strlen(cases[i].text));
            assert_memory_equal(said.text, cases[i].text, said.text_len);
        }
        free(exact);
    }
}

/* A share of 0 drains until there is another; that of an administrator until he says so. */
static void test_what_ends_a_drain(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool drains;
    } cases[] = {{"0%", true}, {"up", true}, {"ready", true}, {"30%", false}, {"drain", true},
                 {"40%", true}, {"0% ready", true}, {"drain 50%", true}, {"ready", false}};
    struct health_measure measure = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agent_said said;
        agent_line_read(&said, &measure, cases[i].line, strlen(cases[i].line));
        assert_int_equal(measure.drains, cases[i].drains);
    }
}

/* ---- the machine ---- */

static struct kind_run *asked(struct machine *m, const char *send)
{
    struct probe_options options = {.type = PROBE_AGENT, .send = (char *)(uintptr_t)send};
    machine_begin(m, &options, "192.0.2.1");
    kind_connected(&m->run);
    return &m->run;
}

static struct kind_run *told(struct machine *m, const char *line)
{
    struct kind_run *run = asked(m, NULL);
    assert_int_equal(run->want, KIND_WANT_READABLE);
    machine_hear(run, line, strlen(line));
    return run;
}

static void test_says_up(void **state)
{
    struct machine *m = *state;
    uint64_t before_ms = clock_wall_ms();
    struct kind_run *run = told(m, "up 75%\n");
    machine_expect(run, KIND_PASSED, "agent: up 75%");
    assert_int_equal(run->measure.load, 75);
    assert_in_range(run->measure.load_wall_ms, before_ms, clock_wall_ms());
    run->measure.load_wall_ms = 5;
    run = told(m, "READY\r\n");
    machine_expect(run, KIND_PASSED, "agent: READY");
    assert_int_equal(run->measure.load, 75); /* and it is as old as it was */
    assert_int_equal(run->measure.load_wall_ms, 5);
}

static void test_says_down(void **state)
{
    machine_expect(told(*state, "down#disk full\n"), KIND_FAILED, "agent: down, disk full");
    machine_expect(told(*state, "50%\n"), KIND_FAILED, "agent: down, as it said before");
    machine_expect(told(*state, "up maint\n"), KIND_FAILED, "agent: maint");
    machine_expect(told(*state, "up\n"), KIND_FAILED, "agent: maint");
    machine_expect(told(*state, "stopped\n"), KIND_FAILED, "agent: stopped");
    machine_expect(told(*state, "ready\n"), KIND_FAILED, "agent: down, as it said before");
    struct kind_run *run = told(*state, "up drain\n");
    machine_expect(run, KIND_PASSED, "agent: up drain");
    assert_true(run->measure.drains);
}

static void test_in_pieces(void **state)
{
    static const char line[] = "fail#no\x01 disk\rup\n"; /* the line is over at the first end */
    struct kind_run *run = asked(*state, "state\\n");
    assert_int_equal(run->want, KIND_WANT_WRITABLE);
    assert_int_equal(run->out_len, 6);
    kind_sent(run, 6);
    for (size_t i = 0; i < sizeof line - 1 && run->state == KIND_RUNNING; i++)
        machine_hear(run, line + i, 1);
    machine_expect(run, KIND_FAILED, "agent: fail, no? disk");
}

/* Its end will do for a line's end. */
static void test_closes(void **state)
{
    struct kind_run *run = told(*state, "up");
    assert_int_equal(run->state, KIND_RUNNING);
    kind_closed(run);
    machine_expect(run, KIND_PASSED, "agent: up");
}

static void test_what_changes_nothing(void **state)
{
    struct machine *m = *state;
    m->run.measure.agent = HEALTH_AGENT_DRAIN;
    m->run.measure.drains = true;
    struct kind_run *run = told(m, "hello\n");
    machine_expect(run, KIND_IGNORED, "no word known, nothing changes: \"hello\"");
    machine_expect(told(m, "\n"), KIND_IGNORED, "no word known, nothing changes: \"\"");
    run = asked(m, NULL);
    kind_closed(run);
    machine_expect(run, KIND_IGNORED, "no word, nothing changes: closed without an answer");
    run = asked(m, NULL);
    kind_late(run);
    machine_expect(run, KIND_IGNORED, "no word, nothing changes: no answer within 1s");
    run = told(m, "up"); /* and then nothing: it was no line */
    kind_late(run);
    machine_expect(run, KIND_IGNORED, "no word, nothing changes: no answer within 1s");
    struct probe_options options = {.type = PROBE_AGENT};
    machine_begin(m, &options, "192.0.2.1");
    kind_late(&m->run);
    machine_expect(&m->run, KIND_IGNORED, "no word, nothing changes: no connection within 1s");
    machine_begin(m, &options, "192.0.2.1");
    kind_broken(&m->run, ECONNREFUSED);
    machine_expect(&m->run, KIND_IGNORED, "no word, nothing changes: connection refused");
    assert_true(m->run.measure.drains && m->run.measure.agent == HEALTH_AGENT_DRAIN);
}

static void test_long_lines(void **state)
{
    char line[AGENT_LINE_MAX + 1];
    memset(line, ' ', sizeof line);
    memcpy(line, "up", 2);
    struct kind_run *run = asked(*state, NULL);
    machine_hear(run, line, AGENT_LINE_MAX);
    assert_int_equal(run->state, KIND_RUNNING);
    machine_hear(run, "\n", 1);
    assert_int_equal(run->state, KIND_PASSED);
    run = asked(*state, NULL);
    machine_hear(run, line, AGENT_LINE_MAX + 1);
    machine_expect(run, KIND_IGNORED, "nothing changes: the agent's line is longer than 1 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_what_ends_a_drain), MACHINE_TEST(test_says_up),
        MACHINE_TEST(test_says_down), MACHINE_TEST(test_in_pieces),             MACHINE_TEST(test_closes),
        MACHINE_TEST(test_what_changes_nothing), MACHINE_TEST(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
