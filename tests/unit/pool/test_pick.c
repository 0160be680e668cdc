#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pool_help.h"

static struct pool_member members[POOL_MEMBERS_MAX];
static struct random_state rng = {{1, 2}};
static const struct addr nobody = {.family = ADDR_V4};

static unsigned pick_first(const struct pool_table *table, uint32_t *position)
{
    unsigned rr_cnt;
    return help_member(table, pool_table_pick(table, position, &rng, &nobody, &rr_cnt));
}

static void next_goes_through_the_slots_from_anywhere(void **state)
{
    (void)state;
    static const unsigned order[] = {0, 0, 1, 0, 2, 0};
    struct pool_settings settings = help_settings(POOL_WEIGHTED, 1);
    help_members(members, ADDR_V4, 3);
    members[0].weight = 4;
    struct pool_table *table = help_compile(&settings, members, 3);
    for (uint32_t start = 0; start < 100; start++) {
        uint32_t position = start * 1000003;
        for (unsigned i = 0; i < 20; i++) {
            uint32_t now = position;
            assert_int_equal(pick_first(table, &position), order[now % 6]);
            assert_int_equal(position, (uint32_t)(now + 1));
        }
    }
    uint32_t last = UINT32_MAX; /* the counter wraps */
    assert_int_equal(pick_first(table, &last), order[UINT32_MAX % 6]);
    assert_int_equal(last, 0);
    pool_table_free(table);
}

/* A dual-stack client asks A, then AAAA. One counter for both would show it every second member only. */
static void interleaved_a_and_aaaa_see_every_member(void **state)
{
    (void)state;
    for (unsigned policy = POOL_ROUND_ROBIN; policy <= POOL_WEIGHTED; policy++)
        for (unsigned cnt = 2; cnt <= 16; cnt++) {
            struct pool_settings settings = help_settings((enum pool_policy)policy, 1);
            struct pool_table *tables[2];
            uint32_t position[2] = {12345, 999};
            unsigned seen[2][16] = {{0}};
            for (unsigned f = 0; f < 2; f++) {
                help_members(members, f ? ADDR_V6 : ADDR_V4, cnt);
                tables[f] = help_compile(&settings, members, cnt);
            }
            for (unsigned i = 0; i < 10 * cnt; i++)
                for (unsigned f = 0; f < 2; f++)
                    seen[f][pick_first(tables[f], &position[f])]++;
            for (unsigned i = 0; i < cnt; i++)
                assert_true(seen[0][i] == 10 && seen[1][i] == 10);
            pool_table_free(tables[0]);
            pool_table_free(tables[1]);
        }
}

/* Within a set each address stands first equally often, to the answer, over as many whole cycles as the set has
 * addresses; and any of its visits in a row go through them. */
static void each_address_of_a_set_stands_first_equally_often(void **state)
{
    (void)state;
    static unsigned first[64][64];
    static int last[64];
    uint64_t seed = 12;
    for (unsigned round = 0; round < 200; round++) {
        unsigned cnt = 2 + help_random(&seed, 20), answers = 2 + help_random(&seed, 15), rr_cnt;
        struct pool_settings settings = help_settings(POOL_WEIGHTED, answers);
        help_members(members, ADDR_V4, cnt);
        for (unsigned i = 0; i < cnt; i++)
            members[i].weight = 1 + help_random(&seed, 20);
        struct pool_table *table = help_compile(&settings, members, cnt);
        unsigned k = table->sets[0].rr_cnt;
        memset(first, 0, sizeof first);
        memset(last, 0xff, sizeof last);
        uint32_t position = table->slot_cnt * help_random(&seed, 100000);
        for (unsigned i = 0; i < k * table->slot_cnt; i++) {
            unsigned set = table->slots[position % table->slot_cnt] & POOL_SLOT_SET_MASK;
            const uint8_t *base = table->bytes + table->sets[set].at;
            const uint8_t *at = pool_table_pick(table, &position, &rng, &nobody, &rr_cnt);
            int start = (int)((at - base) / table->rr_len);
            assert_int_equal(rr_cnt, k);
            assert_in_range(start, 0, k - 1);
            if (last[set] >= 0)
                assert_int_equal(start, (last[set] + 1) % (int)k);
            last[set] = start;
            first[set][start]++;
        }
        for (unsigned s = 0; s < table->set_cnt; s++)
            for (unsigned i = 1; i < k; i++)
                assert_int_equal(first[s][i], first[s][0]);
        pool_table_free(table);
    }
}

static void random_has_the_weights_and_leaves_the_counter(void **state)
{
    (void)state;
    enum { DRAWS = 600000 };
    struct pool_settings settings = help_settings(POOL_RANDOM, 2);
    uint32_t position = 77, seen[4] = {0}, first[4] = {0};
    unsigned rr_cnt;
    help_members(members, ADDR_V4, 4);
    members[0].weight = 3; /* 3:1:1:1, two answers: 2·3 ≥ 6, the first is in every one */
    struct pool_table *table = help_compile(&settings, members, 4);
    for (unsigned i = 0; i < DRAWS; i++) {
        const uint8_t *at = pool_table_pick(table, &position, &rng, &nobody, &rr_cnt);
        first[help_member(table, at)]++;
        for (unsigned j = 0; j < rr_cnt; j++)
            seen[help_member(table, at + j * 16)]++;
    }
    assert_int_equal(position, 77);
    assert_int_equal(seen[0], DRAWS);
    assert_in_range(first[0], DRAWS / 2 - 1550, DRAWS / 2 + 1550); /* four deviations */
    for (unsigned i = 1; i < 4; i++) {
        assert_in_range(seen[i], DRAWS / 3 - 1461, DRAWS / 3 + 1461);
        assert_in_range(first[i], DRAWS / 6 - 1155, DRAWS / 6 + 1155);
    }
    pool_table_free(table);
}

static void hash_keeps_a_client_with_its_member(void **state)
{
    (void)state;
    struct pool_settings settings = help_settings(POOL_HASH, 2);
    uint32_t position = 5, seen[8] = {0};
    unsigned rr_cnt;
    help_members(members, ADDR_V4, 8);
    struct pool_table *table = help_compile(&settings, members, 8);
    for (unsigned i = 0; i < 8000; i++) {
        struct addr client = help_address(ADDR_V6, 0);
        client.bytes[4] = (uint8_t)(i >> 8);
        client.bytes[5] = (uint8_t)i;
        const uint8_t *at = pool_table_pick(table, &position, &rng, &client, &rr_cnt);
        client.bytes[7] = 0xaa; /* beyond /56 */
        client.bytes[15] = 0xaa;
        assert_ptr_equal(pool_table_pick(table, &position, &rng, &client, &rr_cnt), at);
        assert_int_equal(rr_cnt, 2);
        seen[help_member(table, at)]++;
        assert_int_equal(help_member(table, at + 16), (help_member(table, at) + 1) % 8);
    }
    assert_int_equal(position, 5);
    for (unsigned i = 0; i < 8; i++)
        assert_in_range(seen[i], 800, 1200);
    pool_table_free(table);
}

static void a_pick_is_quick(void **state)
{
    (void)state;
    static const char *const names[] = {"round_robin", "weighted", "random", "hash"};
    enum { PICKS = 2000000 };
    help_members(members, ADDR_V4, 100);
    for (unsigned policy = POOL_ROUND_ROBIN; policy <= POOL_HASH; policy++) {
        struct pool_settings settings = help_settings((enum pool_policy)policy, 2);
        struct pool_table *table = help_compile(&settings, members, 100);
        struct addr client = nobody;
        uint32_t position = 0, sum = 0;
        unsigned rr_cnt;
        uint64_t start = help_worked_us();
        for (unsigned i = 0; i < PICKS; i++) {
            client.bytes[3] = (uint8_t)i;
            sum += pool_table_pick(table, &position, &rng, &client, &rr_cnt)[15];
        }
        uint64_t took = help_worked_us() - start;
        print_message("%-11s %5.1f ns a pick (%u)\n", names[policy], (double)took * 1000 / PICKS, sum & 1);
        if (!HELP_SLOW)
            assert_in_range(took, 0, PICKS / 5); /* 200 ns, about 20 times what it takes */
        pool_table_free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_goes_through_the_slots_from_anywhere),
        cmocka_unit_test(interleaved_a_and_aaaa_see_every_member),
        cmocka_unit_test(each_address_of_a_set_stands_first_equally_often),
        cmocka_unit_test(random_has_the_weights_and_leaves_the_counter),
        cmocka_unit_test(hash_keeps_a_client_with_its_member),
        cmocka_unit_test(a_pick_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
