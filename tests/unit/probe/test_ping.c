/* The ping machine, under virtual time. */
#include <errno.h>

#include "base/buf.h"
#include "unit/probe/machine.h"

static struct kind_run *pinging(struct machine *m, const char *address, int64_t count, int64_t loss_max)
{
    struct probe_options options = {.type = PROBE_PING, .count = count, .loss_max = loss_max};
    machine_begin(m, &options, address);
    kind_connected(&m->run);
    assert_int_equal(m->run.want, KIND_WANT_WRITABLE);
    assert_int_equal(m->run.out_len, ECHO_LEN);
    return &m->run;
}

/* What was sent last comes back as the target would send it. */
static void reply_to(uint8_t reply[ECHO_LEN], const struct kind_run *run)
{
    memcpy(reply, run->echo.request, ECHO_LEN);
    reply[0] = reply[0] == 8 ? 0 : 129;
}

static void at_ms(struct kind_run *run, unsigned ms)
{
    run->now_us = MACHINE_BEGIN_US + ms * UINT64_C(1000);
}

/* Sent, and what is due next. */
static void sent(struct kind_run *run, unsigned next_us)
{
    kind_sent(run, run->out_len);
    assert_int_equal(kind_due_us(run), MACHINE_BEGIN_US + next_us);
}

static void test_the_request(void **state)
{
    struct kind_run *run = pinging(*state, "192.0.2.1", 3, 80);
    assert_int_equal(run->out[0], 8);
    assert_int_equal(run->out[1], 0);
    assert_int_equal(echo_checksum(run->out, ECHO_LEN), 0); /* over what it is in */
    assert_int_equal(be16_get(run->out + 4), 0x0123);
    assert_int_equal(be16_get(run->out + 6), 0);
    sent(run, 333333);
    at_ms(run, 333);
    kind_wake(run);
    assert_int_equal(be16_get(run->out + 6), 1);
    assert_int_equal(echo_checksum(run->out, ECHO_LEN), 0);
    run = pinging(*state, "2001:db8::1", 3, 80);
    assert_int_equal(run->out[0], 128);
    assert_int_equal(be16_get(run->out + 2), 0);
}

static void test_the_first_answer_is_enough(void **state)
{
    uint8_t reply[ECHO_LEN];
    struct kind_run *run = pinging(*state, "192.0.2.1", 3, 80);
    sent(run, 333333);
    reply_to(reply, run);
    at_ms(run, 7);
    machine_hear(run, reply, sizeof reply);
    machine_expect(run, KIND_PASSED, "echo answered");
    assert_int_equal(run->response_us, 7000);
}

/* A lost packet is not a dead server; the time is that of the packet that came back. */
static void test_two_are_lost(void **state)
{
    uint8_t reply[ECHO_LEN];
    struct kind_run *run = pinging(*state, "2001:db8::1", 0, 80); /* by default three */
    sent(run, 333333);
    at_ms(run, 333);
    kind_wake(run);
    sent(run, 666333);
    at_ms(run, 670);
    kind_wake(run);
    sent(run, 1000000); /* no more are sent */
    reply_to(reply, run);
    at_ms(run, 700);
    machine_hear(run, reply, sizeof reply);
    machine_expect(run, KIND_PASSED, "echo answered");
    assert_int_equal(run->response_us, 30000);
}

static void test_none_may_be_lost(void **state)
{
    uint8_t replies[4][ECHO_LEN];
    struct kind_run *run = pinging(*state, "192.0.2.1", 4, 0);
    for (unsigned i = 0; i < 4; i++) {
        if (i) {
            at_ms(run, 250 * i);
            kind_wake(run);
        }
        sent(run, 250000 * (i + 1));
        reply_to(replies[i], run);
    }
    for (unsigned i = 0; i < 3; i++)
        machine_hear(run, replies[i], ECHO_LEN);
    machine_hear(run, replies[0], ECHO_LEN); /* a packet that came twice is one */
    assert_int_equal(run->state, KIND_RUNNING);
    struct kind_run late = *run;
    kind_late(&late);
    machine_expect(&late, KIND_FAILED, "25 percent of the echo requests lost");
    at_ms(run, 800);
    machine_hear(run, replies[3], ECHO_LEN);
    machine_expect(run, KIND_PASSED, "echo answered");
    assert_int_equal(run->response_us, (750 + 500 + 250 + 50) * 1000 / 4);
}

static void test_thresholds(void **state)
{
    static const struct {
        unsigned count, loss_max, need;
    } cases[] = {{1, 0, 1}, {1, 99, 1}, {3, 80, 1}, {3, 66, 2}, {3, 67, 1}, {10, 80, 2}, {10, 20, 8}, {20, 99, 1}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct kind_run *run = pinging(*state, "192.0.2.1", cases[c].count, cases[c].loss_max);
        unsigned answered = 0;
        for (unsigned i = 0; i < cases[c].count && run->state == KIND_RUNNING; i++) {
            uint8_t reply[ECHO_LEN];
            if (i) {
                run->now_us = run->wake_us;
                kind_wake(run);
            }
            reply_to(reply, run);
            answered++;
            machine_hear(run, reply, ECHO_LEN);
        }
        assert_int_equal(run->state, KIND_PASSED);
        assert_int_equal(answered, cases[c].need);
    }
}

static void test_late_and_broken(void **state)
{
    struct kind_run *run = pinging(*state, "192.0.2.1", 3, 80);
    kind_late(run);
    machine_expect(run, KIND_FAILED, "no answer within 1s");
    run = pinging(*state, "192.0.2.1", 3, 80);
    kind_broken(run, EHOSTUNREACH);
    machine_expect(run, KIND_FAILED, "no route to host");
}

/* Whatever else a raw socket may get to see. */
static void test_what_is_no_answer(void **state)
{
    uint8_t reply[ECHO_LEN], other[ECHO_LEN + 1] = {0};
    struct kind_run *run = pinging(*state, "192.0.2.1", 3, 80);
    sent(run, 333333);
    machine_hear(run, run->echo.request, ECHO_LEN); /* our own, over loopback */
    reply_to(reply, run);
    for (size_t len = 0; len < ECHO_LEN; len++)
        machine_hear(run, reply, len);
    memcpy(other, reply, ECHO_LEN);
    machine_hear(run, other, ECHO_LEN + 1);
    static const size_t at[] = {0, 1, 6, 7, 8, 15};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        memcpy(other, reply, ECHO_LEN);
        other[at[i]] ^= 1;
        machine_hear(run, other, ECHO_LEN);
    }
    assert_int_equal(run->state, KIND_RUNNING);
    other[at[5]] ^= 1;
    other[4] ^= 1; /* the identifier is the kernel's */
    machine_hear(run, other, ECHO_LEN);
    machine_expect(run, KIND_PASSED, "echo answered");
}

static void test_checksums(void **state)
{
    (void)state;
    static const uint8_t rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}; /* RFC 1071 section 3 */
    assert_int_equal(echo_checksum(rfc, sizeof rfc), (uint16_t)~0xddf2);
    assert_int_equal(echo_checksum(rfc, 3), (uint16_t)~0xf201);
    static const uint8_t ones[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(echo_checksum(ones, sizeof ones), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_the_request),     MACHINE_TEST(test_the_first_answer_is_enough),
        MACHINE_TEST(test_two_are_lost),    MACHINE_TEST(test_none_may_be_lost),
        MACHINE_TEST(test_thresholds),      MACHINE_TEST(test_late_and_broken),
        MACHINE_TEST(test_what_is_no_answer), cmocka_unit_test(test_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
