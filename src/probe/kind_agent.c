/* agent: reads one line from a program that knows how a server is. What it says counts; that it can't be reached, or
 * says nothing that is known, changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/agent_line.h"
#include "probe/escape.h"
#include "probe/kind.h"

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    if (escape_problem(options->send))
        say(arg, "send", escape_problem(options->send));
}

static void start(struct kind_run *run)
{
    run->agent.line = NULL;
    run->agent.len = 0;
    run->speaks_first = run->target->detail_len > 0;
}

static void connected(struct kind_run *run)
{
    run->out = run->target->detail;
    run->out_len = run->target->detail_len;
    run->want = run->out_len ? KIND_WANT_WRITABLE : KIND_WANT_READABLE;
}

/* The line's own words where it has what decides, else what was said before. */
static void end_down(struct kind_run *run, const struct agent_said *said)
{
    char text[PROBE_REASON_MAX] = "agent: down, as it said before";
    if (said->why)
        snprintf(text, sizeof text, "agent: %.*s%s%.*s", (int)said->why_len, said->why,
                       said->text_len ? ", " : "", (int)said->text_len, said->text_len ? said->text : "");
    else if (run->measure.agent & HEALTH_AGENT_MAINT)
        strcpy(text, "agent: maint");
    kind_end_text(run, KIND_FAILED, text, strlen(text));
}

static void take_line(struct kind_run *run, size_t len)
{
    struct agent_said said;
    char text[PROBE_REASON_MAX];
    agent_line_read(&said, &run->measure, run->agent.line, len);
    if (said.has_load)
        run->measure.load_wall_ms = clock_wall_ms();
    if (said.any && run->measure.agent & (HEALTH_AGENT_DOWN | HEALTH_AGENT_MAINT)) {
        end_down(run, &said);
        return;
    }
    snprintf(text, sizeof text, said.any ? "agent: %.*s" : "no word known, nothing changes: \"%.*s\"",
             (int)len, run->agent.line);
    kind_end_text(run, said.any ? KIND_PASSED : KIND_IGNORED, text, strlen(text));
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    static const char too_long[] = "nothing changes: the agent's line is longer than 1 KiB";
    if (!run->agent.line)
        run->agent.line = mem_zalloc(1, AGENT_LINE_MAX);
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            take_line(run, run->agent.len);
            return;
        }
        if (run->agent.len == AGENT_LINE_MAX) {
            kind_end_text(run, KIND_IGNORED, too_long, sizeof too_long - 1);
            return;
        }
        run->agent.line[run->agent.len++] = (char)bytes[i];
    }
}

/* An end without a line's end will do. */
static void closed(struct kind_run *run)
{
    if (run->agent.len)
        take_line(run, run->agent.len);
    else
        kind_end_unreached(run, (struct reason){REASON_ANSWER_CLOSED, 0});
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    (void)run;
    return (struct reason){REASON_NO_ANSWER, timeout_ms};
}

static void fini(struct kind_run *run)
{
    free(run->agent.line);
    run->agent.line = NULL;
}

const struct kind kind_agent = {
    .name = "agent",
    .transport = KIND_STREAM,
    .has_port = true,
    .advises = true,
    .reports_load = true,
    .check_options = check_options,
    .pack = escape_pack,
    .start = start,
    .connected = connected,
    .received = received,
    .closed = closed,
    .late = late,
    .fini = fini,
};
