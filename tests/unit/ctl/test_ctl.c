#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/commands.h"
#include "ctl/text.h"

/* ==== frames ==== */

static struct ctl_frame frame_of(const char *text)
{
    struct ctl_frame frame;
    uint8_t head[4] = {0, 0, (uint8_t)(strlen(text) >> 8), (uint8_t)strlen(text)};
    bool complete;
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    assert_int_equal(ctl_frame_feed(&frame, head, 4, &complete), ERR_OK);
    assert_int_equal(ctl_frame_feed(&frame, text, strlen(text), &complete), ERR_OK);
    assert_true(complete);
    return frame;
}

static void a_frame_comes_in_any_pieces(void **state)
{
    (void)state;
    size_t len;
    const char *args[] = {"a", "b"};
    char *bytes = ctl_request_format(&len, "zones", args, 2);
    for (size_t piece = 1; piece <= len; piece++) {
        struct ctl_frame frame;
        bool complete = false;
        ctl_frame_init(&frame, CTL_REQUEST_MAX);
        for (size_t at = 0; at < len; at += piece) {
            assert_false(complete);
            assert_int_equal(ctl_frame_feed(&frame, bytes + at, len - at < piece ? len - at : piece, &complete),
                             ERR_OK);
        }
        assert_true(complete);
        struct ctl_request request;
        char why[200];
        assert_int_equal(ctl_request_parse(&request, &frame, why, sizeof why), ERR_OK);
        assert_string_equal(request.command, "zones");
        assert_int_equal(request.arg_cnt, 2);
        assert_string_equal(request.args[1], "b");
        ctl_request_fini(&request);
        ctl_frame_fini(&frame);
    }
    free(bytes);
}

static void too_long_is_refused_at_the_header(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff}, one_over[] = {0, 0, 16, 1}, most[] = {0, 0, 16, 0};
    struct ctl_frame frame;
    bool complete;
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    assert_int_equal(ctl_frame_feed(&frame, huge, 3, &complete), ERR_OK);
    assert_int_equal(ctl_frame_feed(&frame, huge, 1, &complete), ERR_LIMIT);
    assert_int_equal(ctl_frame_feed(&frame, huge, 1, &complete), ERR_LIMIT);
    assert_false(complete);
    assert_true(frame.cap <= 1024);
    ctl_frame_fini(&frame);
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    assert_int_equal(ctl_frame_feed(&frame, one_over, 4, &complete), ERR_LIMIT);
    ctl_frame_fini(&frame);
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    assert_int_equal(ctl_frame_feed(&frame, most, 4, &complete), ERR_OK);
    assert_false(complete);
    assert_true(frame.cap <= 1024); /* grows with what comes, not with what was announced */
    ctl_frame_fini(&frame);
}

static void bytes_behind_are_refused(void **state)
{
    (void)state;
    struct ctl_frame frame;
    bool complete;
    ctl_frame_init(&frame, CTL_REQUEST_MAX);
    assert_int_equal(ctl_frame_feed(&frame, "\0\0\0\2{}x", 7, &complete), ERR_SYNTAX);
    ctl_frame_fini(&frame);
    frame = frame_of("{}");
    assert_int_equal(ctl_frame_feed(&frame, "x", 1, &complete), ERR_SYNTAX);
    ctl_frame_fini(&frame);
}

static void an_empty_frame_is_complete(void **state)
{
    (void)state;
    struct ctl_frame frame = frame_of("");
    struct ctl_request request;
    char why[200];
    assert_int_equal(ctl_request_parse(&request, &frame, why, sizeof why), ERR_SYNTAX);
    ctl_frame_fini(&frame);
}

/* ==== requests and answers ==== */

static void requests_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        const char *why; /* part of it */
    } cases[] = {
        {"{\"rondo\": 1, \"command\": \"status\"}", ERR_OK, ""},
        {"{\"rondo\": 1, \"command\": \"status\", \"args\": [], \"later\": {}}", ERR_OK, ""},
        {"{\"rondo\": 2, \"command\": \"status\", \"args\": []}", ERR_UNSUPPORTED, "version 2"},
        {"{\"rondo\": 99999999999999999999, \"command\": \"x\"}", ERR_SYNTAX, "JSON"},
        {"{\"rondo\": \"1\", \"command\": \"status\"}", ERR_SYNTAX, "control protocol"},
        {"{\"command\": \"status\"}", ERR_SYNTAX, "control protocol"},
        {"[1]", ERR_SYNTAX, "control protocol"},
        {"{\"rondo\": 1}", ERR_SYNTAX, "command"},
        {"{\"rondo\": 1, \"command\": 5}", ERR_SYNTAX, "command"},
        {"{\"rondo\": 1, \"command\": \"a\", \"args\": \"x\"}", ERR_SYNTAX, "args"},
        {"{\"rondo\": 1, \"command\": \"a\", \"args\": {}}", ERR_SYNTAX, "args"},
        {"{\"rondo\": 1, \"command\": \"a\", \"args\": [\"x\", null]}", ERR_SYNTAX, "argument"},
        {"{\"rondo\": 1, \"command\": \"a\", \"command\": \"b\"}", ERR_SYNTAX, "JSON"},
        {"{\"rondo\": 1, \"command\": \"\\u0000\"}", ERR_SYNTAX, "JSON"},
        {"{\"rondo\": 1, \"command\": \"\xff\"}", ERR_SYNTAX, "JSON"},
        {"GET / HTTP/1.1\r\n\r\n", ERR_SYNTAX, "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl_frame frame = frame_of(cases[i].text);
        struct ctl_request request;
        char why[200] = "";
        assert_int_equal(ctl_request_parse(&request, &frame, why, sizeof why), cases[i].err);
        assert_non_null(strstr(why, cases[i].why));
        if (!cases[i].err)
            ctl_request_fini(&request);
        ctl_frame_fini(&frame);
    }
}

static void nesting_without_end_is_refused(void **state)
{
    (void)state;
    char text[4001];
    memset(text, '[', 4000);
    text[4000] = 0;
    struct ctl_frame frame = frame_of(text);
    struct ctl_request request;
    char why[200];
    assert_int_equal(ctl_request_parse(&request, &frame, why, sizeof why), ERR_SYNTAX);
    ctl_frame_fini(&frame);
}

static struct ctl_frame frame_of_bytes(char *bytes, size_t len)
{
    struct ctl_frame frame;
    bool complete;
    ctl_frame_init(&frame, CTL_ANSWER_MAX);
    assert_int_equal(ctl_frame_feed(&frame, bytes, len, &complete), ERR_OK);
    assert_true(complete);
    free(bytes);
    return frame;
}

static void an_answer_comes_back(void **state)
{
    (void)state;
    size_t len;
    char why[200];
    struct ctl_answer answer;
    json_t *data = json_pack("{ss}", "a", "b");
    char *bytes = ctl_answer_format(&len, CTL_STATUS_FAILED, "file \"\xff\": \xc3\xa4", data);
    json_decref(data);
    struct ctl_frame frame = frame_of_bytes(bytes, len);
    assert_int_equal(ctl_answer_parse(&answer, &frame, why, sizeof why), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_string_equal(answer.error, "file \"\\xff\": \xc3\xa4");
    assert_string_equal(json_string_value(json_object_get(answer.data, "a")), "b");
    ctl_answer_fini(&answer);
    ctl_frame_fini(&frame);
    bytes = ctl_answer_format(&len, CTL_STATUS_DONE, NULL, NULL);
    frame = frame_of_bytes(bytes, len);
    assert_int_equal(ctl_answer_parse(&answer, &frame, why, sizeof why), ERR_OK);
    assert_null(answer.error);
    assert_null(answer.data);
    ctl_answer_fini(&answer);
    ctl_frame_fini(&frame);
}

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } cases[] = {
        {"{\"rondo\": 1, \"status\": 0}", ERR_OK},
        {"{\"rondo\": 1, \"status\": 3}", ERR_SYNTAX},
        {"{\"rondo\": 1, \"status\": -1}", ERR_SYNTAX},
        {"{\"rondo\": 1}", ERR_SYNTAX},
        {"{\"rondo\": 2, \"status\": 0}", ERR_UNSUPPORTED},
        {"{\"rondo\": 2, \"status\": 2, \"error\": \"no\"}", ERR_OK},
        {"{\"rondo\": 2, \"status\": 7, \"error\": \"no\"}", ERR_SYNTAX},
        {"\"rondo\"", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl_frame frame = frame_of(cases[i].text);
        struct ctl_answer answer;
        char why[200];
        assert_int_equal(ctl_answer_parse(&answer, &frame, why, sizeof why), cases[i].err);
        if (!cases[i].err)
            ctl_answer_fini(&answer);
        ctl_frame_fini(&frame);
    }
}

static void an_answer_too_large_becomes_an_error(void **state)
{
    (void)state;
    size_t size = CTL_ANSWER_MAX + 1u, len;
    char *text = malloc(size + 1), why[200];
    memset(text, 'x', size);
    text[size] = 0;
    json_t *data = json_string(text);
    free(text);
    char *bytes = ctl_answer_format(&len, CTL_STATUS_DONE, NULL, data);
    json_decref(data);
    struct ctl_answer answer;
    struct ctl_frame frame = frame_of_bytes(bytes, len);
    assert_int_equal(ctl_answer_parse(&answer, &frame, why, sizeof why), ERR_OK);
    assert_int_equal(answer.status, CTL_STATUS_FAILED);
    assert_non_null(strstr(answer.error, "too large"));
    ctl_answer_fini(&answer);
    ctl_frame_fini(&frame);
}

/* ==== text ==== */

static void any_bytes_become_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff"
         "b",
         "a\\xffb"},
        {"\xc0\x80", "\\xc0\\x80"},                   /* overlong */
        {"\xe0\x80\x80", "\\xe0\\x80\\x80"},          /* overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {"\xe2\x82", "\\xe2\\x82"},                   /* cut off */
        {"\xc3", "\\xc3"},
        {"\n\x1b", "\n\x1b"}, /* JSON escapes these itself */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = ctl_json_text(cases[i].in);
        assert_string_equal(json_string_value(json), cases[i].out);
        char *dump = json_dumps(json, JSON_ENCODE_ANY);
        assert_non_null(dump);
        free(dump);
        json_decref(json);
    }
    assert_true(json_is_null(ctl_json_text(NULL)));
}

static void times_are_iso(void **state)
{
    (void)state;
    json_t *json = ctl_json_time(1764504000123ull);
    assert_string_equal(json_string_value(json), "2025-11-30T12:00:00Z");
    json_decref(json);
    assert_true(json_is_null(ctl_json_time(0)));
}

static void commands_are_found_by_name(void **state)
{
    (void)state;
    for (unsigned id = 0; id < CTL_COMMAND_CNT; id++)
        assert_int_equal(ctl_command_find(ctl_commands[id].name), id);
    assert_int_equal(ctl_command_find("nothing"), CTL_COMMAND_CNT);
    assert_int_equal(ctl_command_find(""), CTL_COMMAND_CNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_in_any_pieces),
        cmocka_unit_test(too_long_is_refused_at_the_header),
        cmocka_unit_test(bytes_behind_are_refused),
        cmocka_unit_test(an_empty_frame_is_complete),
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(an_answer_comes_back),
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(an_answer_too_large_becomes_an_error),
        cmocka_unit_test(any_bytes_become_utf8),
        cmocka_unit_test(times_are_iso),
        cmocka_unit_test(commands_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
