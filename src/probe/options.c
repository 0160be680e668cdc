#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/pattern.h"
#include "probe/probe.h"

enum {
    HTTP_PORT = 80,
    INTERVAL_LEAST_MS = 100,
    INTERVAL_MOST_MS = 3600000,
    TIMEOUT_LEAST_MS = 10,
    /* Interim responses (1xx) are passed over, so none can be expected; codes end at 599 (RFC 9110 section 15). */
    STATUS_LEAST = 200,
    STATUS_MOST = 599,
};

static const char *const types[] = {[PROBE_TCP] = "tcp", [PROBE_HTTP] = "http", NULL};

/* "204" or "200-299". */
static enum err parse_status(void *field, const char *text, const char **expected)
{
    struct probe_status_range range;
    unsigned long bounds[2];
    char *end;
    *expected = "a status such as 204, or a range of them such as \"200-299\", within 200 to 599";
    if (!field)
        return ERR_OK;
    if (!isdigit((unsigned char)*text))
        return ERR_SYNTAX;
    bounds[0] = bounds[1] = strtoul(text, &end, 10);
    if (*end == '-' && isdigit((unsigned char)end[1]))
        bounds[1] = strtoul(end + 1, &end, 10);
    if (*end)
        return ERR_SYNTAX;
    if (bounds[0] < STATUS_LEAST || bounds[1] > STATUS_MOST || bounds[0] > bounds[1])
        return ERR_RANGE;
    range.least = (uint16_t)bounds[0];
    range.most = (uint16_t)bounds[1];
    memcpy(field, &range, sizeof range);
    return ERR_OK;
}

/* ---- what rows can't say ---- */

typedef void say_fn(void *arg, const char *key, const char *text);

/* Names stand in TXT records of zones too, among other words. */
static bool is_word(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
            return false;
    return true;
}

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

static void check_durations(const struct probe_options *options, say_fn *say, void *arg)
{
    static const char *const keys[] = {"fast_interval", "timeout"};
    const uint64_t values_ms[] = {options->fast_interval_ms, options->timeout_ms};
    for (unsigned i = 0; i < 2; i++) {
        char value[OPT_DURATION_TEXT_MAX], interval[OPT_DURATION_TEXT_MAX], text[128];
        if (values_ms[i] <= options->interval_ms)
            continue;
        snprintf(text, sizeof text, "%s is more than the interval, %s", opt_duration_to_text(value, values_ms[i]),
                 opt_duration_to_text(interval, options->interval_ms));
        say(arg, keys[i], text);
    }
}

static bool is_default_status(const struct opt_list *list)
{
    const struct probe_status_range *range = list->items;
    return list->cnt == 1 && range->least == 200 && range->most == 299;
}

/* A default that was written out can't be told from one that was not, and does no harm. */
static void check_tcp(const struct probe_options *options, say_fn *say, void *arg)
{
    static const char text[] = "only a probe of type \"http\" has it";
    if (!options->port)
        say(arg, "port", "missing: a probe of type \"tcp\" has no default port");
    if (options->path && strcmp(options->path, "/") != 0)
        say(arg, "path", text);
    if (options->host)
        say(arg, "host", text);
    if (options->expect_status.cnt && !is_default_status(&options->expect_status))
        say(arg, "expect_status", text);
    if (options->expect_body)
        say(arg, "expect_body", text);
}

static void check_http(const struct probe_options *options, say_fn *say, void *arg)
{
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_PROBLEM_MAX + 64];
    if (options->path && !is_path(options->path))
        say(arg, "path", "expected a path that begins with \"/\", without blanks, \"#\" or unescaped special bytes");
    if (options->host && !is_host(options->host))
        say(arg, "host", "expected a host name, or an address, IPv6 in brackets, without a port");
    if (!options->expect_status.cnt)
        say(arg, "expect_status", "an empty list: no status could ever pass");
    if (options->expect_body && pattern_has_problem(problem, options->expect_body)) {
        snprintf(text, sizeof text, "not a POSIX extended regular expression: %s", problem);
        say(arg, "expect_body", text);
    }
}

static void check(void *filled, say_fn *say, void *arg)
{
    const struct probe_options *options = filled;
    if (!is_word(options->name))
        say(arg, "name", "expected letters, digits, \"-\", \"_\" and \".\" only");
    check_durations(options, say, arg);
    if (options->type == PROBE_TCP)
        check_tcp(options, say, arg);
    else
        check_http(options, say, arg);
}

/* ---- the rows ---- */

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, probe_options, field)

static const struct opt opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = 63, .sample = "\"web\"",
     .help = "What pools and members call the probe by: letters, digits, \"-\", \"_\" and \".\"."},
    {KEY("type", OPT_ENUM, OPT_REQUIRED, type), .names = types, .sample = "\"http\"",
     .help = "What a check does. \"tcp\" passes when a connection is made; \"http\" sends a GET request and passes "
             "when the answer has an expected status and body."},
    {KEY("port", OPT_INT, 0, port), .least = 1, .most = 65535, .sample = "80",
     .help = "The port that is checked. A probe of type \"http\" takes 80 without it; type \"tcp\" must have it."},
    {KEY("interval", OPT_DURATION, 0, interval_ms), .least = INTERVAL_LEAST_MS, .most = INTERVAL_MOST_MS,
     .text_default = "\"5s\"",
     .help = "From the start of a check to the start of the next, lengthened by up to a tenth at random so that "
             "checks do not march in step."},
    {KEY("fast_interval", OPT_DURATION, 0, fast_interval_ms), .least = TIMEOUT_LEAST_MS, .most = INTERVAL_MOST_MS,
     .text_default = "\"1s\"",
     .help = "The same after a check that contradicts the verdict, until the verdict is confirmed or changed. At most "
             "the interval."},
    {KEY("timeout", OPT_DURATION, 0, timeout_ms), .least = TIMEOUT_LEAST_MS, .most = INTERVAL_MOST_MS,
     .text_default = "\"1s\"",
     .help = "How long a check may take as a whole before it fails. At most the interval."},
    {KEY("rise", OPT_INT, 0, rise), .least = 1, .most = 100, .text_default = "2", .unit = "checks",
     .help = "How many checks in a row must pass before a member that was taken out comes back."},
    {KEY("fall", OPT_INT, 0, fall), .least = 1, .most = 100, .text_default = "3", .unit = "checks",
     .help = "How many checks in a row must fail before a member is taken out. The first check of a member that "
             "nothing is known of decides alone."},
    {KEY("path", OPT_STRING, 0, path), .least = 1, .most = 1024, .text_default = "\"/\"",
     .help = "http: the path, with a query if need be, that is asked for. Redirects are not followed."},
    {KEY("host", OPT_STRING, 0, host), .least = 1, .most = 255, .sample = "\"www.example.com\"",
     .help = "http: the name or address in the Host field, written without a port; the checked port follows it there "
             "unless it is 80. Without this key, the pool's owner name. A wildcard's pool needs it."},
    {KEY("expect_status", OPT_CUSTOM, OPT_LIST, expect_status), .parse = parse_status,
     .parse_size = sizeof(struct probe_status_range), .text_default = "[ \"200-299\" ]",
     .help = "http: the statuses that pass, one by one or in ranges."},
    {KEY("expect_body", OPT_STRING, 0, expect_body), .least = 1, .most = PATTERN_MAX, .sample = "\"^OK\"",
     .help = "http: a POSIX extended regular expression that must match in the body, of which the first 64 KiB are "
             "looked at; \"^\" and \"$\" are the body's begin and end. At most 256 characters, repetitions written "
             "out. Without it the body is of no interest."},
};

const struct opt_table probe_opt_table = {
    .path = "probes",
    .size = sizeof(struct probe_options),
    .list = true,
    .where_offset = offsetof(struct probe_options, where),
    .help = "The ways in which members of pools are checked; a pool or a member names the one it wants. To have no "
            "route to a member, or no address of its family, is a failed check; to have no file descriptor or local "
            "port left counts for nothing, and the check is tried again.",
    OPT_ROWS(opts),
    .check = check,
};

void probe_spec_fill(struct probe_spec *spec, const struct probe_options *options, const struct addr *address,
                     const char *owner)
{
    *spec = (struct probe_spec){
        .type = (enum probe_type)options->type,
        .address = *address,
        .timing =
            {
                .interval_ms = options->interval_ms,
                .fast_interval_ms = options->fast_interval_ms,
                .timeout_ms = options->timeout_ms,
                .rise = (uint16_t)options->rise,
                .fall = (uint16_t)options->fall,
            },
    };
    spec->address.port = (uint16_t)(options->port ? options->port : HTTP_PORT);
    if (spec->type != PROBE_HTTP)
        return;
    spec->host = options->host ? options->host : owner;
    spec->path = options->path;
    spec->expect_body = options->expect_body;
    spec->status = options->expect_status.items;
    spec->status_cnt = options->expect_status.cnt;
}
