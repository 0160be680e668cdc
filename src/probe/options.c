#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rr.h"
#include "probe/kind.h"
#include "probe/load_report.h"
#include "probe/trust.h"

enum {
    INTERVAL_LEAST_MS = 100,
    INTERVAL_MOST_MS = 3600000,
    TIMEOUT_LEAST_MS = 10,
    /* Interim responses (1xx) are passed over, so none can be expected; codes end at 599 (RFC 9110 section 15). */
    STATUS_LEAST = 200,
    STATUS_MOST = 599,
};

static const char *const types[] = {
    [PROBE_TCP] = "tcp",   [PROBE_HTTP] = "http", [PROBE_HTTPS] = "https", [PROBE_TLS] = "tls",
    [PROBE_EXEC] = "exec", [PROBE_DNS] = "dns",   [PROBE_PING] = "ping",   [PROBE_AGENT] = "agent",
    [PROBE_TYPE_CNT] = NULL,
};
static const char *const loads[] = {[PROBE_LOAD_NONE] = "none", [PROBE_LOAD_ORCA] = "orca",
                                    [PROBE_LOAD_WEIGHT] = "weight", [PROBE_LOAD_BODY] = "body", NULL};
static const char *const rcodes[] = {
    [RCODE_NOERROR] = "NOERROR",   [RCODE_FORMERR] = "FORMERR", [RCODE_SERVFAIL] = "SERVFAIL",
    [RCODE_NXDOMAIN] = "NXDOMAIN", [RCODE_NOTIMP] = "NOTIMP",   [RCODE_REFUSED] = "REFUSED",
    NULL,
};
static const char *const http_versions[] = {
    [PROBE_HTTP_ANY] = "any", [PROBE_HTTP_1_1] = "1.1", [PROBE_HTTP_2] = "2", NULL};

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

static enum err parse_query_type(void *field, const char *text, const char **expected)
{
    uint16_t type;
    *expected = "a type of records that can be asked for over UDP, such as \"SOA\", \"A\" or \"TYPE65280\"";
    if (!field)
        return ERR_OK;
    if (rr_type_from_text(&type, text, strlen(text)) || !question_may_ask(type))
        return ERR_INVALID;
    memcpy(field, &type, sizeof type);
    return ERR_OK;
}

/* ---- which type has which keys ---- */

#define BIT(type) (1u << PROBE_##type)
#define EVERY ((1u << PROBE_TYPE_CNT) - 1)

/* Of keys that are not every type's. */
static const struct {
    const char *key;
    unsigned types;
} owners[] = {
    {"source", EVERY & ~BIT(EXEC)},
    {"send", BIT(TCP) | BIT(AGENT)},
    {"expect", BIT(TCP)},
    {"method", BIT(HTTP) | BIT(HTTPS)},
    {"headers", BIT(HTTP) | BIT(HTTPS)},
    {"path", BIT(HTTP) | BIT(HTTPS)},
    {"host", BIT(HTTP) | BIT(HTTPS) | BIT(TLS)},
    {"expect_status", BIT(HTTP) | BIT(HTTPS)},
    {"expect_body", BIT(HTTP) | BIT(HTTPS)},
    {"command", BIT(EXEC)},
    {"load", BIT(HTTP) | BIT(HTTPS)},
    {"load_metric", BIT(HTTP) | BIT(HTTPS)},
    {"load_pattern", BIT(HTTP) | BIT(HTTPS)},
    {"query_name", BIT(DNS)},
    {"query_type", BIT(DNS)},
    {"recursion", BIT(DNS)},
    {"expect_rcode", BIT(DNS)},
    {"expect_answer", BIT(DNS)},
    {"count", BIT(PING)},
    {"loss_max", BIT(PING)},
    {"http_version", BIT(HTTPS)},
    {"ca_file", BIT(HTTPS) | BIT(TLS)},
    {"verify", BIT(HTTPS) | BIT(TLS)},
    {"min_days_left", BIT(HTTPS) | BIT(TLS)},
};

static const struct opt *row_of(const char *key)
{
    const struct opt *row = probe_opt_table.opts;
    while (strcmp(row->name, key) != 0)
        row++;
    return row;
}

/* The text of a default that is one value, without its quotes and brackets. */
static void bare_default(char *out, size_t cap, const char *text)
{
    size_t begin = strspn(text, "[ \""), len = strcspn(text + begin, "\" ]");
    snprintf(out, cap, "%.*s", (int)len, text + begin);
}

/* A default that was written out can't be told from one that was not, and does no harm. */
static bool is_default(const struct opt *row, const void *value)
{
    union {
        uint64_t bytes[8];
        char *text;
    } usual = {{0}};
    char text[64];
    bool same = false;
    assert(opt_value_size(row) <= sizeof usual);
    bare_default(text, sizeof text, row->text_default ? row->text_default : "");
    if (!row->text_default || opt_parse(row, &usual, text))
        return false;
    if (row->type == OPT_STRING) {
        same = !strcmp(usual.text, *(char *const *)value);
        free(usual.text);
    } else {
        same = !memcmp(&usual, value, opt_value_size(row));
    }
    return same;
}

static bool is_given(const struct opt *row, const struct probe_options *options)
{
    static const uint8_t nothing[64];
    const void *field = (const char *)options + row->offset;
    const struct opt_list *list = field;
    if (row->flags & OPT_LIST)
        return list->cnt > 1 || (list->cnt == 1 && !is_default(row, list->items));
    if (row->type == OPT_BOOL)
        return !is_default(row, field);
    return memcmp(field, nothing, opt_value_size(row)) && !is_default(row, field);
}

/* "\"http\"", "\"http\" or \"https\"" */
static void owners_text(char *out, size_t cap, unsigned owning)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned type = 0; type < PROBE_TYPE_CNT; type++) {
        if (!(owning & 1u << type) || len >= cap)
            continue;
        bool is_last = !(owning >> (type + 1));
        len += (size_t)snprintf(out + len, cap - len, "%s\"%s\"", !len ? "" : is_last ? " or " : ", ",
                                kinds[type]->name);
    }
}

static void check_keys(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        char who[128], text[192];
        if (owners[i].types & 1u << options->type || !is_given(row_of(owners[i].key), options))
            continue;
        owners_text(who, sizeof who, owners[i].types);
        snprintf(text, sizeof text, "only a probe of type %s has it", who);
        say(arg, owners[i].key, text);
    }
}

static void check_port(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    const struct kind *kind = kinds[options->type];
    char text[96];
    if (options->port && options->type == PROBE_PING)
        say(arg, "port", "a probe of type \"ping\" has none");
    if (options->port || !kind->has_port || kind->port)
        return;
    snprintf(text, sizeof text, "missing: a probe of type \"%s\" has no default port", kind->name);
    say(arg, "port", text);
}

/* ---- what else rows can't say ---- */

/* Names stand in TXT records of zones too, among other words. */
static bool is_word(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
            return false;
    return true;
}

static void check_durations(const struct probe_options *options, kind_say_fn *say, void *arg)
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

static void check_sources(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    const struct addr *sources = options->source.items;
    for (size_t i = 1; i < options->source.cnt; i++)
        for (size_t before = 0; before < i; before++)
            if (sources[before].family == sources[i].family)
                say(arg, "source", "at most one address of a family");
}

static void check_ca_file(struct probe_options *options, kind_say_fn *say, void *arg)
{
    char problem[TRUST_PROBLEM_MAX], text[TRUST_PROBLEM_MAX + 512];
    bool is_used = options->type == PROBE_HTTPS || options->type == PROBE_TLS;
    if (is_used && options->ca_file && !options->verify)
        say(arg, "ca_file", "it has no effect with verify = false");
    if (!is_used || !options->ca_file || trust_check_file(options->ca_digest, problem, options->ca_file))
        return;
    snprintf(text, sizeof text, "\"%s\": %s", options->ca_file, problem);
    say(arg, "ca_file", text);
}

static void check(void *filled, kind_say_fn *say, void *arg)
{
    struct probe_options *options = filled;
    const struct kind *kind = kinds[options->type];
    if (!is_word(options->name))
        say(arg, "name", "expected letters, digits, \"-\", \"_\" and \".\" only");
    check_durations(options, say, arg);
    check_sources(options, say, arg);
    check_port(options, say, arg);
    check_keys(options, say, arg);
    check_ca_file(options, say, arg);
    if (kind->check_options)
        kind->check_options(options, say, arg);
}

/* ---- the rows ---- */

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, probe_options, field)

static const struct opt opts[] = {
    {KEY("name", OPT_STRING, OPT_REQUIRED, name), .least = 1, .most = 63, .sample = "\"web\"",
     .help = "What pools and members call the probe by: letters, digits, \"-\", \"_\" and \".\"."},
    {KEY("type", OPT_ENUM, OPT_REQUIRED, type), .names = types, .sample = "\"http\"",
     .help = "What a check does. \"tcp\" passes when a connection is made, or an answer over it matches; \"http\" "
             "sends a request and passes when the answer has an expected status and body; \"https\" does so by TLS, "
             "with HTTP/1.1 or HTTP/2, and \"tls\" passes when a TLS handshake is done, both with a valid certificate; "
             "\"exec\" runs a command that judges; \"dns\" asks a name server; \"ping\" sends ICMP echo requests; "
             "\"agent\" reads what a program says of the server, in HAProxy's agent-check protocol. See CHECKS."},
    {KEY("port", OPT_INT, 0, port), .least = 1, .most = 65535, .sample = "80",
     .help = "The port that is checked. A probe of type \"http\" takes 80 without it, \"https\" and \"tls\" 443, "
             "\"dns\" 53; types \"tcp\" and \"agent\" must have it; type \"exec\" hands it to the command; \"ping\" "
             "has none."},
    {KEY("source", OPT_CUSTOM, OPT_LIST, source), .parse = addr_opt_parse, .parse_size = sizeof(struct addr),
     .sample = "\"192.0.2.9\"",
     .help = "The addresses of this machine that checks come from, at most one a family; without one of the checked "
             "family the system chooses."},
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
    {KEY("send", OPT_STRING, OPT_APART, send), .least = 1, .most = 4096, .sample = "\"PING\\r\\n\"",
     .help = "tcp, agent: what is sent once the connection stands, at most 1 KiB. \\r, \\n, \\t and \\xHH are bytes, "
             "as in all strings here; NUL is written \\\\x00, a backslash \\\\\\\\. Type \"tcp\" needs \"expect\" with "
             "it."},
    {KEY("expect", OPT_STRING, OPT_APART, expect), .least = 1, .most = PATTERN_MAX, .sample = "\"^\\\\+PONG\"",
     .help = "tcp: a POSIX extended regular expression that must match in what the server says, of which the first 16 "
             "KiB are looked at; \"^\" is their begin, \"$\" where the server closes. The check passes as soon as it "
             "does. At most 256 characters, repetitions written out. Without it a connection is enough."},
    {KEY("method", OPT_STRING, 0, method), .least = 1, .most = 32, .text_default = "\"GET\"",
     .help = "http, https: the request's method. POST, PUT and PATCH are sent with an empty body."},
    {KEY("headers", OPT_STRING, OPT_LIST, headers), .least = 1, .most = 1024, .sample = "[ \"X-Probe: rondo\" ]",
     .help = "http, https: further header fields, \"Name: value\", at most 32. Host, Connection and what says where "
             "the request ends are not among them; User-Agent, Accept and Accept-Encoding take the place of rondo's "
             "own."},
    {KEY("path", OPT_STRING, 0, path), .least = 1, .most = 1024, .text_default = "\"/\"",
     .help = "http, https: the path, with a query if need be, that is asked for. Redirects are not followed."},
    {KEY("host", OPT_STRING, 0, host), .least = 1, .most = 255, .sample = "\"www.example.com\"",
     .help = "http, https: the name or address in the Host field, written without a port; the checked port follows it "
             "there unless it is the type's default. https, tls: the server name that is sent, and that the "
             "certificate must be for. Without this key, the pool's owner name. A wildcard's pool needs it."},
    {KEY("expect_status", OPT_CUSTOM, OPT_LIST, expect_status), .parse = parse_status,
     .parse_size = sizeof(struct probe_status_range), .text_default = "[ \"200-299\" ]",
     .help = "http, https: the statuses that pass, one by one or in ranges."},
    {KEY("expect_body", OPT_STRING, 0, expect_body), .least = 1, .most = PATTERN_MAX, .sample = "\"^OK\"",
     .help = "http, https: a POSIX extended regular expression that must match in the body, of which the first 64 KiB "
             "are looked at; \"^\" and \"$\" are the body's begin and end. At most 256 characters, repetitions written "
             "out. Without it the body is of no interest."},
    {KEY("command", OPT_STRING, OPT_LIST, command), .least = 0, .most = 4095,
     .help = "exec: the absolute path of a program and its arguments, such as "
             "[ \"/usr/lib/nagios/plugins/check_smtp\", \"-H\", \"{address}\" ]; there is no shell. {address}, {port} "
             "and {pool}, also within an argument, stand for the member's address, the probe's port and the pool's "
             "owner name. Exit status 0 and 1 pass, 2 fails, 3 and others change nothing; the first line of output, up "
             "to a \"|\", is the reason. See COMMANDS."},
    {KEY("load", OPT_ENUM, 0, load), .names = loads, .text_default = "\"none\"",
     .help = "http, https: where the answer says how loaded its server is, for the policies \"least_load\" "
             "and \"least_connections\". \"orca\": the header field endpoint-load-metrics, as text or JSON; "
             "\"weight\": the field X-Load-Balancing-Endpoint-Weight, the weight that the server wants; \"body\": a "
             "number in the body, see load_pattern. What can't be read is no report, and no failure."},
    {KEY("load_metric", OPT_STRING, OPT_APART, load_metric), .least = 1, .most = LOAD_METRIC_MAX, .sample = "\"queue\"",
     .help = "http, https: with load = \"orca\", the named metric that counts. Without it application_utilization, "
             "else cpu_utilization."},
    {KEY("load_pattern", OPT_STRING, OPT_APART, load_pattern), .least = 1, .most = PATTERN_MAX,
     .sample = "\"Active connections: ([0-9]+)\"",
     .help = "http, https: with load = \"body\", a POSIX extended regular expression with one group, around the "
             "number; the more, the more loaded."},
    {KEY("query_name", OPT_STRING, OPT_APART, query_name), .least = 1, .most = 1009, .sample = "\"example.com\"",
     .help = "dns: the name that is asked for, with or without the final dot. A probe of this type must have it."},
    {KEY("query_type", OPT_CUSTOM, 0, query_type), .parse = parse_query_type, .parse_size = sizeof(uint16_t),
     .text_default = "\"SOA\"", .help = "dns: the type that is asked for."},
    {KEY("recursion", OPT_BOOL, 0, recursion), .text_default = "false",
     .help = "dns: whether recursion is asked for, as clients of a resolver do."},
    {KEY("expect_rcode", OPT_ENUM, OPT_LIST, expect_rcode), .names = rcodes, .text_default = "[ \"NOERROR\" ]",
     .help = "dns: the response codes that pass. An answer that was truncated to fit into a datagram is an answer."},
    {KEY("expect_answer", OPT_STRING, OPT_APART, expect_answer), .least = 1, .most = PATTERN_MAX,
     .sample = "\"192.0.2.1\"",
     .help = "dns: what one record of the asked type in the answer must be. For A and AAAA an address; else a POSIX "
             "extended regular expression that must match in the record's data as text, as zone files have it. Without "
             "it the records are of no interest."},
    {KEY("count", OPT_INT, 0, count), .least = 1, .most = ECHO_COUNT_MAX, .text_default = "3", .unit = "requests",
     .help = "ping: the echo requests of a check, spread over its timeout. No more are sent once the check has "
             "passed."},
    {KEY("loss_max", OPT_INT, 0, loss_max), .least = 0, .most = 99, .text_default = "80", .unit = "percent",
     .help = "ping: how many of them may stay without an answer. By the defaults one answer of three is enough."},
    {KEY("http_version", OPT_ENUM, 0, http_version), .names = http_versions, .text_default = "\"any\"",
     .help = "https: the version of HTTP. \"any\" offers both and takes what the server chooses; \"1.1\" offers that "
             "alone; \"2\" fails when the server does not choose it."},
    {KEY("verify", OPT_BOOL, 0, verify), .text_default = "true",
     .help = "https, tls: whether the certificate must be trusted, within its time, and for the host."},
    {KEY("ca_file", OPT_STRING, OPT_PATH, ca_file), .least = 1, .most = 4096,
     .help = "https, tls: a file of certificates (PEM) that the server's must be issued by, or be one of; it is read "
             "when the configuration is. Without it, the certificates that the system trusts."},
    {KEY("min_days_left", OPT_INT, 0, min_days_left), .least = 0, .most = 3650, .text_default = "0", .unit = "days",
     .help = "https, tls: the check fails when the certificate expires in fewer days, also when nothing else of it is "
             "verified. With 0, that it has not expired is all, and a part of \"verify\"."},
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

bool probe_reports_load(const struct probe_options *options)
{
    return kinds[options->type]->reports_load || options->load != PROBE_LOAD_NONE;
}

bool probe_pings(const struct opt_list *rows)
{
    const struct probe_options *options = rows->items;
    for (size_t i = 0; i < rows->cnt; i++)
        if (kinds[options[i].type]->transport == KIND_ECHO)
            return true;
    return false;
}

bool probe_needs_host(const struct probe_options *options)
{
    return kinds[options->type]->asks_host && !options->host;
}

void probe_spec_fill(struct probe_spec *spec, const struct probe_options *options, const struct addr *address,
                     const char *owner)
{
    const struct kind *kind = kinds[options->type];
    *spec = (struct probe_spec){
        .options = *options,
        .address = *address,
        .timing =
            {
                .interval_ms = options->interval_ms,
                .fast_interval_ms = options->fast_interval_ms,
                .timeout_ms = options->timeout_ms,
                .rise = (uint16_t)options->rise,
                .fall = (uint16_t)options->fall,
            },
        .pool = owner,
    };
    spec->address.port = (uint16_t)(options->port ? options->port : kind->port);
    if (kind->asks_host)
        spec->host = options->host ? options->host : owner;
}
