#include "probe/transfer.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/response.h"

/* libcurl ends a connection that takes longer than this; the check's deadline comes first. */
enum { FOREVER_MS = 86400000 };
/* What is read at a time: most answers are shorter, and those that hang have a buffer too. */
enum { BUFFER_LEN = 4096 };

static const struct secure_detail *detail_of(const struct transfer *t)
{
    return secure_of(t->check->run.target);
}

/* ---- the result */

static int64_t now_sec(void)
{
    return (int64_t)(clock_wall_ms() / 1000);
}

static void fail_text(struct kind_run *run, const char *text)
{
    kind_end_text(run, KIND_FAILED, text, strlen(text));
}

static void take_load(struct transfer *t)
{
    if (t->load_want.source == PROBE_LOAD_BODY)
        load_report_read_body(&t->load, &t->load_want, t->body, t->body_len);
    load_report_take(&t->check->run.measure, &t->load, clock_wall_ms());
}

/* All is well but for how long yet. */
static void pass(struct transfer *t, enum reason_code code, uint32_t number)
{
    uint32_t least = detail_of(t)->min_days_left;
    int days = certificate_days_left(&t->certificate, now_sec());
    char text[PROBE_REASON_MAX];
    if (!least || !t->certificate.seen || days >= (int)least) {
        take_load(t);
        kind_pass(&t->check->run, code, number);
        return;
    }
    snprintf(text, sizeof text, "certificate: days left: %d, fewer than %u", days, least);
    fail_text(&t->check->run, text);
}

static void judge_body(struct transfer *t)
{
    const struct pattern *pattern = t->check->run.target->patterns[0];
    if (pattern && !pattern_matches(pattern, t->body, t->body_len))
        kind_fail(&t->check->run,
                  (struct reason){t->body_cut ? REASON_NO_MATCH_CUT : REASON_NO_MATCH, t->status});
    else
        pass(t, REASON_STATUS, t->status);
}

void transfer_end(struct transfer *t, CURLcode code)
{
    struct check *check = t->check;
    if (check_runs(check) && code != CURLE_OK)
        transfer_fail(t, code);
    else if (check_runs(check) && t->head_done)
        judge_body(t);
    else if (check_runs(check) && check->run.target->type == PROBE_TLS)
        pass(t, REASON_HANDSHAKE, 0);
    else if (check_runs(check)) /* libcurl takes what it has for the whole */
        kind_fail(&check->run, (struct reason){t->head_len ? REASON_HEAD_CLOSED : REASON_ANSWER_CLOSED, 0});
    transfer_measure(t);
}

/* The prober knows when the connection stood; what it waited after that does not count. 0: nobody wants to know. */
static uint32_t step_us(const struct transfer *t, uint64_t at_us)
{
    uint32_t connected_us = t->check->run.steps.connected_us;
    return connected_us && at_us ? connected_us + (uint32_t)(at_us - t->begun_us) : 0;
}

void transfer_measure(struct transfer *t)
{
    struct health_measure *measure = &t->check->run.measure;
    t->check->run.steps.handshake_us = step_us(t, t->handshake_us);
    t->check->run.steps.first_byte_us = step_us(t, t->answered_us);
    if (!t->certificate.seen)
        return;
    measure->days_left = certificate_days_left(&t->certificate, now_sec());
    measure->has_days_left = true;
}

/* ---- what libcurl asks and tells: with a result before all is there it is told to stop */

enum { STOP = 0 };

/* The connection stands. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;
    (void)address;
    if (purpose != CURLSOCKTYPE_IPCXN || t->check->fd < 0)
        return CURL_SOCKET_BAD;
    curl_socket_t fd = t->check->fd;
    t->check->fd = -1;
    t->fd = fd;
    return fd;
}

static int on_opened(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    (void)arg;
    (void)fd;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    struct transfer *t = arg;
    (void)easy;
    SSL_CTX_set_cert_verify_callback(context, certificate_verify, &t->certificate);
    tls_guard_put(t->guard);
    t->guard = tls_guard_new(context, t->fd);
    return CURLE_OK;
}

static int on_handshake(void *arg, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *t = arg;
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    t->check->run.secure_phase = SECURE_WAITING;
    t->handshake_us = clock_mono_us();
    return CURL_PREREQFUNC_OK;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static void take_status(struct transfer *t, const char *line, size_t len)
{
    char text[32];
    size_t taken = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, line, taken);
    text[taken] = '\0';
    const char *blank = strchr(text, ' ');
    unsigned long status = blank ? strtoul(blank, NULL, 10) : 0;
    t->status = status < 1000 ? (uint16_t)status : 0;
    t->load = (struct load_report){.kind = HEALTH_LOAD_NONE}; /* what interim responses said */
    t->speaks_2 = !strncmp(text, "HTTP/2", 6);
}

/* The headers of a response are complete. */
static void end_head(struct transfer *t)
{
    const struct secure_detail *detail = detail_of(t);
    struct kind_run *run = &t->check->run;
    if (t->status / 100 == 1) {
        if (++t->interim_cnt > RESPONSE_INTERIM_MAX)
            kind_fail(run, (struct reason){REASON_INTERIM_MANY, RESPONSE_INTERIM_MAX});
        return;
    }
    t->head_done = true;
    run->secure_phase = SECURE_BODY;
    if (!secure_expects(detail, t->status))
        kind_fail(run, (struct reason){REASON_STATUS, t->status});
    else if (detail->http_version == PROBE_HTTP_2 && !t->speaks_2)
        fail_text(run, "HTTP/1.1, but HTTP/2 is expected");
    else if (!detail->wants_body)
        pass(t, REASON_STATUS, t->status);
}

/* A line with its end; trailers come here too. */
static size_t on_header(char *line, size_t size, size_t cnt, void *arg)
{
    struct transfer *t = arg;
    struct kind_run *run = &t->check->run;
    size_t len = size * cnt;
    t->head_len += (uint32_t)len;
    t->answered_us = t->answered_us ? t->answered_us : clock_mono_us();
    if (!check_runs(t->check))
        return STOP;
    if (t->head_len > RESPONSE_HEAD_MAX) {
        kind_fail(run, (struct reason){REASON_HEAD_LONG, RESPONSE_HEAD_MAX / 1024});
    } else if (!t->head_done) {
        run->secure_phase = SECURE_HEAD;
        if (len >= 5 && !memcmp(line, "HTTP/", 5))
            take_status(t, line, len);
        else if (len && (*line == '\r' || *line == '\n'))
            end_head(t);
        else
            load_report_read_line(&t->load, &t->load_want, line, len);
    }
    return check_runs(t->check) ? len : STOP;
}

static size_t on_body(char *bytes, size_t size, size_t cnt, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * cnt, left = RESPONSE_BODY_MAX - t->body_len, taken = len < left ? len : left;
    if (!check_runs(t->check))
        return STOP;
    if (t->body_len + taken > t->body_cap) {
        t->body_cap = t->body_len + taken > RESPONSE_BODY_MAX / 8 ? RESPONSE_BODY_MAX : RESPONSE_BODY_MAX / 8;
        t->body = mem_realloc(t->body, t->body_cap, 1);
    }
    memcpy(t->body + t->body_len, bytes, taken);
    t->body_len += taken;
    if (taken == len)
        return len;
    t->body_cut = true;
    judge_body(t);
    return STOP;
}

/* ---- what it is told to do */

/* Nothing but this connection: no name is looked up, no proxy asked, nothing kept for the next check. An address that
 * the socket does not have is given so that libcurl has one. */
static int set_way(struct transfer *t, struct curl_slist *nowhere)
{
    CURL *easy = t->easy;
    return (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, t) | (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) |
           (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") |
           (int)curl_easy_setopt(easy, CURLOPT_PROXY, "") |
           (int)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) |
           (int)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) |
           (int)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) |
           (int)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) |
           (int)curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L) |
           (int)curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L) |
           (int)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, nowhere) |
           (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)FOREVER_MS) |
           (int)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_LEN) |
           (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) |
           (int)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t) |
           (int)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_opened) |
           (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
}

/* The certificate and its name are judged by certificate_verify; that libcurl compares the name is a second lock. */
static int set_tls(struct transfer *t)
{
    CURL *easy = t->easy;
    return (int)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) |
           (int)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, t->certificate.trusted ? 2L : 0L) |
           (int)curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) | (int)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) |
           (int)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) |
           (int)curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t) |
           (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_handshake) |
           (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
}

/* What libcurl takes for "leave this one out", a field without a value, it knows by another end. */
static int add_header(struct transfer *t, const char *line)
{
    size_t name_len = strcspn(line, ":"), value_at = name_len + strspn(line + name_len, ": \t");
    char *empty = line[value_at] ? NULL : mem_printf("%.*s;", (int)name_len, line);
    struct curl_slist *longer = curl_slist_append(t->headers, empty ? empty : line);
    free(empty);
    if (!longer)
        return CURLE_OUT_OF_MEMORY;
    t->headers = longer;
    return CURLE_OK;
}

static int set_request(struct transfer *t, const struct secure_detail *detail, const struct secure_texts *texts)
{
    CURL *easy = t->easy;
    long version = detail->http_version == PROBE_HTTP_1_1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS;
    const char *header = texts->headers;
    int failed = add_header(t, "Connection: close");
    for (uint32_t i = 0; i < detail->header_cnt; i++, header = secure_next(header))
        failed |= add_header(t, header);
    if (!strcmp(texts->method, "HEAD"))
        failed |= (int)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (strcmp(texts->method, "GET") != 0)
        failed |= (int)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, texts->method);
    return failed | (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) |
           (int)curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, texts->path) |
           (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers) |
           (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) |
           (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, t) |
           (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) |
           (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

bool transfer_begin(struct transfer *t, struct x509_store_st *trusted, struct curl_slist *nowhere)
{
    const struct secure_detail *detail = detail_of(t);
    const struct secure_texts texts = secure_texts(detail);
    t->begun_us = clock_mono_us();
    if (trusted && X509_STORE_up_ref(trusted))
        t->certificate.trusted = trusted;
    t->certificate.host = texts.host;
    secure_load_want(&t->load_want, t->check->run.target);
    t->easy = curl_easy_init();
    if (!t->easy)
        return false;
    int failed = set_way(t, nowhere) | set_tls(t) | (int)curl_easy_setopt(t->easy, CURLOPT_URL, texts.url);
    if (t->check->run.target->type == PROBE_TLS)
        failed |= (int)curl_easy_setopt(t->easy, CURLOPT_CONNECT_ONLY, 1L);
    else
        failed |= set_request(t, detail, &texts);
    return !failed && (t->certificate.trusted || !detail->verifies);
}

/* ---- coming and going */

struct transfer *transfer_new(struct check *check)
{
    struct transfer *t = mem_zalloc(1, sizeof *t);
    t->check = check;
    return t;
}

void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    curl_easy_cleanup(t->easy);
    X509_STORE_free(t->certificate.trusted);
    tls_guard_put(t->guard);
    curl_slist_free_all(t->headers);
    free(t->body);
    free(t);
}
