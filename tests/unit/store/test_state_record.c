/* Records of orders, verdicts and times: what is written is read again, what was changed by a bit is none. */
#include "store/state_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t owner[] = "\3www\3sub\7example\3com", apex[] = "\7example\3com";

static struct operate_member member_of(const char *address)
{
    struct operate_member member = {apex, owner, {.family = ADDR_NONE}};
    assert_int_equal(addr_from_text(&member.address, address), ERR_OK);
    return member;
}

/* ---- orders */

static void orders_are_read_again(void **state)
{
    static const char *const addresses[] = {"192.0.2.1", "2001:db8::1"};
    const struct operate_order orders[] = {
        [OPERATE_DRAIN] = {.since_wall_ms = UINT64_C(1764504000123), .uid = 1000, .pid = 77, .reason = "disks",
                           .last_answer_wall_ms = UINT64_C(1764504000500), .ttl_sec = 20},
        [OPERATE_FORCE] = {.forced = HEALTH_DOWN, .since_wall_ms = 1, .until_wall_ms = UINT64_MAX, .uid = -1, .pid = -1,
                           .reason = ""},
    };
    (void)state;
    for (unsigned kind = 0; kind < OPERATE_KIND_CNT; kind++)
        for (unsigned i = 0; i < 2; i++) {
            const struct operate_order *order = &orders[kind];
            struct operate_member member = member_of(addresses[i]);
            uint8_t key[STATE_ORDER_KEY_MAX], value[STATE_ORDER_VALUE_MAX];
            size_t key_len = state_order_key(key, &member, (enum operate_kind)kind);
            size_t value_len = state_order_value(value, key, key_len, order);
            struct state_order read;
            assert_int_equal(state_order_read(&read, key, key_len, value, value_len), ERR_OK);
            assert_int_equal(read.kind, kind);
            assert_true(name_equal(read.member.owner, owner));
            assert_true(name_equal(read.member.apex, apex));
            assert_int_equal(addr_cmp(&read.member.address, &member.address), 0);
            assert_int_equal(read.order.forced, order->forced);
            assert_true(read.order.since_wall_ms == order->since_wall_ms);
            assert_true(read.order.until_wall_ms == order->until_wall_ms);
            assert_true(read.order.uid == order->uid && read.order.pid == order->pid);
            assert_true(read.order.last_answer_wall_ms == order->last_answer_wall_ms);
            assert_int_equal(read.order.ttl_sec, order->ttl_sec);
            assert_string_equal(read.order.reason, order->reason);
        }
}

static void the_longest_of_all_fits(void **state)
{
    uint8_t longest[NAME_MAX_LEN + 1], key[STATE_ORDER_KEY_MAX], value[STATE_ORDER_VALUE_MAX];
    char reason[STATE_REASON_MAX + 100];
    struct state_order read;
    size_t at = 0;
    (void)state;
    for (; at + 64 < NAME_MAX_LEN; at += 64) {
        longest[at] = 63;
        memset(longest + at + 1, 'x', 63);
    }
    longest[at] = 61;
    memset(longest + at + 1, 'x', 61);
    longest[at + 62] = 0;
    assert_int_equal(name_len(longest), NAME_MAX_LEN);
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    struct operate_member member = {longest, longest, {.family = ADDR_V4}};
    struct operate_order order = {.forced = HEALTH_UP, .reason = reason};
    size_t key_len = state_order_key(key, &member, OPERATE_FORCE);
    size_t value_len = state_order_value(value, key, key_len, &order);
    assert_int_equal(key_len, STATE_ORDER_KEY_MAX);
    assert_int_equal(value_len, STATE_ORDER_VALUE_MAX);
    assert_int_equal(state_order_read(&read, key, key_len, value, value_len), ERR_OK);
    assert_int_equal(strlen(read.order.reason), STATE_REASON_MAX);
}

static void a_changed_order_is_none(void **state)
{
    struct operate_member member = member_of("192.0.2.1");
    struct operate_order order = {.forced = HEALTH_UP, .reason = "why"};
    uint8_t key[STATE_ORDER_KEY_MAX], value[STATE_ORDER_VALUE_MAX];
    size_t key_len = state_order_key(key, &member, OPERATE_FORCE);
    size_t value_len = state_order_value(value, key, key_len, &order);
    struct state_order read;
    (void)state;
    for (size_t bit = 0; bit < value_len * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(state_order_read(&read, key, key_len, value, value_len), ERR_OK);
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < key_len * 8; bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(state_order_read(&read, key, key_len, value, value_len), ERR_OK);
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len < value_len; len++)
        assert_int_not_equal(state_order_read(&read, key, key_len, value, len), ERR_OK);
    assert_int_equal(state_order_read(&read, key, key_len, value, value_len), ERR_OK);
}

/* The checksum of the value as it is, over this key. */
static void seal(uint8_t *value, size_t len, const uint8_t *key, size_t key_len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key_len; i++)
        sum = (sum ^ key[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < len - 8; i++)
        sum = (sum ^ value[i]) * UINT64_C(0x100000001b3);
    for (unsigned i = 0; i < 8; i++)
        value[len - 8 + i] = (uint8_t)(sum >> (56 - 8 * i));
}

/* Sums that are right do not make sense of what makes none. */
static void nonsense_is_no_order(void **state)
{
    struct operate_member member = member_of("192.0.2.1");
    struct operate_order order = {.forced = HEALTH_UP, .reason = "why"};
    uint8_t key[STATE_ORDER_KEY_MAX], value[STATE_ORDER_VALUE_MAX], bad[STATE_ORDER_VALUE_MAX];
    size_t key_len = state_order_key(key, &member, OPERATE_FORCE);
    size_t len = state_order_value(value, key, key_len, &order);
    struct state_order read;
    (void)state;
    static const struct {
        size_t at;
        uint8_t byte;
        enum err err;
    } cases[] = {
        {0, 2, ERR_UNSUPPORTED}, /* version */
        {0, 0, ERR_UNSUPPORTED},
        {1, HEALTH_UNKNOWN, ERR_SYNTAX}, /* forced to nothing */
        {1, 3, ERR_SYNTAX},
        {2 + 5 * 8 + 4, 4, ERR_SYNTAX}, /* length of the reason */
        {2 + 5 * 8 + 4, 255, ERR_SYNTAX},
        {2 + 5 * 8 + 4, 2, ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, value, len);
        bad[cases[i].at] = cases[i].byte;
        seal(bad, len, key, key_len);
        assert_int_equal(state_order_read(&read, key, key_len, bad, len), cases[i].err);
    }
    static const struct {
        size_t at;
        uint8_t byte;
    } keys[] = {{0, OPERATE_KIND_CNT}, {0, OPERATE_DRAIN}, {1, 5}, {18, 5}, {19, 64}, {19, 2}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint8_t was = key[keys[i].at];
        key[keys[i].at] = keys[i].byte;
        seal(value, len, key, key_len);
        assert_int_equal(state_order_read(&read, key, key_len, value, len), ERR_SYNTAX);
        key[keys[i].at] = was;
    }
    for (size_t cut = 0; cut < key_len; cut++) {
        seal(value, len, key, cut);
        assert_int_equal(state_order_read(&read, key, cut, value, len), ERR_SYNTAX);
    }
}

/* ---- verdicts */

static const struct health_memory memory = {
    .digest = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .verdict = HEALTH_DOWN,
    .unsettled = true,
    .contrary_cnt = 258,
    .duration_us = 70000,
    .since_wall_ms = UINT64_C(1764504000123),
    .measure = {.response_us = 1234, .load = 5678, .load_kind = HEALTH_LOAD_PERCENT,
                .agent = HEALTH_AGENT_MAINT | HEALTH_AGENT_DRAIN, .drains = true, .has_days_left = true,
                .days_left = -3, .response_wall_ms = 11, .load_wall_ms = 12},
    .reason = "status 503",
};

static void verdicts_are_read_again(void **state)
{
    uint8_t value[STATE_MEMORY_VALUE_MAX];
    struct health_memory read;
    (void)state;
    size_t len = state_memory_value(value, &memory);
    assert_int_equal(state_memory_read(&read, memory.digest, HEALTH_DIGEST_LEN, value, len), ERR_OK);
    assert_memory_equal(read.digest, memory.digest, HEALTH_DIGEST_LEN);
    assert_int_equal(read.verdict, HEALTH_DOWN);
    assert_true(read.unsettled);
    assert_int_equal(read.contrary_cnt, 258);
    assert_int_equal(read.duration_us, 70000);
    assert_true(read.since_wall_ms == memory.since_wall_ms);
    assert_string_equal(read.reason, "status 503");
    assert_int_equal(read.measure.response_us, 1234);
    assert_int_equal(read.measure.load, 5678);
    assert_int_equal(read.measure.load_kind, HEALTH_LOAD_PERCENT);
    assert_true(read.measure.drains && read.measure.has_days_left);
    assert_int_equal(read.measure.agent, HEALTH_AGENT_MAINT | HEALTH_AGENT_DRAIN);
    assert_int_equal(read.measure.days_left, -3);
    assert_true(read.measure.response_wall_ms == 11 && read.measure.load_wall_ms == 12);
}

static void a_changed_verdict_is_none(void **state)
{
    uint8_t value[STATE_MEMORY_VALUE_MAX], key[HEALTH_DIGEST_LEN];
    struct health_memory read, longest = memory;
    (void)state;
    memset(longest.reason, 'x', HEALTH_REASON_MAX - 1);
    size_t len = state_memory_value(value, &longest);
    assert_int_equal(state_memory_read(&read, memory.digest, HEALTH_DIGEST_LEN, value, len), ERR_OK);
    for (size_t bit = 0; bit < len * 8; bit++) {
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(state_memory_read(&read, memory.digest, HEALTH_DIGEST_LEN, value, len), ERR_OK);
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    memcpy(key, memory.digest, sizeof key);
    key[15] ^= 1;
    assert_int_equal(state_memory_read(&read, key, HEALTH_DIGEST_LEN, value, len), ERR_SYNTAX);
    seal(value, len, key, 8);
    assert_int_equal(state_memory_read(&read, key, 8, value, len), ERR_SYNTAX);
    static const struct {
        size_t at;
        uint8_t byte;
    } cases[] = {{1, HEALTH_UNKNOWN}, {1, 3}, {44, 0}, {44, 96}, {44, 255}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        len = state_memory_value(value, &longest);
        value[cases[i].at] = cases[i].byte;
        seal(value, len, memory.digest, HEALTH_DIGEST_LEN);
        assert_int_equal(state_memory_read(&read, memory.digest, HEALTH_DIGEST_LEN, value, len), ERR_SYNTAX);
    }
}

/* ---- times */

static void times_are_read_again(void **state)
{
    uint8_t value[STATE_TIME_VALUE_LEN];
    const uint8_t key[] = "verdicts";
    uint64_t read;
    (void)state;
    state_time_value(value, key, 8, UINT64_C(1764504000123));
    assert_int_equal(state_time_read(&read, key, 8, value, sizeof value), ERR_OK);
    assert_true(read == UINT64_C(1764504000123));
    assert_int_equal(state_time_read(&read, key, 7, value, sizeof value), ERR_SYNTAX);
    assert_int_equal(state_time_read(&read, key, 8, value, sizeof value - 1), ERR_SYNTAX);
    assert_int_equal(state_time_read(&read, key, 8, value, 0), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_read_again),
        cmocka_unit_test(the_longest_of_all_fits),
        cmocka_unit_test(a_changed_order_is_none),
        cmocka_unit_test(nonsense_is_no_order),
        cmocka_unit_test(verdicts_are_read_again),
        cmocka_unit_test(a_changed_verdict_is_none),
        cmocka_unit_test(times_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
