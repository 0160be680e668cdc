#include "probe/request.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "probe/load_want.h"

enum { PORT_DEFAULT = 80, HOST_MAX = 1024 };

/* The configuration has refused what can't stand in a request; an owner name may still hold any byte. Whatever comes
 * here, no byte of it ends a field or begins another. */
static void tame(char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            *text = '?';
}

/* RFC 9110 section 7.2: as in the URL, the port only when it isn't the scheme's own. */
static void host_text(char *out, size_t cap, const struct probe_spec *spec)
{
    char address[ADDR_TEXT_MAX], port[8] = "";
    const char *host = spec->host && *spec->host ? spec->host : addr_to_text(address, &spec->address);
    size_t len = strlen(host);
    bool needs_brackets = *host != '[' && strchr(host, ':');
    if (len > 1 && host[len - 1] == '.')
        len--; /* an owner's final dot means nothing to a web server */
    if (spec->address.port != PORT_DEFAULT)
        snprintf(port, sizeof port, ":%u", spec->address.port);
    snprintf(out, cap, "%s%.*s%s%s", needs_brackets ? "[" : "", (int)(len < HOST_MAX ? len : HOST_MAX), host,
             needs_brackets ? "]" : "", port);
    tame(out);
}

/* ---- method and fields ---- */

/* RFC 9110 section 5.6.2. */
static size_t token_len(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || (text[len] && strchr("!#$%&'*+-.^_`|~", text[len])))
        len++;
    return len;
}

const char *request_method_problem(const char *method)
{
    if (!*method || method[token_len(method)])
        return "expected a word such as \"GET\", \"HEAD\" or \"OPTIONS\"";
    return strcmp(method, "CONNECT") ? NULL : "a server that is no proxy has no answer to CONNECT";
}

static bool is_named(const char *header, const char *name)
{
    size_t len = strlen(name);
    return !strncasecmp(header, name, len) && header[len] == ':';
}

/* What says where the message ends, or what becomes of the connection, must be what the request really does. */
const char *request_header_problem(const char *header)
{
    static const char *const ours[] = {"Host",    "Connection", "Content-Length", "Transfer-Encoding",
                                       "Upgrade", "Expect",     "Trailer",        "TE"};
    size_t len = token_len(header);
    if (!len || header[len] != ':')
        return "expected \"Name: value\"";
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (is_named(header, ours[i]))
            return strcmp(ours[i], "Host") ? "this one is rondo's to send, or not to" : "\"host\" is the key for it";
    for (const char *at = header + len + 1; *at; at++)
        if ((*at < ' ' && *at != '\t') || *at > '~')
            return "expected nothing but printable ASCII characters";
    return NULL;
}

static bool is_given(const struct probe_options *options, const char *name)
{
    char *const *headers = options->headers.items;
    for (size_t i = 0; i < options->headers.cnt; i++)
        if (is_named(headers[i], name))
            return true;
    return false;
}

/* Methods whose meaning is in a body say that there is none (RFC 9110 section 8.6). */
static bool has_body(const char *method)
{
    return !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

char *request_fields(const struct probe_options *options)
{
    const char *method = options->method ? options->method : "GET";
    char *const *headers = options->headers.items;
    bool is_searched = options->expect_body || load_want_needs_body(options); /* a compressed body could not be */
    /* Without the version: it would make the same check another with each upgrade, of whose target nothing is known. */
    const char *agent = is_given(options, "User-Agent") ? "" : "User-Agent: rondo\r\n";
    const char *accept = is_given(options, "Accept") ? "" : "Accept: */*\r\n";
    const char *coding = is_given(options, "Accept-Encoding") || !is_searched ? "" : "Accept-Encoding: identity\r\n";
    char *text = mem_printf("%s%s%s%s%s", agent, accept, coding, load_want_request(options),
                            has_body(method) ? "Content-Length: 0\r\n" : "");
    for (size_t i = 0; i < options->headers.cnt; i++) {
        char *longer = mem_printf("%s%s\r\n", text, headers[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* ---- the request ---- */

char *request_make(const struct probe_spec *spec)
{
    char host[HOST_MAX + 16];
    const char *method = spec->options.method ? spec->options.method : "GET";
    char *path = mem_strdup(spec->options.path && *spec->options.path ? spec->options.path : "/");
    char *fields = request_fields(&spec->options);
    host_text(host, sizeof host, spec);
    tame(path);
    char *request = mem_printf("%s %s HTTP/1.1\r\n"
                               "Host: %s\r\n"
                               "%s"
                               "Connection: close\r\n"
                               "\r\n",
                               method, path, host, fields);
    free(path);
    free(fields);
    return request;
}

uint8_t *request_pack(const struct probe_spec *spec, size_t *len)
{
    static const struct probe_status_range usual = {200, 299};
    const struct opt_list *status = &spec->options.expect_status;
    size_t status_cnt = status->cnt ? status->cnt : 1, status_len = status_cnt * sizeof usual;
    char *request = request_make(spec);
    const char *metric = spec->options.load_metric ? spec->options.load_metric : "";
    size_t request_len = strlen(request), metric_len = strlen(metric) + 1;
    *len = sizeof(struct request_detail) + status_len + request_len + metric_len;
    struct request_detail *detail = mem_zalloc(1, *len);
    detail->status_cnt = (uint32_t)status_cnt;
    detail->request_len = (uint32_t)request_len;
    detail->load = (uint32_t)spec->options.load;
    memcpy(detail->status, status->cnt ? status->items : &usual, status_len);
    uint8_t *bytes = (uint8_t *)&detail->status[status_cnt];
    memcpy(bytes, request, request_len);
    memcpy(bytes + request_len, metric, metric_len);
    free(request);
    return (uint8_t *)detail;
}

void request_load_want(struct load_want *want, const struct target *target)
{
    const struct request_detail *detail = request_of(target);
    *want = (struct load_want){
        .source = (enum probe_load)detail->load,
        .metric = (const char *)request_bytes(detail) + detail->request_len,
        .parts = target->patterns + LOAD_WANT_PLACE,
    };
}
