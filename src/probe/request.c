#include "probe/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *request_make(const struct probe_spec *spec)
{
    char host[HOST_MAX + 16];
    char *path = mem_strdup(spec->options.path && *spec->options.path ? spec->options.path : "/");
    bool wants_body = spec->options.expect_body || load_want_needs_body(&spec->options);
    host_text(host, sizeof host, spec);
    tame(path);
    /* A compressed body could not be searched. */
    char *request = mem_printf("GET %s HTTP/1.1\r\n"
                               "Host: %s\r\n"
                               "User-Agent: rondo/" RONDO_VERSION "\r\n"
                               "Accept: */*\r\n"
                               "%s%s"
                               "Connection: close\r\n"
                               "\r\n",
                               path, host, wants_body ? "Accept-Encoding: identity\r\n" : "",
                               load_want_request(&spec->options));
    free(path);
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
