/* The buckets of the rate limit: exact rates over a clock moved by hand, who shares a bucket with whom, full lines,
 * many threads at once. */
#include "answer/limit.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

enum { SECOND_US = 1000000, TABLE_BYTES = 1 << 20 };

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543211, 0x1357924680acebdf}};

struct fixture {
    struct limit *limit;
    struct limit_settings settings;
    struct answer_counters counters;
};

static void begin(struct fixture *f, int64_t rate, size_t table_bytes)
{
    memset(f, 0, sizeof *f);
    f->limit = limit_new(table_bytes);
    limit_settings_init(&f->settings, &(struct limit_options){.rate = rate, .slip = 2, .prefix4 = 24, .prefix6 = 56});
}

static void end(struct fixture *f)
{
    limit_settings_fini(&f->settings);
    limit_free(f->limit);
    clock_fake_us(UINT64_MAX);
}

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, text), ERR_OK);
    return addr;
}

/* A name's hash, of no name. */
static uint64_t what_of(uint64_t number)
{
    return hash_step(0, (const uint8_t *)&number, sizeof number, &key);
}

/* How many of `cnt` answers at once are within the limit. */
static uint64_t take(struct fixture *f, const char *client, uint64_t what, uint64_t cnt)
{
    struct limit_batch batch = {0};
    struct addr addr = addr_of(client);
    uint64_t passed = 0;
    assert_true(limit_begin(&batch, f->limit, &f->settings, &key, &f->counters));
    struct limit_bucket bucket = limit_aim(&batch, &addr, what);
    for (uint64_t i = 0; i < cnt; i++)
        passed += limit_take(&batch, &bucket);
    return passed;
}

static uint64_t take_at(struct fixture *f, uint64_t us, uint64_t cnt)
{
    clock_fake_us(us);
    return take(f, "192.0.2.1", what_of(1), cnt);
}

/* ---- rates */

static const int64_t rates[] = {1, 2, 3, 7, 50, 200, 1000, 4999, 99991, LIMIT_RATE_MAX};
enum { RATE_CNT = sizeof rates / sizeof *rates };

/* The time of the `i`th answer when `rate` a second come evenly from `start` on. */
static uint64_t time_of(uint64_t start, uint64_t i, uint64_t rate)
{
    return start + (i * SECOND_US + rate - 1) / rate;
}

static void test_at_the_limit_all_pass(void **state)
{
    (void)state;
    for (unsigned r = 0; r < RATE_CNT; r++) {
        struct fixture f;
        begin(&f, rates[r], TABLE_BYTES);
        uint64_t rate = (uint64_t)rates[r], start = 1234567890123;
        for (uint64_t i = 0; i < 3 * rate; i++)
            assert_int_equal(take_at(&f, time_of(start, i, rate), 1), 1);
        end(&f);
    }
}

/* First what may come at once, then exactly every second one. */
static void test_twice_the_limit_half_pass(void **state)
{
    (void)state;
    for (unsigned r = 0; r < RATE_CNT; r++) {
        struct fixture f;
        begin(&f, rates[r], TABLE_BYTES);
        uint64_t rate = (uint64_t)rates[r], start = 987654321000, passed[2] = {0};
        for (uint64_t i = 0; i < 8 * rate; i++)
            passed[i >= 4 * rate] += take_at(&f, time_of(start, i, 2 * rate), 1);
        assert_in_range(passed[0], 3 * rate - 1, 3 * rate + 1);
        assert_in_range(passed[1], 2 * rate - 1, 2 * rate + 1);
        end(&f);
    }
}

static void test_at_once(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1000, TABLE_BYTES);
    uint64_t now = 5000000000;
    assert_int_equal(take_at(&f, now, 5000), 1000);
    assert_int_equal(take_at(&f, now, 1), 0);
    assert_int_equal(take_at(&f, now += SECOND_US / 1000, 10), 1);
    assert_int_equal(take_at(&f, now += SECOND_US / 2, 5000), 500);
    assert_int_equal(take_at(&f, now += 999 * SECOND_US, 5000), 1000);
    end(&f);
}

/* The default never meets 200 a second, come as they may. */
static void test_two_hundred_a_second_never(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1000, TABLE_BYTES);
    uint64_t start = 77777777, at = 0;
    struct random_state rng = {{1, 2}};
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(take_at(&f, start + i * (uint64_t)SECOND_US + at, 200), 200);
        at = random_below(&rng, SECOND_US);
    }
    end(&f);
}

/* The time in answers starts again at 0: nothing is lost or won then, and no bucket of long ago comes back. */
static void test_the_time_wraps(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1000, TABLE_BYTES);
    uint64_t wrap = (UINT64_C(1) << 32) * 1000; /* µs, at a ms an answer */
    uint64_t start = wrap - 2 * SECOND_US, passed = 0;
    assert_int_equal(limit_time(1000, wrap - 1), UINT32_MAX);
    assert_int_equal(limit_time(1000, wrap), 0);
    assert_int_equal(take_at(&f, start, 3000), 1000);
    for (uint64_t i = 1; i <= 4000; i++)
        passed += take_at(&f, start + i * 1000, 2);
    assert_int_equal(passed, 4000);
    assert_int_equal(take_at(&f, start + 4000 * UINT64_C(1000), 1), 0);
    static const uint64_t quarters[] = {1, 2, 3, 6, 7};
    for (unsigned i = 0; i < sizeof quarters / sizeof *quarters; i++)
        assert_int_equal(take_at(&f, start + wrap / 4 * quarters[i], 3000), 1000);
    end(&f);
}

/* Workers read the clock once a batch: one that was kept from running takes by an older time than others have. */
static void test_an_older_now(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1000, TABLE_BYTES);
    uint64_t now = 5000000000;
    assert_int_equal(take_at(&f, now, 3000), 1000);
    for (unsigned ms = 1; ms <= 1000; ms += 37)
        assert_int_equal(take_at(&f, now - ms * UINT64_C(1000), 10), 0);
    end(&f);
}

static void test_another_rate(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 1000, TABLE_BYTES);
    uint64_t now = 5000000000;
    assert_int_equal(take_at(&f, now, 3000), 1000);
    f.settings.rate = 10;
    assert_int_equal(take_at(&f, now, 3000), 10);
    assert_int_equal(take_at(&f, now + SECOND_US, 3000), 10);
    end(&f);
}

static void test_off(void **state)
{
    struct fixture f;
    struct limit_batch batch;
    (void)state;
    begin(&f, 0, TABLE_BYTES);
    assert_false(limit_begin(&batch, f.limit, &f.settings, &key, &f.counters));
    f.settings.rate = 1;
    assert_false(limit_begin(&batch, NULL, &f.settings, &key, &f.counters));
    end(&f);
}

/* ---- buckets */

static void test_networks(void **state)
{
    static const struct {
        const char *client;
        unsigned left; /* of 5, after those before it */
    } rows[] = {
        {"192.0.2.1", 5},        {"192.0.2.255", 0},          {"192.0.3.1", 5},           {"192.0.3.2", 0},
        {"2001:db8:0:1::1", 5},  {"2001:db8:0:ff:ff::1", 0},  {"2001:db8:0:100::1", 5},   {"c000:200::", 5},
        {"2001:db8:1:1::1", 5},  {"::", 5},                   {"0.0.0.0", 5},             {"::1", 0},
    };
    struct fixture f;
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    clock_fake_us(5000000000);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(take(&f, rows[i].client, what_of(1), 10), rows[i].left);
    end(&f);
}

static void test_prefixes(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    clock_fake_us(5000000000);
    limit_settings_init(&f.settings, &(struct limit_options){.rate = 5, .prefix4 = 32, .prefix6 = 64});
    assert_int_equal(take(&f, "192.0.2.1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "192.0.2.2", what_of(1), 10), 5);
    assert_int_equal(take(&f, "2001:db8:0:1::1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "2001:db8:0:2::1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "2001:db8:0:2:3::1", what_of(1), 10), 0);
    limit_settings_init(&f.settings, &(struct limit_options){.rate = 5, .prefix4 = 9, .prefix6 = 33});
    assert_int_equal(take(&f, "10.128.0.1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "10.255.255.2", what_of(1), 10), 0);
    assert_int_equal(take(&f, "10.127.0.1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "2001:db8:8000::1", what_of(1), 10), 5);
    assert_int_equal(take(&f, "2001:db8:ffff::1", what_of(1), 10), 0);
    assert_int_equal(take(&f, "2001:db8:7fff::1", what_of(1), 10), 5);
    end(&f);
}

static void test_names_are_apart(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    clock_fake_us(5000000000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(take(&f, "192.0.2.1", what_of(i), 10), 5);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(take(&f, "192.0.2.1", what_of(i), 10), 0);
    assert_int_equal(f.counters.rate_full, 0);
    end(&f);
}

/* ---- lines */

/* One line: seven buckets that are empty, and one word for all others together. */
static void test_a_full_line_keeps_what_matters(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 10, LIMIT_LINE_BYTES);
    clock_fake_us(5000000000);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(take(&f, "192.0.2.1", what_of(i), 20), 10);
    assert_int_equal(f.counters.rate_full, 0);
    for (unsigned i = 100; i < 1100; i++)
        assert_int_equal(take(&f, "192.0.2.1", what_of(i), 1), 1);
    assert_int_equal(f.counters.rate_full, 999);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(take(&f, "192.0.2.1", what_of(i), 20), 0);
    /* A second on all words are free, and so they are when the time has nearly come round again. */
    static const uint64_t later_us[] = {SECOND_US, 3 * (UINT64_C(1) << 30) * (SECOND_US / 10)};
    for (unsigned l = 0; l < 2; l++) {
        clock_fake_us(5000000000 + later_us[l]);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(take(&f, "192.0.2.1", what_of(2000 + 1000 * l + i), 20), 10);
        assert_int_equal(f.counters.rate_full, 999);
    }
    end(&f);
}

static unsigned word_of(struct fixture *f, uint64_t what)
{
    struct limit_batch batch = {0};
    struct addr addr = addr_of("192.0.2.1");
    assert_true(limit_begin(&batch, f->limit, &f->settings, &key, &f->counters));
    return (unsigned)((char *)limit_aim(&batch, &addr, what).word - batch.words) / 8;
}

/* Two buckets with the same word of their own are kept apart; when the first is over, the second moves there and begins
 * anew, once. */
static void test_the_same_word(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f, 10, LIMIT_LINE_BYTES);
    uint64_t now = 5000000000, other = 2;
    clock_fake_us(now);
    while (word_of(&f, what_of(other)) != word_of(&f, what_of(1)))
        other++;
    assert_int_equal(take(&f, "192.0.2.1", what_of(1), 2), 2);
    assert_int_equal(take(&f, "192.0.2.1", what_of(other), 20), 10);
    assert_int_equal(take(&f, "192.0.2.1", what_of(1), 20), 8);
    assert_int_equal(take(&f, "192.0.2.1", what_of(other), 20), 0);
    clock_fake_us(now += SECOND_US); /* both are over */
    assert_int_equal(take(&f, "192.0.2.1", what_of(1), 1), 1);
    assert_int_equal(take(&f, "192.0.2.1", what_of(other), 20), 10);
    clock_fake_us(now += SECOND_US / 10); /* the first is */
    assert_int_equal(take(&f, "192.0.2.1", what_of(other), 20), 10);
    assert_int_equal(take(&f, "192.0.2.1", what_of(other), 20), 0);
    end(&f);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {64, 65, 127, 128, 3 << 20, 4 << 20};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct fixture f;
        begin(&f, 5, sizes[i]);
        clock_fake_us(5000000000);
        size_t last = 0;
        for (unsigned n = 0; n < 10000; n++) {
            size_t word = word_of(&f, what_of(n));
            assert_in_range(word, 0, sizes[i] / 8 - 1);
            last = word > last ? word : last;
        }
        assert_true(last > sizes[i] / 8 / 3);
        assert_int_equal(take(&f, "192.0.2.1", what_of(1), 10), 5);
        end(&f);
    }
}

/* ---- over the limit */

struct share {
    uint32_t slip, leak;
    unsigned dropped, slipped, passed; /* per mille */
};

static void expect_about(unsigned got, unsigned cnt, unsigned per_mille)
{
    assert_in_range(got + cnt / 100, per_mille * (cnt / 1000), per_mille * (cnt / 1000) + cnt / 50);
}

static void expect_shares(struct fixture *f, const struct share *share)
{
    enum { CNT = 200000 };
    struct random_state rng = {{3, 4}};
    struct addr client = addr_of("192.0.2.1");
    unsigned got[3] = {0};
    f->counters = (struct answer_counters){0};
    f->settings.slip = share->slip;
    f->settings.leak = share->leak;
    for (unsigned i = 0; i < CNT; i++)
        got[limit_judge(&f->settings, &client, &rng, &f->counters)]++;
    expect_about(got[LIMIT_DROP], CNT, share->dropped);
    expect_about(got[LIMIT_SLIP], CNT, share->slipped);
    expect_about(got[LIMIT_PASS], CNT, share->passed);
    assert_int_equal(f->counters.rate_limited, got[LIMIT_DROP]);
    assert_int_equal(f->counters.rate_slipped, got[LIMIT_SLIP]);
    assert_int_equal(f->counters.rate_leaked, got[LIMIT_PASS]);
}

static void test_shares(void **state)
{
    static const struct share shares[] = {
        {0, 0, 1000, 0, 0}, {1, 0, 0, 1000, 0}, {2, 0, 500, 500, 0},   {10, 0, 900, 100, 0},
        {0, 4, 750, 0, 250}, {2, 4, 375, 375, 250}, {1, 2, 0, 500, 500}, {1, 1, 0, 0, 1000},
    };
    struct fixture f;
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++)
        expect_shares(&f, &shares[i]);
    end(&f);
}

static void test_log_only(void **state)
{
    struct fixture f;
    struct random_state rng = {{3, 4}};
    struct addr client = addr_of("192.0.2.1");
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    f.settings.log_only = true;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(limit_judge(&f.settings, &client, &rng, &f.counters), LIMIT_PASS);
    assert_int_equal(f.counters.rate_limited + f.counters.rate_slipped, 1000);
    assert_in_range(f.counters.rate_limited, 400, 600);
    end(&f);
}

static void test_exempt(void **state)
{
    struct fixture f;
    struct random_state rng = {{3, 4}};
    struct prefix prefixes[2];
    (void)state;
    begin(&f, 5, TABLE_BYTES);
    assert_int_equal(prefix_from_text(&prefixes[0], "192.0.2.128/25"), ERR_OK);
    assert_int_equal(prefix_from_text(&prefixes[1], "2001:db8::/32"), ERR_OK);
    limit_settings_init(&f.settings, &(struct limit_options){.rate = 5, .prefix4 = 24, .prefix6 = 56,
                                                             .exempt = {prefixes, 2}});
    static const char *const in[] = {"192.0.2.128", "2001:db8:1::1"}, *const out[] = {"192.0.2.127", "2001:db9::"};
    for (unsigned i = 0; i < 2; i++) {
        struct addr addr = addr_of(in[i]);
        assert_int_equal(limit_judge(&f.settings, &addr, &rng, &f.counters), LIMIT_PASS);
        assert_int_equal(f.counters.rate_limited, i);
        addr = addr_of(out[i]);
        assert_int_equal(limit_judge(&f.settings, &addr, &rng, &f.counters), LIMIT_DROP);
    }
    end(&f);
}

/* ---- threads */

enum { THREAD_CNT = 4, HAMMERED = 32, HAMMER_RATE = 5000, HAMMER_CNT = HAMMER_RATE * HAMMERED };

struct hammer {
    pthread_t thread;
    struct fixture *f;
    struct answer_counters counters;
    uint64_t passed[HAMMERED];
};

/* More to each bucket than it has, the first of them most of the time. */
static void *hammer(void *arg)
{
    struct hammer *h = arg;
    struct addr addr = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4};
    struct limit_batch batch = {0};
    for (unsigned i = 0; i < HAMMER_CNT; i++) {
        unsigned n = i & 1 ? 0 : i / 2 % HAMMERED;
        if (!limit_begin(&batch, h->f->limit, &h->f->settings, &key, &h->counters))
            abort();
        struct limit_bucket bucket = limit_aim(&batch, &addr, what_of(n));
        h->passed[n] += limit_take(&batch, &bucket);
    }
    return NULL;
}

/* While time stands still, all threads together have what one would have; but for answers that found their word taken
 * by others too often, which pass. */
static void test_threads(void **state)
{
    static struct hammer hammers[THREAD_CNT];
    struct fixture f;
    (void)state;
    begin(&f, HAMMER_RATE, TABLE_BYTES);
    clock_fake_us(5000000000);
    for (unsigned t = 0; t < THREAD_CNT; t++) {
        hammers[t].f = &f;
        assert_int_equal(pthread_create(&hammers[t].thread, NULL, hammer, &hammers[t]), 0);
    }
    for (unsigned t = 0; t < THREAD_CNT; t++)
        pthread_join(hammers[t].thread, NULL);
    for (unsigned n = 0; n < HAMMERED; n++) {
        uint64_t passed = 0;
        for (unsigned t = 0; t < THREAD_CNT; t++)
            passed += hammers[t].passed[n];
        assert_in_range(passed, HAMMER_RATE, HAMMER_RATE + HAMMER_RATE / 50);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_the_limit_all_pass),
        cmocka_unit_test(test_twice_the_limit_half_pass),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_two_hundred_a_second_never),
        cmocka_unit_test(test_the_time_wraps),
        cmocka_unit_test(test_an_older_now),
        cmocka_unit_test(test_another_rate),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_names_are_apart),
        cmocka_unit_test(test_a_full_line_keeps_what_matters),
        cmocka_unit_test(test_the_same_word),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_log_only),
        cmocka_unit_test(test_exempt),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
