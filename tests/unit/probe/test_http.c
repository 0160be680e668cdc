/* The http machine and its reader, without a socket: every response whole, cut in two at every byte, and byte by byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/kind.h"
#include "probe/target.h"

#define CRLF "\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static struct target_table table;

static struct probe_status_range ranges[] = {{200, 299}, {404, 404}};

static struct target *target_with(const char *body)
{
    struct probe_spec spec = {
        .options.type = PROBE_HTTP,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
        .host = "h",
        .options.expect_body = (char *)(uintptr_t)body,
        .options.expect_status = {ranges, 2},
    };
    bool is_new;
    assert_int_equal(addr_port_from_text(&spec.address, "192.0.2.1", 80), ERR_OK);
    return target_table_at(&table, target_table_add(&table, &spec, &is_new));
}

static void start(struct kind_run *run, const struct target *target)
{
    kind_start(run, target, 0);
    kind_connected(run);
    while (run->want == KIND_WANT_WRITABLE)
        kind_sent(run, 1);
}

/* From a heap block of exactly its size. */
static void receive(struct kind_run *run, const char *bytes, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    memcpy(exact, bytes, len);
    if (len && run->state == KIND_RUNNING)
        kind_received(run, exact, len);
    free(exact);
}

enum end { OPEN, /* nothing more comes: the deadline */ CLOSE };

struct result {
    enum kind_state state;
    char reason[PROBE_REASON_MAX];
};

static void finish(struct kind_run *run, enum end end, struct result *result)
{
    if (run->state == KIND_RUNNING && end == CLOSE)
        kind_closed(run);
    else if (run->state == KIND_RUNNING)
        kind_late(run);
    result->state = run->state;
    reason_to_text(result->reason, run->reason);
    kind_fini(run);
}

/* `response` in two pieces. */
static struct result result_of(const struct target *target, const char *response, size_t len, size_t first,
                               enum end end)
{
    struct kind_run run;
    struct result result;
    start(&run, target);
    receive(&run, response, first);
    receive(&run, response + first, len - first);
    finish(&run, end, &result);
    return result;
}

static struct result result_by_byte(const struct target *target, const char *response, size_t len, enum end end)
{
    struct kind_run run;
    struct result result;
    start(&run, target);
    for (size_t i = 0; i < len; i++)
        receive(&run, response + i, 1);
    finish(&run, end, &result);
    return result;
}

static void compare(const char *response, struct result is, enum kind_state state, const char *reason)
{
    if (is.state != state || strcmp(is.reason, reason) != 0)
        fail_msg("\"%s\": expected %s \"%s\", got %s \"%s\"", response, state == KIND_PASSED ? "pass" : "fail", reason,
                 is.state == KIND_PASSED ? "pass" : "fail", is.reason);
}

struct row {
    const char *body; /* expected; NULL: none */
    const char *response;
    size_t len; /* 0: of the string */
    enum end end;
    enum kind_state state;
    const char *reason;
};

static void run_rows(const struct row *rows, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        const struct row *row = &rows[i];
        const struct target *target = target_with(row->body);
        size_t len = row->len ? row->len : strlen(row->response);
        for (size_t cut = 0; cut <= len; cut++)
            compare(row->response, result_of(target, row->response, len, cut, row->end), row->state, row->reason);
        compare(row->response, result_by_byte(target, row->response, len, row->end), row->state, row->reason);
    }
}
#define RUN_ROWS(rows) run_rows(rows, sizeof(rows) / sizeof *(rows))

/* ---- tables ---- */

static void test_status_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, OK_HEAD CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, "HTTP/1.0 200 OK" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, "HTTP/1.1 204" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 204"},
        {NULL, "HTTP/1.1 204 " CRLF CRLF, 0, OPEN, KIND_PASSED, "status 204"},
        {NULL, "HTTP/1.1 299 a b\tc \xc3\xa4" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 299"},
        {NULL, "HTTP/1.1 200 OK\n\n", 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, "HTTP/1.1 404 Not Found" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 404"},
        {NULL, "HTTP/1.1 199 x" CRLF CRLF OK_HEAD CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, "HTTP/1.1 300 x" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 300"},
        {NULL, "HTTP/1.1 301 Moved" CRLF "Location: /x" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 301"},
        {NULL, "HTTP/1.1 503 Down" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 503"},
        {NULL, "HTTP/1.1 999 x" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 999"},
        {NULL, "HTTP/1.1 101 Switching" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 101"},
        {NULL, "HTTP/1.1 099 x" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 20 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 2000 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1  200 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 2x0 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.x 200 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 200 OK\rx", 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 200 OK\x01", 0, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/1.1 200\0OK" CRLF CRLF, 19, OPEN, KIND_FAILED, "not HTTP: malformed status line"},
        {NULL, "HTTP/2 200" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
        {NULL, "SSH-2.0-OpenSSH_9.2p1", 0, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
        {NULL, "http/1.1 200 OK" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
        {NULL, CRLF OK_HEAD CRLF, 0, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
        {NULL, "<html>hello</html>", 0, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
        {NULL, "\x15\x03\x01\x00\x02\x02\x46", 7, OPEN, KIND_FAILED, "not HTTP: TLS"},
        {NULL, "\x16\x03\x03\x00\x7a\x02", 6, CLOSE, KIND_FAILED, "not HTTP: TLS"},
        {NULL, "\0\0\x12\x04\0\0\0\0\0", 9, OPEN, KIND_FAILED, "not HTTP: the answer does not begin with HTTP/1"},
    };
    RUN_ROWS(rows);
}

static void test_headers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, OK_HEAD "Server: x" CRLF "X-Y:" CRLF "a:b" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "Server: x\nA: b\n\n", 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "A: b" CRLF " folded: x" CRLF "\tmore" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "!#$%&'*+-.^_`|~09azAZ: x" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "A: \x80\xff" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "Content-Length: 5" CRLF "Content-Length: 5" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, OK_HEAD "A : b" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD ": b" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "no colon" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "nocolon" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "A: b\rc" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "A: b\r" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "A: b\x7f" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "A\xc3\xa4: b" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed header line"},
        {NULL, OK_HEAD "Content-Length: 5" CRLF " 6" CRLF CRLF, 0, OPEN, KIND_FAILED,
         "not HTTP: malformed header line"},
        {NULL, OK_HEAD "Content-Length: 5" CRLF "content-length: 6" CRLF CRLF, 0, OPEN, KIND_FAILED,
         "not HTTP: malformed Content-Length"},
        {NULL, OK_HEAD "Content-Length: -1" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed Content-Length"},
        {NULL, OK_HEAD "Content-Length: 5, 5" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed Content-Length"},
        {NULL, OK_HEAD "Content-Length:" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed Content-Length"},
        {NULL, OK_HEAD "Content-Length: 0x5" CRLF CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed Content-Length"},
        {NULL, OK_HEAD "Content-Length: 99999999999999999999" CRLF CRLF, 0, OPEN, KIND_FAILED,
         "not HTTP: malformed Content-Length"},
    };
    RUN_ROWS(rows);
}

static void test_interim_responses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, "HTTP/1.1 100 Continue" CRLF CRLF OK_HEAD CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, "HTTP/1.1 103 Hints" CRLF "Link: x" CRLF CRLF "HTTP/1.1 102 x" CRLF CRLF "HTTP/1.1 500 x" CRLF CRLF, 0,
         OPEN, KIND_FAILED, "status 500"},
        {NULL, "HTTP/1.1 100 x" CRLF CRLF, 0, CLOSE, KIND_FAILED, "closed inside the headers"},
        {NULL, "HTTP/1.1 100 x" CRLF CRLF "garbage", 0, OPEN, KIND_FAILED,
         "not HTTP: the answer does not begin with HTTP/1"},
        {"^ab$", "HTTP/1.1 100 x" CRLF "Content-Length: 7" CRLF CRLF OK_HEAD "Content-Length: 2" CRLF CRLF "ab", 0,
         OPEN, KIND_PASSED, "status 200"},
    };
    RUN_ROWS(rows);
    char many[512] = "";
    for (unsigned i = 0; i < 9; i++)
        strcat(many, "HTTP/1.1 100 x" CRLF CRLF);
    const struct row nine[] = {{NULL, many, 0, OPEN, KIND_FAILED, "more than 8 interim responses"}};
    RUN_ROWS(nine);
}

static void test_ends(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, "", 0, CLOSE, KIND_FAILED, "closed without an answer"},
        {NULL, "", 0, OPEN, KIND_FAILED, "no answer within 1s"},
        {NULL, "HTTP", 0, CLOSE, KIND_FAILED, "closed inside the headers"},
        {NULL, "HTTP", 0, OPEN, KIND_FAILED, "headers not complete within 1s"},
        {NULL, OK_HEAD "A: b" CRLF, 0, CLOSE, KIND_FAILED, "closed inside the headers"},
        {NULL, OK_HEAD "A: b" CRLF, 0, OPEN, KIND_FAILED, "headers not complete within 1s"},
        {"x", OK_HEAD "Content-Length: 5" CRLF CRLF "xxx", 0, CLOSE, KIND_FAILED, "closed inside the body"},
        {"x", OK_HEAD "Content-Length: 5" CRLF CRLF "xxx", 0, OPEN, KIND_FAILED, "body not complete within 1s"},
        {"x", OK_HEAD CRLF "xxx", 0, OPEN, KIND_FAILED, "body not complete within 1s"},
        {"x", OK_HEAD "Transfer-Encoding: chunked" CRLF CRLF "3" CRLF "xxx", 0, CLOSE, KIND_FAILED,
         "closed inside the body"},
        {"x", OK_HEAD "Transfer-Encoding: chunked" CRLF CRLF "3" CRLF "xxx" CRLF "0" CRLF, 0, CLOSE, KIND_FAILED,
         "closed inside the body"},
    };
    RUN_ROWS(rows);
}

static void test_bodies(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"^abc$", OK_HEAD "Content-Length: 3" CRLF CRLF "abc", 0, OPEN, KIND_PASSED, "status 200"},
        {"^abc$", OK_HEAD "content-LENGTH:3" CRLF CRLF "abcdef", 0, OPEN, KIND_PASSED, "status 200"},
        {"^abc$", OK_HEAD "Content-Length:\t 003 " CRLF CRLF "abc", 0, OPEN, KIND_PASSED, "status 200"},
        {"^$", OK_HEAD "Content-Length: 0" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {"^$", "HTTP/1.1 204 x" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 204"},
        {"^abc$", OK_HEAD CRLF "abc", 0, CLOSE, KIND_PASSED, "status 200"},
        {"^$", OK_HEAD CRLF, 0, CLOSE, KIND_PASSED, "status 200"},
        {"b", OK_HEAD "Content-Length: 3" CRLF CRLF "a\0b", 41, OPEN, KIND_PASSED, "status 200"},
        {"x", OK_HEAD "Content-Length: 3" CRLF CRLF "abc", 0, OPEN, KIND_FAILED,
         "status 200, but the body does not match"},
        {"x", "HTTP/1.1 404 x" CRLF "Content-Length: 1" CRLF CRLF "y", 0, OPEN, KIND_FAILED,
         "status 404, but the body does not match"},
        {"x", "HTTP/1.1 503 x" CRLF "Content-Length: 1" CRLF CRLF, 0, OPEN, KIND_FAILED, "status 503"},
        {"x", OK_HEAD "Content-Length: 3" CRLF "Transfer-Encoding: chunked" CRLF CRLF "1" CRLF "x" CRLF "0" CRLF CRLF,
         0, OPEN, KIND_PASSED, "status 200"},
    };
    RUN_ROWS(rows);
}

#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"

static void test_chunks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"^abcdefghijkl$", CHUNKED "3" CRLF "abc" CRLF "9" CRLF "defghijkl" CRLF "0" CRLF CRLF, 0, OPEN, KIND_PASSED,
         "status 200"},
        {"^abcdefghijkl$", CHUNKED "0000c;x=\"y\"" CRLF "abcdefghijkl" CRLF "0" CRLF "T: x" CRLF CRLF, 0, OPEN,
         KIND_PASSED, "status 200"},
        {"^abcdefghijk$", CHUNKED "B " CRLF "abcdefghijk" CRLF "0" CRLF CRLF "rest", 0, OPEN, KIND_PASSED,
         "status 200"},
        {"^ab$", CHUNKED "2\nab\n0\n\n", 0, OPEN, KIND_PASSED, "status 200"},
        {"^$", CHUNKED "0" CRLF CRLF, 0, OPEN, KIND_PASSED, "status 200"},
        {"x", CHUNKED "x" CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "-1" CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "1x" CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "1" CRLF "abc", 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "1" CRLF "a\rb", 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "1000000000000000" CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "fffffffffffffffff" CRLF, 0, OPEN, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED "fffffffffffffff" CRLF "x", 0, OPEN, KIND_FAILED, "body not complete within 1s"},
        {"x", OK_HEAD "Transfer-Encoding: gzip" CRLF CRLF "x", 0, CLOSE, KIND_FAILED,
         "not HTTP: unknown Transfer-Encoding"},
        {"x", OK_HEAD "Transfer-Encoding: gzip, chunked" CRLF CRLF, 0, OPEN, KIND_FAILED,
         "not HTTP: unknown Transfer-Encoding"},
        {"x", OK_HEAD "Transfer-Encoding: chunked" CRLF "transfer-encoding: chunked" CRLF CRLF, 0, OPEN, KIND_FAILED,
         "not HTTP: unknown Transfer-Encoding"},
        /* Of no interest without an expectation of the body. */
        {NULL, OK_HEAD "Transfer-Encoding: gzip" CRLF CRLF "x", 0, OPEN, KIND_PASSED, "status 200"},
        {NULL, CHUNKED "x" CRLF, 0, OPEN, KIND_PASSED, "status 200"},
    };
    RUN_ROWS(rows);
}

/* ---- what does not end ---- */

static struct result endless(const struct target *target, const char *head, const char *again, size_t most,
                             size_t *taken)
{
    struct kind_run run;
    struct result result;
    start(&run, target);
    receive(&run, head, strlen(head));
    *taken = strlen(head);
    while (run.state == KIND_RUNNING && *taken < most) {
        receive(&run, again, strlen(again));
        *taken += strlen(again);
    }
    finish(&run, OPEN, &result);
    return result;
}

static void test_what_does_not_end(void **state)
{
    (void)state;
    static const struct {
        const char *body, *head, *again;
        size_t least, most;
        enum kind_state state;
        const char *reason;
    } rows[] = {
        {NULL, OK_HEAD, "X-Header: value" CRLF, 16384, 16384 + 20, KIND_FAILED, "headers of more than 16 KiB"},
        {NULL, OK_HEAD "X: ", "x", 16384, 16385, KIND_FAILED, "headers of more than 16 KiB"},
        {NULL, OK_HEAD, "x", 16384, 16385, KIND_FAILED, "headers of more than 16 KiB"},
        {NULL, "HTTP/1.1 200 ", "x", 16384, 16385, KIND_FAILED, "headers of more than 16 KiB"},
        {NULL, OK_HEAD CRLF, "body", 0, 100, KIND_PASSED, "status 200"},
        {"x", OK_HEAD CRLF, "body", 65536, 65536 + 60, KIND_FAILED,
         "status 200, but no match in the first 64 KiB of the body"},
        {"yb", OK_HEAD CRLF, "body", 65536, 65536 + 60, KIND_PASSED, "status 200"},
        {"x", OK_HEAD "Content-Length: 65537" CRLF CRLF, "bod", 65536, 65536 + 60, KIND_FAILED,
         "status 200, but no match in the first 64 KiB of the body"},
        {"x", OK_HEAD "Content-Length: 65536" CRLF CRLF, "body", 65536, 65536 + 60, KIND_FAILED,
         "status 200, but the body does not match"},
        {"x", CHUNKED, "1" CRLF "b" CRLF, 65536 * 6, 65536 * 6 + 60, KIND_FAILED,
         "status 200, but no match in the first 64 KiB of the body"},
        {"x", CHUNKED "1;", "x", 1024, 1100, KIND_FAILED, "not HTTP: malformed chunk"},
        {"x", CHUNKED, "1;0123456789abcdef0123456789abcdef" CRLF "b" CRLF, 16384, 65536, KIND_FAILED,
         "not HTTP: malformed chunk"},
        {"x", CHUNKED, "000000000000001" CRLF "b" CRLF, 65536 * 20, 65536 * 20 + 100, KIND_FAILED,
         "status 200, but no match in the first 64 KiB of the body"},
        {"x", CHUNKED "0" CRLF, "Trailer: x" CRLF, 16384, 16384 + 60, KIND_FAILED, "headers of more than 16 KiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t taken;
        struct result result = endless(target_with(rows[i].body), rows[i].head, rows[i].again, 4000000, &taken);
        compare(rows[i].head, result, rows[i].state, rows[i].reason);
        assert_in_range(taken, rows[i].least, rows[i].most);
    }
}

/* ---- the machine ---- */

static void test_what_it_waits_for(void **state)
{
    (void)state;
    struct kind_run run;
    struct result result;
    kind_start(&run, target_with(NULL), 123);
    assert_int_equal(run.deadline_us, 123 + 1000000);
    assert_int_equal(run.want, KIND_WANT_CONNECTED);
    assert_false(run.kind->resets);
    kind_connected(&run);
    assert_int_equal(run.want, KIND_WANT_WRITABLE);
    assert_memory_equal(run.out, "GET / HTTP/1.1\r\n", 16);
    kind_sent(&run, 4);
    assert_int_equal(run.want, KIND_WANT_WRITABLE);
    assert_memory_equal(run.out, "/ HTTP/1.1\r\n", 12);
    kind_sent(&run, run.out_len);
    assert_int_equal(run.want, KIND_WANT_READABLE);
    finish(&run, OPEN, &result);
    assert_string_equal(result.reason, "no answer within 1s");
}

static void test_late_before_it_is_connected(void **state)
{
    (void)state;
    struct kind_run run;
    struct result result;
    kind_start(&run, target_with(NULL), 0);
    finish(&run, OPEN, &result);
    assert_string_equal(result.reason, "no connection within 1s");
}

/* A server may answer, and break off, before it has read the request. */
static void test_answer_before_the_request_is_sent(void **state)
{
    (void)state;
    struct kind_run run;
    struct result result;
    kind_start(&run, target_with(NULL), 0);
    kind_connected(&run);
    kind_sent(&run, 1);
    receive(&run, "HTTP/1.1 503 Busy" CRLF CRLF, 21);
    finish(&run, OPEN, &result);
    compare("503", result, KIND_FAILED, "status 503");
}

static void test_broken(void **state)
{
    (void)state;
    struct kind_run run;
    struct result result;
    start(&run, target_with("x"));
    receive(&run, CHUNKED "3" CRLF "x", sizeof(CHUNKED "3" CRLF "x") - 1);
    kind_broken(&run, ECONNRESET);
    finish(&run, OPEN, &result); /* and the body that came is freed */
    compare("reset", result, KIND_FAILED, "connection reset by peer");
}

static int set_up(void **state)
{
    (void)state;
    target_table_init(&table);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    target_table_fini(&table);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_lines),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_interim_responses),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_what_does_not_end),
        cmocka_unit_test(test_what_it_waits_for),
        cmocka_unit_test(test_late_before_it_is_connected),
        cmocka_unit_test(test_answer_before_the_request_is_sent),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
