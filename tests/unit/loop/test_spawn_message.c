/* spawn_message: what is written is read back, and nothing else is read. */
#include "loop/spawn_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t bytes[SPAWN_MESSAGE_MAX];

static void must_read(struct spawn_message *m, size_t len)
{
    assert_true(len > 0);
    assert_int_equal(spawn_message_read(m, bytes, len), ERR_OK);
    for (size_t cut = 0; cut < len; cut++) { /* no part of it is one */
        struct spawn_message part;
        assert_int_equal(spawn_message_read(&part, bytes, cut), ERR_SYNTAX);
    }
}

static void test_become(void **state)
{
    struct spawn_message m;
    (void)state;
    must_read(&m, spawn_message_become(bytes, sizeof bytes, "rondo"));
    assert_int_equal(m.type, SPAWN_BECOME);
    assert_string_equal(m.user, "rondo");
    must_read(&m, spawn_message_become(bytes, sizeof bytes, ""));
    assert_string_equal(m.user, "");
}

static void test_run(void **state)
{
    const char *const argv[] = {"/bin/x", "", "-H", "two words"}, *const variables[] = {"A=1", "B="};
    const struct spawn_request request = {argv, 4, variables, 2, 1500, true};
    const char *argv_read[5], *variables_read[3];
    struct spawn_message m;
    (void)state;
    must_read(&m, spawn_message_run(bytes, sizeof bytes, 77, &request));
    assert_int_equal(m.type, SPAWN_RUN);
    assert_int_equal(m.id, 77);
    assert_int_equal(m.run.timeout_ms, 1500);
    assert_true(m.run.hung_before);
    spawn_message_lists(&m, argv_read, variables_read);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(argv_read[i], argv[i]);
    assert_null(argv_read[4]);
    assert_string_equal(variables_read[0], "A=1");
    assert_string_equal(variables_read[1], "B=");
    assert_null(variables_read[2]);
}

/* More than a packet, or than the lists, can hold. */
static void test_too_long(void **state)
{
    const char *argv[SPAWN_ARGUMENTS_MAX + 1];
    char *large = malloc(SPAWN_MESSAGE_MAX);
    struct spawn_request request = {argv, 2, NULL, 0, 1000, false};
    (void)state;
    memset(large, 'a', SPAWN_MESSAGE_MAX);
    large[SPAWN_MESSAGE_MAX - 100] = '\0';
    argv[0] = "/bin/x";
    argv[1] = large;
    assert_true(spawn_message_run(bytes, sizeof bytes, 1, &request) > 0);
    large[SPAWN_MESSAGE_MAX - 100] = 'a';
    large[SPAWN_MESSAGE_MAX - 1] = '\0';
    assert_int_equal(spawn_message_run(bytes, sizeof bytes, 1, &request), 0);
    free(large);
    for (unsigned i = 0; i <= SPAWN_ARGUMENTS_MAX; i++)
        argv[i] = "x";
    request.arg_cnt = SPAWN_ARGUMENTS_MAX;
    assert_true(spawn_message_run(bytes, sizeof bytes, 1, &request) > 0);
    request.arg_cnt = SPAWN_ARGUMENTS_MAX + 1;
    assert_int_equal(spawn_message_run(bytes, sizeof bytes, 1, &request), 0);
    request.arg_cnt = 0;
    assert_int_equal(spawn_message_run(bytes, sizeof bytes, 1, &request), 0);
}

static void test_answers(void **state)
{
    struct spawn_result result = {.how = SPAWN_SIGNALLED, .number = 9, .duration_us = 1234567};
    struct spawn_message m;
    (void)state;
    strcpy(result.line, "CRITICAL - all is lost");
    must_read(&m, spawn_message_ended(bytes, sizeof bytes, 5, &result));
    assert_int_equal(m.type, SPAWN_ENDED);
    assert_int_equal(m.id, 5);
    assert_int_equal(m.result.how, SPAWN_SIGNALLED);
    assert_int_equal(m.result.number, 9);
    assert_int_equal(m.result.duration_us, 1234567);
    assert_string_equal(m.result.line, "CRITICAL - all is lost");
    must_read(&m, spawn_message_hello(bytes, sizeof bytes, 11));
    assert_int_equal(m.type, SPAWN_HELLO);
    assert_int_equal(m.signal, 11);
    must_read(&m, spawn_message_stop(bytes, sizeof bytes, 6));
    assert_int_equal(m.type, SPAWN_STOP);
    assert_int_equal(m.id, 6);
    memset(result.line, 'x', sizeof result.line - 1);
    assert_true(spawn_message_ended(bytes, SPAWN_SHORT_MAX, 5, &result) > 0);
}

static void test_nonsense(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\0\0\0\0\1", 5},                                                     /* no type */
        {"\x63\0\0\0\1", 5},                                                   /* an unknown one */
        {"\3\0\0\0\1x", 6},                                                    /* more than there is to STOP */
        {"\2\0\0\0\1" "\0\0\0\1" "\0" "\0\0" "\0\0", 14},                      /* RUN of nothing */
        {"\2\0\0\0\1" "\0\0\0\1" "\0" "\xff\xff" "\0\0" "x", 15},              /* of very much */
        {"\2\0\0\0\1" "\0\0\0\1" "\0" "\0\2" "\0\0" "x", 16},                  /* one of two arguments */
        {"\5\0\0\0\1" "\6" "\0\0\0\0" "\0\0\0\0" "", 15},                      /* ENDED in no known way */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spawn_message m;
        assert_int_equal(spawn_message_read(&m, (const uint8_t *)rows[i].bytes, rows[i].len), ERR_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_become),   cmocka_unit_test(test_run),      cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_answers), cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
