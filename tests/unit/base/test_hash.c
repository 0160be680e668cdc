#include "base/hash.h"

#include <stdbool.h>
#include <string.h>

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void keys_are_drawn_anew(void **state)
{
    (void)state;
    struct hash_key a, b;
    hash_key_random(&a);
    hash_key_random(&b);
    assert_memory_not_equal(&a, &b, sizeof a);
}

static void the_hash_depends_on_key_length_and_every_byte(void **state)
{
    (void)state;
    struct hash_key key, other;
    hash_key_random(&key);
    hash_key_random(&other);
    uint8_t data[65] = {0};
    for (unsigned len = 1; len <= 64; len++) {
        uint64_t h = hash_step(0, data, len, &key);
        assert_true(h == hash_step(0, data, len, &key));
        assert_true(h != hash_step(0, data, len, &other));
        assert_true(h != hash_step(0, data, len - 1, &key));
        assert_true(h != hash_step(1, data, len, &key));
        for (unsigned i = 0; i < len; i++) {
            data[i] = 1;
            assert_true(h != hash_step(0, data, len, &key));
            data[i] = 0;
        }
    }
}

/* Buckets of 65,536 that as many labels of four letters fill, by the hash's 16 bits at `shift`. */
static size_t filled(const struct hash_key *key, int shift)
{
    enum { CNT = 65536 };
    static bool seen[CNT];
    size_t cnt = 0;
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < CNT; i++) {
        uint8_t label[5] = {4, (uint8_t)('a' + i % 16), (uint8_t)('a' + i / 16 % 16), (uint8_t)('a' + i / 256 % 16),
                            (uint8_t)('a' + i / 4096)};
        size_t bucket = hash_step(0, label, 5, key) >> shift & 0xffff;
        cnt += !seen[bucket];
        seen[bucket] = true;
    }
    return cnt;
}

/* n drawn into n buckets fill 1 - 1/e of them, 63.2 %. One multiplication spreads labels so alike less evenly by some
 * keys: of 40,000, 33 filled less than half, and the worst a third. So of many keys the mean is judged, and that few
 * are bad: by chance more than FEW are once in ten million runs. */
static void short_labels_spread(void **state)
{
    (void)state;
    enum { CNT = 65536, KEYS = 50, FEW = 3 };
    for (int shift = 0; shift <= 48; shift += 48) {
        size_t sum = 0, bad = 0;
        for (int i = 0; i < KEYS; i++) {
            struct hash_key key;
            hash_key_random(&key);
            size_t cnt = filled(&key, shift);
            bad += cnt < CNT / 2;
            sum += cnt;
        }
        assert_true(bad <= FEW);
        assert_in_range(sum / KEYS, CNT * 60 / 100, CNT * 66 / 100);
    }
}

static void the_small_generator_is_uniform(void **state)
{
    (void)state;
    struct random_state rng;
    unsigned cnt[7] = {0};
    random_seed(&rng);
    for (int i = 0; i < 70000; i++)
        cnt[random_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(cnt[i], 9400, 10600); /* six standard deviations of 93 */
    assert_int_equal(random_below(&rng, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_drawn_anew),
        cmocka_unit_test(the_hash_depends_on_key_length_and_every_byte),
        cmocka_unit_test(short_labels_spread),
        cmocka_unit_test(the_small_generator_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
