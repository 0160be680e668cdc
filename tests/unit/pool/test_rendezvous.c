#include "pool/rendezvous.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_rendezvous rendezvous;
static uint16_t slots[POOL_SLOTS_MAX];

static void fill(uint64_t seed, unsigned cnt, const uint32_t *weight)
{
    pool_rendezvous_init(&rendezvous, seed);
    for (unsigned i = 0; i < cnt; i++) {
        struct addr address = help_address(ADDR_V4, i);
        pool_rendezvous_add(&rendezvous, &address, weight ? weight[i] : 1);
    }
    pool_rendezvous_fill(slots, &rendezvous, NULL);
}

/* Fixed values, found once more by a model of few lines in another language: all nameservers, of whatever version,
 * machine and compiler, must agree on them. Never change them. */
static void the_slots_are_the_same_everywhere(void **state)
{
    (void)state;
    static const uint32_t weight[] = {4, 1, 1, 65535, 300};
    uint64_t sum = 0;
    fill(42, 5, weight);
    for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
        sum = sum * 31 + slots[i];
    assert_true(sum == UINT64_C(0x10b2e64f2163d45d));
    sum = 0;
    fill(0, 100, NULL);
    for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
        sum = sum * 31 + slots[i];
    assert_true(sum == UINT64_C(0xd046810929ab827a));
    struct addr v4 = help_address(ADDR_V4, 7), v6 = help_address(ADDR_V6, 7);
    assert_int_equal(pool_rendezvous_client_slot(42, &v4, 32, 56), 928);
    assert_int_equal(pool_rendezvous_client_slot(42, &v6, 32, 128), 2517);
}

/* Over many seeds the error of the mean falls below anything but a fault of the scores. */
static void shares_follow_weights(void **state)
{
    (void)state;
    static const uint32_t weight[] = {1, 2, 3, 10, 50, 100, 834};
    static uint64_t won[7];
    enum { SEEDS = 500 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fill(seed * 0x9e3779b9, 7, weight);
        for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
            won[slots[i]]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        double ideal = weight[i] / 1000.0 * SEEDS * POOL_SLOTS_MAX, off = (double)won[i] - ideal;
        assert_true(off * off < 16 * ideal + ideal * ideal / 1e6); /* four deviations, and a thousandth */
    }
}

static void one_table_is_as_even_as_chance(void **state)
{
    (void)state;
    unsigned won[16] = {0};
    double sum = 0;
    fill(9, 16, NULL);
    for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
        won[slots[i]]++;
    for (unsigned i = 0; i < 16; i++)
        sum += (won[i] - 256.0) * (won[i] - 256.0) / 256;
    assert_true(sum < 37.7); /* chi-squared, 15 degrees of freedom, 0.1 % */
}

/* Slots of one who leaves are shared by the others in proportion, without preference for neighbours. */
static void who_leaves_is_replaced_evenly(void **state)
{
    (void)state;
    unsigned heirs[8] = {0}, moved = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        static uint16_t before[POOL_SLOTS_MAX];
        fill(seed, 8, NULL);
        memcpy(before, slots, sizeof before);
        pool_rendezvous_init(&rendezvous, seed);
        for (unsigned i = 0; i < 7; i++) {
            struct addr address = help_address(ADDR_V4, i);
            pool_rendezvous_add(&rendezvous, &address, 1);
        }
        pool_rendezvous_fill(slots, &rendezvous, NULL);
        for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
            if (before[i] == 7) {
                heirs[slots[i]]++;
                moved++;
            } else {
                assert_int_equal(slots[i], before[i]);
            }
    }
    double sum = 0;
    for (unsigned i = 0; i < 7; i++)
        sum += (heirs[i] - moved / 7.0) * (heirs[i] - moved / 7.0) / (moved / 7.0);
    assert_true(sum < 22.5); /* 6 degrees of freedom, 0.1 % */
}

static void clients_spread_and_keep_to_their_prefix(void **state)
{
    (void)state;
    static unsigned hits[POOL_SLOTS_MAX];
    for (unsigned i = 0; i < 65536; i++) {
        struct addr client = help_address(ADDR_V4, i);
        hits[pool_rendezvous_client_slot(1, &client, 32, 56)]++;
    }
    double sum = 0;
    for (unsigned i = 0; i < POOL_SLOTS_MAX; i++)
        sum += (hits[i] - 16.0) * (hits[i] - 16.0) / 16;
    assert_in_range(sum, 3700, 4500); /* 4,095 degrees of freedom: 4.4 deviations */

    struct addr a = help_address(ADDR_V4, 1), b = help_address(ADDR_V4, 254), c = help_address(ADDR_V4, 256);
    assert_int_equal(pool_rendezvous_client_slot(1, &a, 24, 56), pool_rendezvous_client_slot(1, &b, 24, 56));
    assert_int_not_equal(pool_rendezvous_client_slot(1, &a, 32, 56), pool_rendezvous_client_slot(1, &b, 32, 56));
    assert_int_not_equal(pool_rendezvous_client_slot(1, &a, 24, 56), pool_rendezvous_client_slot(1, &c, 24, 56));
    assert_int_equal(pool_rendezvous_client_slot(1, &a, 0, 56), pool_rendezvous_client_slot(1, &c, 0, 56));
    /* the port is not the client */
    b = a;
    b.port = 4711;
    assert_int_equal(pool_rendezvous_client_slot(1, &a, 32, 56), pool_rendezvous_client_slot(1, &b, 32, 56));
}

static void every_prefix_length_cuts_where_it_says(void **state)
{
    (void)state;
    for (unsigned family = 4; family <= 6; family += 2) {
        struct addr client = help_address(family == 4 ? ADDR_V4 : ADDR_V6, 0x1234);
        for (unsigned prefix = 0; prefix <= addr_len(&client) * 8; prefix++) {
            uint32_t slot = pool_rendezvous_client_slot(5, &client, prefix, prefix);
            unsigned same = 0, inside = 0;
            for (unsigned bit = 0; bit < addr_len(&client) * 8; bit++) {
                struct addr other = client;
                other.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
                bool equal = pool_rendezvous_client_slot(5, &other, prefix, prefix) == slot;
                if (bit >= prefix)
                    assert_true(equal);
                else
                    same += equal, inside++;
            }
            assert_true(same <= 1 || !inside);
        }
    }
}

static void a_thousand_members_are_built_in_time(void **state)
{
    (void)state;
    static uint32_t weight[1000];
    for (unsigned i = 0; i < 1000; i++)
        weight[i] = 1 + i % 100;
    uint64_t start = help_worked_us();
    fill(3, 1000, NULL);
    uint64_t equal = help_worked_us() - start;
    start = help_worked_us();
    fill(3, 1000, weight);
    uint64_t mixed = help_worked_us() - start;
    print_message("first build, 1,000 members: %lu us (equal weights), %lu us (1..100)\n", (unsigned long)equal,
                  (unsigned long)mixed);
    if (!HELP_SLOW)
        assert_in_range(mixed, 0, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slots_are_the_same_everywhere),
        cmocka_unit_test(shares_follow_weights),
        cmocka_unit_test(one_table_is_as_even_as_chance),
        cmocka_unit_test(who_leaves_is_replaced_evenly),
        cmocka_unit_test(clients_spread_and_keep_to_their_prefix),
        cmocka_unit_test(every_prefix_length_cuts_where_it_says),
        cmocka_unit_test(a_thousand_members_are_built_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
