#include "io/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct addr v4(uint32_t n)
{
    return (struct addr){.bytes = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}, .family = ADDR_V4};
}

static void test_total_and_share(void **state)
{
    (void)state;
    struct gate *gate = gate_new(3, 2);
    struct addr a = v4(1), b = v4(2), c = v4(3);
    uint32_t slots[3], more;
    a.port = 1000; /* ports don't count */
    assert_int_equal(gate_enter(gate, &a, &slots[0]), GATE_OPEN);
    a.port = 1001;
    assert_int_equal(gate_enter(gate, &a, &slots[1]), GATE_OPEN);
    assert_int_equal(gate_enter(gate, &a, &more), GATE_CLIENT_FULL);
    assert_int_equal(gate_enter(gate, &b, &slots[2]), GATE_OPEN);
    assert_true(slots[0] != slots[1] && slots[1] != slots[2] && slots[0] != slots[2]);
    assert_int_equal(gate_enter(gate, &c, &more), GATE_FULL);
    assert_int_equal(gate_enter(gate, &a, &more), GATE_CLIENT_FULL);
    assert_int_equal(gate_cnt(gate), 3);
    gate_leave(gate, &a, slots[0]);
    assert_int_equal(gate_enter(gate, &c, &more), GATE_OPEN);
    assert_int_equal(more, slots[0]);
    gate_free(gate);
}

static void test_a_v6_client_is_its_64(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 1);
    struct addr a = {.bytes = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, [15] = 1}, .family = ADDR_V6}, b = a, c = a;
    uint32_t slot;
    b.bytes[8] = 77;
    c.bytes[7] = 2;
    assert_int_equal(gate_enter(gate, &a, &slot), GATE_OPEN);
    assert_int_equal(gate_enter(gate, &b, &slot), GATE_CLIENT_FULL);
    assert_int_equal(gate_enter(gate, &c, &slot), GATE_OPEN);
    gate_free(gate);
}

static void test_same_client(void **state)
{
    (void)state;
    struct addr a = v4(1), b = v4(1), c = v4(2);
    struct addr v6 = {.bytes = {10, 0, 0, 1}, .family = ADDR_V6}, near = v6, far = v6;
    b.port = 53;
    near.bytes[8] = 1;
    far.bytes[7] = 1;
    assert_true(gate_same_client(&a, &b));
    assert_false(gate_same_client(&a, &c));
    assert_false(gate_same_client(&a, &v6));
    assert_true(gate_same_client(&v6, &near));
    assert_false(gate_same_client(&v6, &far));
}

static void test_crowded(void **state)
{
    (void)state;
    struct gate *gate = gate_new(16, 16), *single = gate_new(1, 1);
    struct addr a = v4(1);
    uint32_t slot;
    for (unsigned i = 1; i <= 16; i++) {
        assert_int_equal(gate_enter(gate, &a, &slot), GATE_OPEN);
        assert_int_equal(gate_is_crowded(gate), i > 14);
    }
    gate_leave(gate, &a, slot);
    gate_leave(gate, &a, slot - 1);
    assert_false(gate_is_crowded(gate));
    assert_false(gate_is_crowded(single));
    assert_int_equal(gate_enter(single, &a, &slot), GATE_OPEN);
    assert_true(gate_is_crowded(single));
    gate_free(gate);
    gate_free(single);
}

/* Against a plain model: 40 clients come and go in a full house, so that places in the table are freed in the
 * middle of every run. */
static void test_random_coming_and_going(void **state)
{
    (void)state;
    enum { MAX = 64, SHARE = 4, CLIENTS = 40, STEPS = 200000 };
    struct gate *gate = gate_new(MAX, SHARE);
    unsigned counts[CLIENTS] = {0}, total = 0;
    int owner[MAX]; /* of each slot; −1: free */
    memset(owner, -1, sizeof(owner));
    srand(7);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned who = (unsigned)rand() % CLIENTS, any = (unsigned)rand() % MAX;
        struct addr a = v4(who * 7919);
        uint32_t slot = UINT32_MAX;
        if (rand() % 100 < 55) {
            enum gate_verdict want = counts[who] == SHARE ? GATE_CLIENT_FULL : total == MAX ? GATE_FULL : GATE_OPEN;
            assert_int_equal(gate_enter(gate, &a, &slot), want);
            if (want != GATE_OPEN)
                continue;
            assert_true(slot < MAX && owner[slot] == -1);
            owner[slot] = (int)who;
            counts[who]++;
            total++;
        } else if (owner[any] >= 0) {
            a = v4((unsigned)owner[any] * 7919);
            gate_leave(gate, &a, any);
            counts[owner[any]]--;
            owner[any] = -1;
            total--;
        }
        assert_int_equal(gate_cnt(gate), total);
    }
    gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_total_and_share),
        cmocka_unit_test(test_a_v6_client_is_its_64),
        cmocka_unit_test(test_same_client),
        cmocka_unit_test(test_crowded),
        cmocka_unit_test(test_random_coming_and_going),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
