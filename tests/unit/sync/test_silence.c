#include "sync/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hash_key hash_key;
static struct silence silence;

static int setup(void **state)
{
    (void)state;
    hash_key_random(&hash_key);
    silence = (struct silence){0};
    return 0;
}

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_port_from_text(&addr, text, 53), ERR_OK);
    return addr;
}

static bool may_ask(const struct addr *addr, uint64_t now_ms)
{
    return silence_may_ask(&silence, addr, &hash_key, now_ms);
}

static void fall_silent(const struct addr *addr)
{
    for (unsigned i = 1; i <= SILENCE_AFTER; i++) {
        assert_true(may_ask(addr, 0));
        assert_int_equal(silence_unanswered(&silence, addr, &hash_key), i == SILENCE_AFTER);
    }
}

/* Then once every so often, and told once. */
static void test_a_silent_one_is_asked_seldom(void **state)
{
    (void)state;
    const struct addr addr = addr_of("192.0.2.1@53");
    fall_silent(&addr);
    assert_true(silence_is_silent(&silence, &addr, &hash_key));
    assert_true(may_ask(&addr, 10000));
    assert_false(may_ask(&addr, 10000));
    assert_false(may_ask(&addr, 10000 + SILENCE_GAP_MS - 1));
    assert_false(silence_unanswered(&silence, &addr, &hash_key));
    assert_true(may_ask(&addr, 10000 + SILENCE_GAP_MS));
    assert_false(may_ask(&addr, 10000 + SILENCE_GAP_MS));
}

static void test_an_answer_ends_it(void **state)
{
    (void)state;
    const struct addr addr = addr_of("2001:db8::1@53");
    fall_silent(&addr);
    silence_answered(&silence, &addr, &hash_key);
    assert_false(silence_is_silent(&silence, &addr, &hash_key));
    fall_silent(&addr);
    for (unsigned i = 1; i < SILENCE_AFTER; i++)
        silence_answered(&silence, &addr, &hash_key);
    assert_true(may_ask(&addr, 0) && may_ask(&addr, 0));
}

/* Not even those that share its place; and a port makes another server. */
static void test_others_are_asked(void **state)
{
    (void)state;
    const struct addr silent = addr_of("192.0.2.1@53");
    struct addr other = addr_of("192.0.2.1@54");
    fall_silent(&silent);
    (void)!may_ask(&silent, 10000);
    for (unsigned port = 54; port < 54 + 4 * SILENCE_PLACES; port++) {
        other.port = (uint16_t)port;
        assert_true(may_ask(&other, 10000));
        silence_answered(&silence, &other, &hash_key);
    }
    assert_false(may_ask(&silent, 10000));
}

static void test_as_many_as_there_are(void **state)
{
    (void)state;
    struct addr addr = addr_of("192.0.2.1@1");
    for (unsigned port = 1; port < 4 * SILENCE_PLACES; port++) {
        addr.port = (uint16_t)port;
        assert_true(may_ask(&addr, 0));
        assert_false(silence_unanswered(&silence, &addr, &hash_key));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_silent_one_is_asked_seldom, setup),
        cmocka_unit_test_setup(test_an_answer_ends_it, setup),
        cmocka_unit_test_setup(test_others_are_asked, setup),
        cmocka_unit_test_setup(test_as_many_as_there_are, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
