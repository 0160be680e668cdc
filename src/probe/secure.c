#include "probe/secure.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/load_want.h"
#include "probe/request.h"

enum { HOST_MAX = 255 };

/* ---- what is asked for */

/* The configuration has refused what can't stand there; an owner name may still hold any byte, and what a URL takes for
 * something else than a name must not be it. No certificate is for such a name. */
static void tame_host(char *host)
{
    struct addr address;
    if (!addr_from_text(&address, host))
        return;
    for (; *host; host++)
        if (!isalnum((unsigned char)*host) && !strchr("-._", *host))
            *host = '_';
}

/* Without brackets and final dot. */
static void host_text(char host[HOST_MAX + 1], const struct probe_spec *spec)
{
    char address[ADDR_TEXT_MAX];
    const char *text = spec->host && *spec->host ? spec->host : addr_to_text(address, &spec->address);
    size_t len = strlen(text);
    if (*text == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (len > 1 && text[len - 1] == '.') {
        len--;
    }
    len = len < HOST_MAX ? len : HOST_MAX;
    memcpy(host, text, len);
    host[len] = '\0';
    tame_host(host);
}

static char *url_of(const char *host, uint16_t port)
{
    bool is_v6 = strchr(host, ':') != NULL;
    return mem_printf("https://%s%s%s:%u/", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

/* ---- packing */

enum { TEXT_CNT = 6 }; /* before the header lines */

static size_t texts_len(const char *const texts[TEXT_CNT])
{
    size_t len = 0;
    for (unsigned i = 0; i < TEXT_CNT; i++)
        len += strlen(texts[i]) + 1;
    return len;
}

/* Returns where the next goes. */
static char *write_texts(char *out, const char *const texts[TEXT_CNT])
{
    for (unsigned i = 0; i < TEXT_CNT; i++) {
        size_t len = strlen(texts[i]) + 1;
        memcpy(out, texts[i], len);
        out += len;
    }
    return out;
}

/* Lines become strings, the end of each one byte instead of two. Returns how many; `len` of all of them. */
static uint32_t split_lines(char *lines, size_t *len)
{
    uint32_t cnt = 0;
    char *to = lines;
    for (const char *from = lines; *from; cnt++) {
        size_t line_len = strcspn(from, "\r\n");
        memmove(to, from, line_len);
        to += line_len;
        from += line_len + strspn(from + line_len, "\r\n");
        *to++ = '\0';
    }
    *len = (size_t)(to - lines);
    return cnt;
}

/* All but the strings. */
static void fill(struct secure_detail *detail, const struct probe_options *options)
{
    if (options->verify && options->ca_file)
        memcpy(detail->ca_digest, options->ca_digest, sizeof detail->ca_digest);
    detail->min_days_left = (uint32_t)options->min_days_left;
    detail->http_version = (uint8_t)options->http_version;
    detail->verifies = options->verify;
    detail->wants_body = options->expect_body || load_want_needs_body(options);
    detail->load = (uint8_t)options->load;
}

uint8_t *secure_pack(const struct probe_spec *spec, size_t *len)
{
    static const struct probe_status_range usual = {200, 299};
    const struct probe_options *options = &spec->options;
    const struct opt_list *status = &options->expect_status;
    size_t status_cnt = status->cnt ? status->cnt : 1, headers_len;
    char host[HOST_MAX + 1], *url, *headers = request_fields(options);
    host_text(host, spec);
    url = url_of(host, spec->address.port);
    const char *const texts[TEXT_CNT] = {host,
                                         url,
                                         options->path && *options->path ? options->path : "/",
                                         options->verify && options->ca_file ? options->ca_file : "",
                                         options->load_metric ? options->load_metric : "",
                                         options->method ? options->method : "GET"};
    uint32_t header_cnt = split_lines(headers, &headers_len);
    *len = sizeof(struct secure_detail) + status_cnt * sizeof usual + texts_len(texts) + headers_len;
    struct secure_detail *detail = mem_zalloc(1, *len);
    fill(detail, options);
    detail->status_cnt = (uint32_t)status_cnt;
    detail->header_cnt = header_cnt;
    memcpy(detail->status, status->cnt ? status->items : &usual, status_cnt * sizeof usual);
    memcpy(write_texts((char *)&detail->status[status_cnt], texts), headers, headers_len);
    free(url);
    free(headers);
    return (uint8_t *)detail;
}

/* ---- reading */

struct secure_texts secure_texts(const struct secure_detail *detail)
{
    struct secure_texts texts;
    texts.host = (const char *)&detail->status[detail->status_cnt];
    texts.url = secure_next(texts.host);
    texts.path = secure_next(texts.url);
    texts.ca_file = secure_next(texts.path);
    texts.metric = secure_next(texts.ca_file);
    texts.method = secure_next(texts.metric);
    texts.headers = secure_next(texts.method);
    return texts;
}

void secure_load_want(struct load_want *want, const struct target *target)
{
    const struct secure_detail *detail = secure_of(target);
    *want = (struct load_want){
        .source = (enum probe_load)detail->load,
        .metric = secure_texts(detail).metric,
        .parts = target->patterns + LOAD_WANT_PLACE,
    };
}

bool secure_expects(const struct secure_detail *detail, unsigned status)
{
    for (uint32_t i = 0; i < detail->status_cnt; i++)
        if (status >= detail->status[i].least && status <= detail->status[i].most)
            return true;
    return false;
}
