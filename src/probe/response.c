#include "probe/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

enum state {
    STATUS_LINE,
    HEADER_LINE,
    BODY_LENGTH, /* as many bytes as Content-Length says */
    BODY_TO_END, /* until the server closes */
    CHUNK_LINE,
    CHUNK_DATA,
    CHUNK_END, /* the line end after its data */
    TRAILER_LINE,
    DONE,
    BAD,
};

enum { PREFIX_LEN = 7, STATUS_LINE_LEAST = 12 /* "HTTP/1.1 200" */, CHUNK_SIZE_MAX = 15 /* digits */ };
static const char prefix[] = "HTTP/1.";

void response_init(struct response *response, const struct probe_status_range *expected, uint32_t expected_cnt,
                   bool wants_body, const struct load_want *load_want)
{
    /* All but `kept`, which is only read as far as it was written. */
    memset(response, 0, offsetof(struct response, kept));
    response->expected = expected;
    response->expected_cnt = expected_cnt;
    response->wants_body = wants_body || load_want->source == PROBE_LOAD_BODY;
    response->load_want = *load_want;
    response->state = STATUS_LINE;
}

void response_fini(struct response *response)
{
    free(response->body);
    free(response->load_value);
    response->body = NULL;
    response->load_value = NULL;
}

static void bad(struct response *r, enum reason_code code, uint32_t number)
{
    r->reason = (struct reason){code, number};
    r->state = BAD;
}

/* ---- the status line: RFC 9112 section 4 ---- */

/* Told by the first wrong byte: what speaks another protocol may never send a second line. A TLS server answers a plain
 * request with an alert (21) or begins a handshake (22), RFC 8446 section 5.1. */
static bool is_prefix_wrong(struct response *r, uint8_t byte)
{
    if (r->line_len >= PREFIX_LEN || byte == (uint8_t)prefix[r->line_len])
        return false;
    bool is_tls = r->line_len == 0 && (byte == 21 || byte == 22);
    bad(r, is_tls ? REASON_NOT_HTTP_TLS : REASON_NOT_HTTP, 0);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_status_expected(const struct response *r)
{
    for (uint32_t i = 0; i < r->expected_cnt; i++)
        if (r->status >= r->expected[i].least && r->status <= r->expected[i].most)
            return true;
    return false;
}

/* "HTTP/1.1 200 OK"; many servers leave out the blank before a missing reason phrase. */
static void end_status_line(struct response *r)
{
    const char *line = r->kept;
    bool is_good = r->kept_len >= STATUS_LINE_LEAST && is_digit(line[7]) && line[8] == ' ' && line[9] >= '1' &&
                   line[9] <= '9' && is_digit(line[10]) && is_digit(line[11]) &&
                   (r->kept_len == STATUS_LINE_LEAST || line[12] == ' ');
    if (!is_good) {
        bad(r, REASON_BAD_STATUS_LINE, 0);
        return;
    }
    r->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    r->is_expected = is_status_expected(r);
    r->state = HEADER_LINE;
}

/* ---- header lines: RFC 9112 section 5 ---- */

/* RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* The value of the kept line if its field is `name`; NULL else. `is_whole`: nothing of it was cut. */
static const char *value_of(const struct response *r, const char *name, size_t *len)
{
    size_t name_len = strlen(name), end = r->kept_len;
    if (r->kept_len <= name_len || r->kept[name_len] != ':' || strncasecmp(r->kept, name, name_len) != 0)
        return NULL;
    size_t at = name_len + 1;
    while (at < end && (r->kept[at] == ' ' || r->kept[at] == '\t'))
        at++;
    while (end > at && (r->kept[end - 1] == ' ' || r->kept[end - 1] == '\t'))
        end--;
    *len = end - at;
    return r->kept + at;
}

static bool is_cut(const struct response *r)
{
    return r->line_len > r->kept_len;
}

/* RFC 9112 section 6.3: the same length twice is no harm, two lengths are. */
static void take_length(struct response *r, const char *value, size_t len)
{
    uint64_t length = 0;
    bool is_good = len > 0 && len <= 18 && !is_cut(r);
    for (size_t i = 0; i < len && is_good; i++) {
        is_good = is_digit(value[i]);
        length = length * 10 + (uint64_t)(value[i] - '0');
    }
    if (!is_good || (r->has_length && r->length != length)) {
        bad(r, REASON_BAD_LENGTH, 0);
        return;
    }
    r->has_length = true;
    r->length = length;
}

/* We offer no coding (no TE field), so chunked is the only one that may come. */
static void take_coding(struct response *r, const char *value, size_t len)
{
    r->is_chunked = !r->has_coding && !is_cut(r) && len == 7 && strncasecmp(value, "chunked", 7) == 0;
    r->has_coding = true;
}

/* ---- the field that tells of load ---- */

/* With the colon before the value, and what shows that a value is too long. */
enum { LOAD_LINE_MAX = 1 + LOAD_VALUE_MAX + 1 };

/* The name of a header line is complete. */
static void begin_load(struct response *r)
{
    r->is_load = r->kept_len == r->line_len && load_report_has_field(&r->load_want, r->kept, r->kept_len);
    r->load_len = 0;
    if (r->is_load && !r->load_value)
        r->load_value = mem_zalloc(LOAD_LINE_MAX, 1);
}

static void keep_load(struct response *r, uint8_t byte)
{
    if (r->load_len < LOAD_LINE_MAX)
        r->load_value[r->load_len++] = (char)byte;
}

/* Of several the last; one that is folded is none. */
static void end_load(struct response *r)
{
    load_report_read_field(&r->load, &r->load_want, r->load_value + 1, r->load_len - 1u);
    if (r->is_fold)
        r->load.kind = HEALTH_LOAD_NONE;
}

/* ---- the end of a header line ---- */

static void end_field(struct response *r)
{
    size_t len;
    const char *value;
    if (r->is_load)
        end_load(r);
    if (r->is_fold) {
        if (r->last_matters)
            bad(r, REASON_BAD_HEADER, 0);
        return;
    }
    if (r->in_name) {
        bad(r, REASON_BAD_HEADER, 0);
        return;
    }
    r->last_matters = true;
    if ((value = value_of(r, "content-length", &len)))
        take_length(r, value, len);
    else if ((value = value_of(r, "transfer-encoding", &len)))
        take_coding(r, value, len);
    else
        r->last_matters = false;
}

/* ---- the end of the headers ---- */

static void begin_next_response(struct response *r)
{
    if (++r->interim_cnt > RESPONSE_INTERIM_MAX) {
        bad(r, REASON_INTERIM_MANY, RESPONSE_INTERIM_MAX);
        return;
    }
    r->has_length = r->has_coding = r->is_chunked = r->last_matters = r->is_load = false;
    r->load.kind = HEALTH_LOAD_NONE;
    r->length = 0;
    r->state = STATUS_LINE;
}

/* RFC 9112 section 6.3, in its order. */
static void begin_body(struct response *r)
{
    if (r->status == 204 || r->status == 304)
        r->state = DONE;
    else if (r->has_coding && !r->is_chunked)
        bad(r, REASON_BAD_CODING, 0);
    else if (r->is_chunked)
        r->state = CHUNK_LINE;
    else if (r->has_length)
        r->state = r->length ? BODY_LENGTH : DONE;
    else
        r->state = BODY_TO_END;
}

/* 101 is final: we asked for no other protocol, so it is a status like any other that is not expected (RFC 9110
 * section 15.2.2). */
static void end_head(struct response *r)
{
    if (r->status < 200 && r->status != 101)
        begin_next_response(r);
    else if (!r->wants_body || !r->is_expected)
        r->state = DONE;
    else
        begin_body(r);
}

/* ---- chunks: RFC 9112 section 7.1 ---- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void end_chunk_line(struct response *r)
{
    uint64_t size = 0;
    unsigned digits = 0;
    while (digits < r->kept_len && hex_value(r->kept[digits]) >= 0 && digits <= CHUNK_SIZE_MAX)
        size = size << 4 | (unsigned)hex_value(r->kept[digits++]);
    bool is_ended = digits == r->kept_len || strchr("; \t", r->kept[digits]);
    if (!digits || digits > CHUNK_SIZE_MAX || !is_ended) {
        bad(r, REASON_BAD_CHUNK, 0);
        return;
    }
    r->length = size;
    r->state = size ? CHUNK_DATA : TRAILER_LINE;
}

/* ---- lines ---- */

static void end_line(struct response *r)
{
    bool is_empty = r->line_len == 0;
    switch ((enum state)r->state) {
    case STATUS_LINE:
        end_status_line(r);
        break;
    case HEADER_LINE:
        if (is_empty)
            end_head(r);
        else
            end_field(r);
        break;
    case CHUNK_LINE:
        end_chunk_line(r);
        break;
    case CHUNK_END:
        r->state = CHUNK_LINE;
        break;
    case TRAILER_LINE:
        if (is_empty)
            r->state = DONE;
        break;
    case BODY_LENGTH:
    case BODY_TO_END:
    case CHUNK_DATA:
    case DONE:
    case BAD:
        break;
    }
    r->line_len = r->kept_len = 0;
    r->saw_cr = false;
}

static enum reason_code malformed(const struct response *r)
{
    if (r->state == STATUS_LINE)
        return REASON_BAD_STATUS_LINE;
    return r->state == HEADER_LINE ? REASON_BAD_HEADER : REASON_BAD_CHUNK;
}

/* A header line's name must be a token up to its colon, without a blank before it (RFC 9112 section 5.1). */
static bool is_header_byte_wrong(struct response *r, uint8_t byte)
{
    if (r->line_len == 0) {
        r->is_fold = byte == ' ' || byte == '\t';
        r->in_name = !r->is_fold;
        r->is_load &= r->is_fold;
    }
    if (!r->in_name)
        return false;
    if (byte == ':' && r->line_len > 0) {
        r->in_name = false;
        begin_load(r);
        return false;
    }
    return !is_token_char(byte);
}

/* Sizes of chunks are bounded by the body, in which each must have a byte; what is behind them counts as headers do. */
static bool is_line_too_long(struct response *r)
{
    if (r->state == CHUNK_LINE) {
        if (r->line_len <= CHUNK_SIZE_MAX ||
            (r->line_len < RESPONSE_CHUNK_LINE_MAX && ++r->head_len <= RESPONSE_HEAD_MAX))
            return false;
        bad(r, REASON_BAD_CHUNK, 0);
    } else {
        if (++r->head_len <= RESPONSE_HEAD_MAX)
            return false;
        bad(r, REASON_HEAD_LONG, RESPONSE_HEAD_MAX / 1024);
    }
    return true;
}

/* Line ends are CR LF, or LF; a CR alone, and any other control character but the tabulator, is none of HTTP's. */
static void read_line_byte(struct response *r, uint8_t byte)
{
    if (r->state == STATUS_LINE && is_prefix_wrong(r, byte))
        return;
    if (r->state != CHUNK_END && is_line_too_long(r))
        return;
    if (byte == '\n') {
        end_line(r);
        return;
    }
    bool is_control = (byte < ' ' && byte != '\t' && byte != '\r') || byte == 127;
    if (r->saw_cr || is_control || (r->state == CHUNK_END && byte != '\r')) {
        bad(r, malformed(r), 0);
        return;
    }
    if (byte == '\r') {
        r->saw_cr = true;
        return;
    }
    if (r->state == HEADER_LINE && is_header_byte_wrong(r, byte)) {
        bad(r, REASON_BAD_HEADER, 0);
        return;
    }
    if (r->state == HEADER_LINE && r->is_load)
        keep_load(r, byte);
    if (r->kept_len < RESPONSE_KEPT_MAX)
        r->kept[r->kept_len++] = (char)byte;
    r->line_len++;
}

/* ---- bodies ---- */

static void keep_body(struct response *r, const uint8_t *bytes, size_t len)
{
    size_t need = r->body_len + len;
    if (need > r->body_cap) {
        uint32_t cap = r->body_cap ? r->body_cap : 1024;
        while (cap < need)
            cap *= 2;
        r->body = mem_realloc(r->body, cap, 1);
        r->body_cap = cap;
    }
    memcpy(r->body + r->body_len, bytes, len);
    r->body_len += (uint32_t)len;
}

/* How much of `len` bytes was body. */
static size_t read_body(struct response *r, const uint8_t *bytes, size_t len)
{
    size_t left = RESPONSE_BODY_MAX - r->body_len, taken = len;
    if (r->state != BODY_TO_END && taken > r->length)
        taken = (size_t)r->length;
    if (taken > left) {
        keep_body(r, bytes, left);
        r->body_cut = true;
        r->state = DONE;
        return left;
    }
    keep_body(r, bytes, taken);
    if (r->state == BODY_TO_END)
        return taken;
    r->length -= taken;
    if (!r->length)
        r->state = r->state == CHUNK_DATA ? CHUNK_END : DONE;
    return taken;
}

static bool is_body_state(const struct response *r)
{
    return r->state == BODY_LENGTH || r->state == BODY_TO_END || r->state == CHUNK_DATA;
}

/* ---- from outside ---- */

static enum response_progress progress(const struct response *r)
{
    if (r->state == BAD)
        return RESPONSE_BAD;
    return r->state == DONE ? RESPONSE_DONE : RESPONSE_MORE;
}

enum response_progress response_feed(struct response *response, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    response->any = response->any || len > 0;
    while (at < len && progress(response) == RESPONSE_MORE) {
        if (is_body_state(response))
            at += read_body(response, bytes + at, len - at);
        else
            read_line_byte(response, bytes[at++]);
    }
    return progress(response);
}

enum response_progress response_end(struct response *response)
{
    if (response->state == BODY_TO_END)
        response->state = DONE;
    if (progress(response) != RESPONSE_MORE)
        return progress(response);
    if (!response->any)
        bad(response, REASON_ANSWER_CLOSED, 0);
    else if (response->state == STATUS_LINE || response->state == HEADER_LINE)
        bad(response, REASON_HEAD_CLOSED, 0);
    else
        bad(response, REASON_BODY_CLOSED, 0);
    return RESPONSE_BAD;
}

struct reason response_late(const struct response *response, uint32_t timeout_ms)
{
    enum reason_code code = REASON_BODY_SLOW;
    if (!response->any)
        code = REASON_NO_ANSWER;
    else if (response->state == STATUS_LINE || response->state == HEADER_LINE)
        code = REASON_HEAD_SLOW;
    return (struct reason){code, timeout_ms};
}
