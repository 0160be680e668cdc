#include "base/prefix.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    assert_int_equal(prefix_from_text(&prefix, text), ERR_OK);
    return prefix;
}

static bool has(const struct prefix_table *table, const char *text)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, text), ERR_OK);
    addr.port = 53;
    return prefix_table_has(table, &addr);
}

static void what_a_network_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        unsigned family, len;
    } cases[] = {
        {"192.0.2.0/24", ERR_OK, ADDR_V4, 24},
        {"192.0.2.1", ERR_OK, ADDR_V4, 32},
        {"192.0.2.1/32", ERR_OK, ADDR_V4, 32},
        {"0.0.0.0/0", ERR_OK, ADDR_V4, 0},
        {"128.0.0.0/1", ERR_OK, ADDR_V4, 1},
        {"192.0.2.254/31", ERR_OK, ADDR_V4, 31},
        {"192.0.2.0/024", ERR_OK, ADDR_V4, 24},
        {"2001:db8::/32", ERR_OK, ADDR_V6, 32},
        {"2001:db8::1", ERR_OK, ADDR_V6, 128},
        {"::/0", ERR_OK, ADDR_V6, 0},
        {"2001:db8:0:ff00::/56", ERR_OK, ADDR_V6, 56},
        {"192.0.2.0/33", ERR_RANGE, 0, 0},
        {"2001:db8::/129", ERR_RANGE, 0, 0},
        {"192.0.2.0/4294967320", ERR_RANGE, 0, 0},
        {"192.0.2.0/99999999999999999999999", ERR_RANGE, 0, 0},
        {"192.0.2.1/24", ERR_INVALID, 0, 0},
        {"192.0.2.0/22", ERR_INVALID, 0, 0},
        {"1.0.0.0/0", ERR_INVALID, 0, 0},
        {"192.0.2.255/31", ERR_INVALID, 0, 0},
        {"2001:db8::1/127", ERR_INVALID, 0, 0},
        {"2001:db8::/28", ERR_INVALID, 0, 0},
        {"", ERR_SYNTAX, 0, 0},
        {"/24", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/x", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/24/", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/ 24", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/-1", ERR_SYNTAX, 0, 0},
        {"192.0.2.0/+1", ERR_SYNTAX, 0, 0},
        {"192.0.2/24", ERR_SYNTAX, 0, 0},
        {"192.0.2.0@53", ERR_SYNTAX, 0, 0},
        {"any", ERR_SYNTAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prefix prefix = {.len = 99};
        assert_int_equal(prefix_from_text(&prefix, cases[i].text), cases[i].err);
        assert_int_equal(prefix.len, cases[i].err ? 99 : cases[i].len);
        assert_int_equal(prefix.family, cases[i].err ? 0 : cases[i].family);
    }
    static char endless[100000];
    struct prefix prefix;
    memset(endless, '1', sizeof endless - 1);
    assert_int_equal(prefix_from_text(&prefix, endless), ERR_SYNTAX);
    assert_memory_equal(prefix_of("2001:db8::/32").bytes, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(prefix_of("192.0.2.0/24").bytes, "\xc0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct prefix_table *table = prefix_table_new(NULL, 0);
    assert_false(has(table, "0.0.0.0"));
    assert_false(has(table, "::"));
    assert_false(prefix_table_has(table, &(struct addr){0}));
    prefix_table_free(table);
    prefix_table_free(NULL);
}

static void edges_belong_to_their_network(void **state)
{
    (void)state;
    const struct prefix prefixes[] = {
        prefix_of("2001:db8::/32"), prefix_of("10.0.0.0/8"),   prefix_of("192.0.2.7"), prefix_of("10.1.0.0/16"),
        prefix_of("fe80::1"),       prefix_of("224.0.0.0/3"), prefix_of("10.0.0.0/8"), prefix_of("10.0.0.0/24"),
    };
    struct prefix_table *table = prefix_table_new(prefixes, sizeof prefixes / sizeof *prefixes);
    static const char *const in[] = {
        "10.0.0.0", "10.0.0.255", "10.0.1.0", "10.1.2.3", "10.2.0.0", "10.255.255.255", "192.0.2.7", "224.0.0.0",
        "255.255.255.255", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1",
    };
    static const char *const out[] = {
        "9.255.255.255", "11.0.0.0", "0.0.0.0", "192.0.2.6", "192.0.2.8", "223.255.255.255", "::", "a00::",
        "a01:203::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "fe80::", "fe80::2",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:10.0.0.1", "e000::",
    };
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(has(table, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(has(table, out[i]));
    prefix_table_free(table);
}

static void all_of_one_family_is_nothing_of_the_other(void **state)
{
    (void)state;
    struct prefix v4 = prefix_of("0.0.0.0/0"), v6 = prefix_of("::/0");
    struct prefix_table *table = prefix_table_new(&v4, 1);
    assert_true(has(table, "0.0.0.0") && has(table, "255.255.255.255"));
    assert_false(has(table, "::") || has(table, "2001:db8::1"));
    prefix_table_free(table);
    table = prefix_table_new(&v6, 1);
    assert_true(has(table, "::") && has(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_false(has(table, "0.0.0.0") || has(table, "192.0.2.1"));
    prefix_table_free(table);
}

static bool is_in(const struct prefix *prefix, const struct addr *addr)
{
    for (unsigned bit = 0; bit < prefix->len; bit++)
        if ((prefix->bytes[bit / 8] ^ addr->bytes[bit / 8]) & 0x80 >> bit % 8)
            return false;
    return prefix->family == addr->family;
}

/* Few different bytes, so that networks nest and addresses fall into them. */
static struct addr some_addr(struct random_state *rng)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0x80, 0xff};
    struct addr addr = {.family = random_below(rng, 2) ? ADDR_V4 : ADDR_V6};
    for (unsigned i = 0; i < addr_len(&addr); i++)
        addr.bytes[i] = i < 3 || random_below(rng, 8) == 0 ? bytes[random_below(rng, 4)] : 0;
    return addr;
}

static struct prefix some_prefix(struct random_state *rng)
{
    struct addr addr = some_addr(rng);
    struct prefix prefix = {.family = addr.family, .len = (uint8_t)random_below(rng, addr_len(&addr) * 8 + 1)};
    for (unsigned bit = 0; bit < prefix.len; bit++)
        prefix.bytes[bit / 8] |= (uint8_t)(addr.bytes[bit / 8] & 0x80 >> bit % 8);
    return prefix;
}

/* Against looking through all of them. */
static void any_table_agrees_with_its_prefixes(void **state)
{
    (void)state;
    enum { TABLES = 300, PREFIXES_MOST = 40, ADDRS = 300 };
    struct random_state rng = {{1, 2}};
    unsigned found = 0;
    for (unsigned round = 0; round < TABLES; round++) {
        struct prefix prefixes[PREFIXES_MOST];
        size_t cnt = random_below(&rng, PREFIXES_MOST + 1);
        for (size_t i = 0; i < cnt; i++)
            do
                prefixes[i] = some_prefix(&rng);
            while (prefixes[i].len < 4 && random_below(&rng, 8)); /* or most tables hold everything */
        struct prefix_table *table = prefix_table_new(prefixes, cnt);
        for (unsigned j = 0; j < ADDRS; j++) {
            struct addr addr = some_addr(&rng);
            bool expected = false;
            for (size_t i = 0; i < cnt; i++)
                expected |= is_in(&prefixes[i], &addr);
            assert_int_equal(prefix_table_has(table, &addr), expected);
            found += expected;
        }
        prefix_table_free(table);
    }
    assert_in_range(found, TABLES * ADDRS / 10, TABLES * ADDRS * 9 / 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_network_looks_like),
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(edges_belong_to_their_network),
        cmocka_unit_test(all_of_one_family_is_nothing_of_the_other),
        cmocka_unit_test(any_table_agrees_with_its_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
