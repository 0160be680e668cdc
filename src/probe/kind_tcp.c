/* tcp: a connection is made, and that is all; or something is said over it, and an answer is expected. What is received
 * is looked through as it comes, and not kept but for its begin, which is shown when it is not the expected. */
#include <stdio.h>
#include <string.h>

#include "probe/escape.h"
#include "probe/kind.h"

enum { TALK_MAX = 16 * 1024 };

/* ---- settings ---- */

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_PROBLEM_MAX + 64];
    if (escape_problem(options->send))
        say(arg, "send", escape_problem(options->send));
    if (options->send && !options->expect)
        say(arg, "send", "has no effect without \"expect\": nothing is waited for");
    if (options->expect && pattern_has_problem(problem, options->expect)) {
        snprintf(text, sizeof text, "not a POSIX extended regular expression: %s", problem);
        say(arg, "expect", text);
    }
}

static const char *pattern(const struct probe_spec *spec, unsigned place)
{
    return place ? NULL : spec->options.expect;
}

/* ---- the machine ---- */

static const struct pattern *expected(const struct kind_run *run)
{
    return run->target->patterns[0];
}

static void start(struct kind_run *run)
{
    run->talk.len = run->talk.head_len = 0;
    run->talk.scan = (struct pattern_scan){{0}, false};
    run->resets = !expected(run);
    run->speaks_first = run->target->detail_len > 0;
}

static void connected(struct kind_run *run)
{
    if (!expected(run)) {
        kind_pass(run, REASON_CONNECTED, 0);
        return;
    }
    run->out = run->target->detail;
    run->out_len = run->target->detail_len;
    run->want = run->out_len ? KIND_WANT_WRITABLE : KIND_WANT_READABLE;
}

/* `what`, then the first of what came. */
static void set_text(struct kind_run *run, const char *what)
{
    char text[PROBE_REASON_MAX];
    bool is_cut = run->talk.len > run->talk.head_len;
    snprintf(text, sizeof text, "%s: \"%.*s%s\"", what, (int)run->talk.head_len, run->talk.head, is_cut ? "..." : "");
    kind_set_text(run, text, strlen(text));
}

/* Bytes that can't be printed would end the text, or worse. */
static void keep_head(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && run->talk.head_len < KIND_HEAD_MAX; i++)
        run->talk.head[run->talk.head_len++] = (char)(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?');
}

/* Its words must be there when it is late. */
static void prepare_late(struct kind_run *run, bool was_full)
{
    char duration[OPT_DURATION_TEXT_MAX], text[PROBE_REASON_MAX];
    if (was_full)
        return;
    snprintf(text, sizeof text, "no match within %s", opt_duration_to_text(duration, run->target->timing.timeout_ms));
    set_text(run, text);
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    bool was_full = run->talk.len > KIND_HEAD_MAX;
    size_t left = TALK_MAX - run->talk.len, taken = len < left ? len : left;
    if (!expected(run)) { /* what may come once the connection stands */
        kind_pass(run, REASON_CONNECTED, 0);
        return;
    }
    keep_head(run, bytes, taken);
    run->talk.len += (uint32_t)taken;
    if (pattern_scan(expected(run), &run->talk.scan, bytes, taken))
        kind_pass(run, REASON_EXPECTED, 0);
    else if (len >= left)
        kind_fail(run, (struct reason){REASON_NOT_EXPECTED, TALK_MAX / 1024});
    else
        prepare_late(run, was_full);
}

static void closed(struct kind_run *run)
{
    if (!expected(run)) {
        kind_pass(run, REASON_CONNECTED, 0);
    } else if (pattern_scan_end(expected(run), &run->talk.scan)) {
        kind_pass(run, REASON_EXPECTED, 0);
    } else if (!run->talk.len) {
        kind_fail(run, (struct reason){REASON_ANSWER_CLOSED, 0});
    } else {
        set_text(run, "closed without the expected answer");
        kind_fail(run, (struct reason){REASON_TEXT, 0});
    }
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    if (!expected(run))
        return (struct reason){REASON_NO_CONNECTION, timeout_ms};
    return run->talk.len ? (struct reason){REASON_TEXT, 0} : (struct reason){REASON_NO_ANSWER, timeout_ms};
}

const struct kind kind_tcp = {
    .name = "tcp",
    .transport = KIND_STREAM,
    .has_port = true,
    .resets = true,
    .check_options = check_options,
    .pack = escape_pack,
    .pattern = pattern,
    .start = start,
    .connected = connected,
    .received = received,
    .closed = closed,
    .late = late,
};
