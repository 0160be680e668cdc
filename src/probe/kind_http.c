/* http: sends a request and judges the response by its status, and by its body where something is expected of it.
 * Redirects are not followed: a 3xx is a status like any other. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probe/kind.h"
#include "probe/load_want.h"
#include "probe/request.h"

enum { HTTP_PORT = 80, HEADERS_MAX = 32 };

/* ---- settings ---- */

/* RFC 9112 section 3.2.1: an absolute path, maybe with a query; nothing that would need an escape, no fragment. */
static bool is_path(const char *text)
{
    if (*text != '/')
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || *text == '#')
            return false;
    return true;
}

/* RFC 3986 section 3.2.2, without the port: that is the target's. */
static bool is_host(const char *text)
{
    size_t len = strlen(text);
    bool is_literal = len > 2 && text[0] == '[' && text[len - 1] == ']';
    for (size_t i = is_literal; i < len - is_literal; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(is_literal ? ":." : "-._~%", text[i]))
            return false;
    return len > 0;
}

static void check_request(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    char *const *headers = options->headers.items;
    if (options->method && request_method_problem(options->method))
        say(arg, "method", request_method_problem(options->method));
    if (options->method && !strcmp(options->method, "HEAD") && (options->expect_body || load_want_needs_body(options)))
        say(arg, options->expect_body ? "expect_body" : "load", "no answer to a HEAD request has a body");
    if (options->headers.cnt > HEADERS_MAX)
        say(arg, "headers", "more than 32");
    for (size_t i = 0; i < options->headers.cnt && i < HEADERS_MAX; i++) {
        char text[256];
        const char *header_problem = request_header_problem(headers[i]);
        snprintf(text, sizeof text, "\"%.100s\": %s", headers[i], header_problem ? header_problem : "");
        if (header_problem)
            say(arg, "headers", text);
    }
}

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_PROBLEM_MAX + 64];
    if (options->path && !is_path(options->path))
        say(arg, "path", "expected a path that begins with \"/\", without blanks, \"#\" or unescaped special bytes");
    if (options->host && !is_host(options->host))
        say(arg, "host", "expected a host name, or an address, IPv6 in brackets, without a port");
    check_request(options, say, arg);
    if (!options->expect_status.cnt)
        say(arg, "expect_status", "an empty list: no status could ever pass");
    if (options->expect_body && pattern_has_problem(problem, options->expect_body)) {
        snprintf(text, sizeof text, "not a POSIX extended regular expression: %s", problem);
        say(arg, "expect_body", text);
    }
    load_want_check(options, say, arg);
}

static const char *pattern(const struct probe_spec *spec, unsigned place)
{
    return place ? load_want_pattern(spec, place) : spec->options.expect_body;
}

/* ---- the machine ---- */

static void start(struct kind_run *run)
{
    const struct request_detail *detail = request_of(run->target);
    struct load_want want;
    request_load_want(&want, run->target);
    response_init(&run->response, detail->status, detail->status_cnt, run->target->patterns[0] != NULL, &want);
}

static void connected(struct kind_run *run)
{
    const struct request_detail *detail = request_of(run->target);
    run->out = request_bytes(detail);
    run->out_len = detail->request_len;
    run->want = KIND_WANT_WRITABLE;
}

static void pass(struct kind_run *run)
{
    struct response *response = &run->response;
    if (response->load_want.source == PROBE_LOAD_BODY)
        load_report_read_body(&response->load, &response->load_want, response->body, response->body_len);
    load_report_take(&run->measure, &response->load, clock_wall_ms());
    kind_pass(run, REASON_STATUS, response->status);
}

static void judge(struct kind_run *run)
{
    const struct response *response = &run->response;
    const struct pattern *pattern = run->target->patterns[0];
    if (!response->is_expected)
        kind_fail(run, (struct reason){REASON_STATUS, response->status});
    else if (pattern && !pattern_matches(pattern, response->body, response->body_len))
        kind_fail(run, (struct reason){response->body_cut ? REASON_NO_MATCH_CUT : REASON_NO_MATCH, response->status});
    else
        pass(run);
}

static void go_on(struct kind_run *run, enum response_progress progress)
{
    if (progress == RESPONSE_DONE)
        judge(run);
    else if (progress == RESPONSE_BAD)
        kind_fail(run, run->response.reason);
}

static void received(struct kind_run *run, const uint8_t *bytes, size_t len)
{
    go_on(run, response_feed(&run->response, bytes, len));
}

static void closed(struct kind_run *run)
{
    go_on(run, response_end(&run->response));
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    return response_late(&run->response, timeout_ms);
}

static void fini(struct kind_run *run)
{
    response_fini(&run->response);
}

const struct kind kind_http = {
    .name = "http",
    .transport = KIND_STREAM,
    .port = HTTP_PORT,
    .has_port = true,
    .asks_host = true,
    .check_options = check_options,
    .pack = request_pack,
    .pattern = pattern,
    .start = start,
    .connected = connected,
    .received = received,
    .closed = closed,
    .late = late,
    .fini = fini,
};
