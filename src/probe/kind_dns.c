/* dns: asks a question over UDP and judges the answer by its RCODE, and by its records where one is expected. One that
 * is truncated is an answer. What is no answer to the question is passed over, so nobody can make a check fail by
 * guessing; and the question is asked again after half of the time, so that one lost packet is no failed check. */
#include <stdio.h>
#include <string.h>

#include "dns/rr.h"
#include "probe/kind.h"

enum { DNS_PORT = 53 };

/* ---- settings ---- */

static void check_name(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned len;
    const char *text = options->query_name;
    if (!text)
        say(arg, "query_name", "missing: a probe of type \"dns\" asks for a name");
    else if (name_from_text(name, &len, text, strlen(text), NULL))
        say(arg, "query_name", "expected a domain name, such as \"www.example.com\"");
}

/* Records come with NOERROR alone. */
static bool may_have_records(const struct probe_options *options)
{
    const int *rcodes = options->expect_rcode.items;
    for (size_t i = 0; i < options->expect_rcode.cnt; i++)
        if (rcodes[i] == RCODE_NOERROR)
            return true;
    return !options->expect_rcode.cnt;
}

static void check_answer(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_PROBLEM_MAX + 96];
    if (!may_have_records(options))
        say(arg, "expect_answer", "no answer could ever pass: with none of the codes in \"expect_rcode\" come records");
    if (question_expects_address(options))
        return;
    if (question_expects_other_family(options)) {
        say(arg, "expect_answer", "an address of the other family: no record of \"query_type\" could ever be it");
    } else if (pattern_has_problem(problem, options->expect_answer)) {
        snprintf(text, sizeof text, "neither an address of the asked type nor a POSIX extended regular expression: %s",
                 problem);
        say(arg, "expect_answer", text);
    }
}

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    check_name(options, say, arg);
    if (options->expect_answer)
        check_answer(options, say, arg);
}

static const char *pattern(const struct probe_spec *spec, unsigned place)
{
    return place || question_expects_address(&spec->options) ? NULL : spec->options.expect_answer;
}

/* ---- the machine ---- */

static const struct question_detail *detail_of(const struct kind_run *run)
{
    return (const struct question_detail *)(const void *)run->target->detail;
}

static void start(struct kind_run *run)
{
    question_begin(&run->question, detail_of(run), (uint16_t)run->random);
    run->wake_us = run->now_us + (run->deadline_us - run->now_us) / 2;
}

static void ask(struct kind_run *run)
{
    run->out = run->question.query;
    run->out_len = detail_of(run)->query_len;
    run->want = KIND_WANT_WRITABLE;
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    unsigned rcode = 0;
    switch (question_judge(&run->question, detail_of(run), run->target->patterns[0], bytes, len, &rcode)) {
    case QUESTION_OTHER:
        run->question.others = true;
        break;
    case QUESTION_MALFORMED:
        kind_fail(run, (struct reason){REASON_DNS_MALFORMED, 0});
        break;
    case QUESTION_EXPECTED:
        kind_pass(run, REASON_DNS_ANSWER, rcode);
        break;
    case QUESTION_WRONG_RCODE:
        kind_fail(run, (struct reason){REASON_DNS_ANSWER, rcode});
        break;
    case QUESTION_NO_RECORD:
        kind_fail(run, (struct reason){REASON_DNS_NO_RECORD, rcode});
        break;
    case QUESTION_NO_RECORD_CUT:
        kind_fail(run, (struct reason){REASON_DNS_NO_RECORD_CUT, rcode});
        break;
    }
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    return (struct reason){run->question.others ? REASON_DNS_OTHERS : REASON_NO_ANSWER, timeout_ms};
}

const struct kind kind_dns = {
    .name = "dns",
    .transport = KIND_DATAGRAM,
    .port = DNS_PORT,
    .has_port = true,
    .check_options = check_options,
    .pack = question_pack,
    .pattern = pattern,
    .start = start,
    .connected = ask,
    .received = received,
    .wake = ask,
    .late = late,
};
