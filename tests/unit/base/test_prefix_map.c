#include "base/prefix_map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static struct prefix_map_entry entry(const char *text, uint16_t value)
{
    struct prefix_map_entry made = {.value = value};
    assert_int_equal(prefix_from_text(&made.prefix, text), ERR_OK);
    return made;
}

static struct addr addr_of(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, text), ERR_OK);
    addr.port = 53;
    return addr;
}

static struct prefix_match find(const struct prefix_map *map, const char *text, unsigned known)
{
    struct addr addr = addr_of(text);
    return prefix_map_find(map, &addr, known);
}

static void the_longest_wins(void **state)
{
    (void)state;
    const struct prefix_map_entry entries[] = {
        entry("10.0.0.0/8", 1), entry("10.1.0.0/16", 2), entry("10.1.2.0/24", 1), entry("10.1.3.7", 3),
        entry("192.0.2.0/25", 4), entry("192.0.2.128/25", 4), entry("2001:db8::/32", 5),
        entry("2001:db8:0:1::/64", 6), entry("2001:db8:0:1::1", 7), entry("10.0.0.0/8", 1),
    };
    static const struct {
        const char *address;
        unsigned known, value, scope;
    } cases[] = {
        {"10.200.0.1", 32, 1, 9},  /* half of the /8, since 10.1/16 lies in the other */
        {"10.0.0.1", 32, 1, 16},
        {"10.1.0.1", 32, 2, 23},
        {"10.1.2.255", 32, 1, 24},
        {"10.1.3.7", 32, 3, 32},
        {"10.1.3.6", 32, 2, 32},
        {"10.1.3.8", 32, 2, 29},
        {"10.1.9.0", 32, 2, 21},
        {"11.0.0.0", 32, 0, 8},
        {"128.0.0.0", 32, 0, 2}, /* to 191.255.255.255 */
        {"192.0.2.1", 32, 4, 24},  /* neighbours that agree are one */
        {"192.0.2.255", 32, 4, 24},
        {"192.0.3.0", 32, 0, 24},
        {"10.200.0.0", 16, 1, 9},
        {"10.1.3.0", 24, 2, 24}, /* 10.1.3.7 may be meant, or not */
        {"10.1.0.0", 16, 2, 16},
        {"10.0.0.0", 8, 1, 8},
        {"10.0.0.0", 7, 0, 7},
        {"0.0.0.0", 1, 0, 1},
        {"2001:db8::", 128, 5, 64},
        {"2001:db8:0:1::", 128, 6, 128},
        {"2001:db8:0:1::1", 128, 7, 128},
        {"2001:db8:0:1::2", 128, 6, 127},
        {"2001:db8:0:2::", 128, 5, 63},
        {"2001:db8:8000::", 128, 5, 33},
        {"2001:db8::", 56, 5, 56},
        {"2001:db8::", 32, 5, 32},
        {"2001:db9::", 128, 0, 32},
        {"::", 128, 0, 3},
    };
    struct prefix_map *map = prefix_map_new(entries, sizeof entries / sizeof *entries);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct prefix_match match = find(map, cases[i].address, cases[i].known);
        if (match.value != cases[i].value || match.scope != cases[i].scope)
            fail_msg("%s/%u: value %u, scope %u", cases[i].address, cases[i].known, match.value, match.scope);
    }
    prefix_map_free(map);
}

static void nothing_and_everything(void **state)
{
    (void)state;
    struct prefix_map *map = prefix_map_new(NULL, 0);
    struct prefix network;
    struct addr addr = addr_of("192.0.2.1");
    assert_int_equal(find(map, "192.0.2.1", 32).value, 0);
    assert_int_equal(find(map, "192.0.2.1", 32).scope, 0);
    assert_int_equal(find(map, "::1", 128).scope, 0);
    assert_false(prefix_map_network(map, &addr, 32, &network));
    prefix_map_free(map);
    prefix_map_free(NULL);
    const struct prefix_map_entry all[] = {entry("0.0.0.0/0", 9), entry("255.255.255.255", 8), entry("ffff::/16", 7)};
    map = prefix_map_new(all, 3);
    assert_int_equal(find(map, "0.0.0.0", 32).value, 9);
    assert_int_equal(find(map, "0.0.0.0", 0).value, 9);
    assert_int_equal(find(map, "0.0.0.0", 32).scope, 1);
    assert_int_equal(find(map, "255.255.255.255", 32).value, 8);
    assert_int_equal(find(map, "255.255.255.255", 32).scope, 32);
    assert_int_equal(find(map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128).value, 7);
    assert_int_equal(find(map, "::", 128).value, 0);
    assert_true(prefix_map_network(map, &addr, 32, &network));
    assert_int_equal(network.len, 0);
    prefix_map_free(map);
}

static void texts_of_networks(void **state)
{
    (void)state;
    static const char *const texts[] = {"0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[PREFIX_TEXT_MAX];
        struct prefix_map_entry made = entry(texts[i], 1);
        assert_string_equal(prefix_to_text(text, &made.prefix), texts[i]);
    }
}

/* ---- against looking through all of them */

static bool holds(const struct prefix *prefix, const struct addr *addr)
{
    for (unsigned bit = 0; bit < prefix->len; bit++)
        if ((prefix->bytes[bit / 8] ^ addr->bytes[bit / 8]) & 0x80 >> bit % 8)
            return false;
    return prefix->family == addr->family;
}

static const struct prefix_map_entry *look(const struct prefix_map_entry *entries, size_t cnt, const struct addr *addr,
                                           unsigned known)
{
    const struct prefix_map_entry *best = NULL;
    for (size_t i = 0; i < cnt; i++)
        if (entries[i].prefix.len <= known && holds(&entries[i].prefix, addr) &&
            (!best || entries[i].prefix.len > best->prefix.len))
            best = &entries[i];
    return best;
}

static unsigned value_of(const struct prefix_map_entry *entries, size_t cnt, const struct addr *addr)
{
    const struct prefix_map_entry *best = look(entries, cnt, addr, 128);
    return best ? best->value : 0;
}

static struct addr cut(const struct addr *addr, unsigned bits)
{
    struct addr part = {.family = addr->family};
    for (unsigned bit = 0; bit < bits; bit++)
        part.bytes[bit / 8] |= (uint8_t)(addr->bytes[bit / 8] & 0x80 >> bit % 8);
    return part;
}

/* The address behind the last one of a network; false: there is none. */
static bool behind(struct addr *addr, const struct prefix *prefix)
{
    *addr = (struct addr){.family = prefix->family};
    memcpy(addr->bytes, prefix->bytes, 16);
    for (unsigned bit = prefix->len; bit-- > 0;) {
        addr->bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        if (addr->bytes[bit / 8] & 0x80 >> bit % 8)
            return true;
    }
    return false;
}

static bool is_other(const struct prefix_map_entry *entries, size_t cnt, const struct prefix *block,
                     const struct addr *point, unsigned value)
{
    return holds(block, point) && value_of(entries, cnt, point) != value;
}

/* All addresses of the block have the value. It can change where a network begins or has ended, nowhere else. */
static bool is_even(const struct prefix_map_entry *entries, size_t cnt, const struct addr *addr, unsigned bits,
                    unsigned value)
{
    struct addr first = cut(addr, bits), point;
    struct prefix block = {.family = addr->family, .len = (uint8_t)bits};
    memcpy(block.bytes, first.bytes, 16);
    if (value_of(entries, cnt, &first) != value)
        return false;
    for (size_t i = 0; i < cnt; i++) {
        point = (struct addr){.family = entries[i].prefix.family};
        memcpy(point.bytes, entries[i].prefix.bytes, 16);
        if (is_other(entries, cnt, &block, &point, value))
            return false;
        if (behind(&point, &entries[i].prefix) && is_other(entries, cnt, &block, &point, value))
            return false;
    }
    return true;
}

static void judge(const struct prefix_map *map, const struct prefix_map_entry *entries, size_t cnt,
                  const struct addr *addr, unsigned known)
{
    struct prefix_match match = prefix_map_find(map, addr, known);
    const struct prefix_map_entry *best = look(entries, cnt, addr, known);
    struct prefix network;
    assert_int_equal(prefix_map_network(map, addr, known, &network), best != NULL);
    if (best)
        assert_memory_equal(&network, &best->prefix, sizeof network);
    assert_true(match.scope <= known);
    if (known == addr_len(addr) * 8)
        assert_int_equal(prefix_map_value(map, addr), match.value);
    if (is_even(entries, cnt, addr, known, value_of(entries, cnt, addr))) {
        assert_int_equal(match.value, value_of(entries, cnt, addr));
        assert_true(is_even(entries, cnt, addr, match.scope, match.value));
        assert_false(match.scope && is_even(entries, cnt, addr, match.scope - 1u, match.value));
    } else {
        assert_int_equal(match.scope, known);
        assert_int_equal(match.value, best ? best->value : 0);
    }
}

/* Few different bytes, so that networks nest and addresses fall into them; some differ behind the 64th bit alone. */
static struct addr some_addr(struct random_state *rng)
{
    static const uint8_t bytes[] = {0x00, 0x01, 0x80, 0xff};
    struct addr addr = {.family = random_below(rng, 2) ? ADDR_V4 : ADDR_V6};
    unsigned from = addr.family == ADDR_V6 && random_below(rng, 2) ? 7 : 0;
    for (unsigned i = from; i < addr_len(&addr); i++)
        addr.bytes[i] = i < from + 3 || random_below(rng, 8) == 0 ? bytes[random_below(rng, 4)] : 0;
    return addr;
}

static size_t some_entries(struct prefix_map_entry *entries, size_t most, struct random_state *rng)
{
    size_t cnt = 0, wanted = random_below(rng, (uint32_t)most + 1);
    for (size_t n = 0; n < wanted; n++) {
        struct addr addr = some_addr(rng);
        unsigned len = random_below(rng, addr_len(&addr) * 8 + 1);
        struct addr first = cut(&addr, len);
        struct prefix_map_entry fresh = {.prefix = {.family = addr.family, .len = (uint8_t)len}};
        memcpy(fresh.prefix.bytes, first.bytes, 16);
        fresh.value = (uint16_t)(1 + random_below(rng, 3));
        bool is_new = true;
        for (size_t i = 0; i < cnt && is_new; i++)
            is_new = prefix_cmp(&entries[i].prefix, &fresh.prefix) != 0;
        if (is_new)
            entries[cnt++] = fresh;
    }
    return cnt;
}

static void any_map_agrees_with_its_networks(void **state)
{
    (void)state;
    enum { MAPS = 250, ENTRIES_MOST = 60, ADDRS = 60 };
    struct random_state rng = {{1, 2}};
    for (unsigned round = 0; round < MAPS; round++) {
        struct prefix_map_entry entries[ENTRIES_MOST];
        size_t cnt = some_entries(entries, ENTRIES_MOST, &rng);
        struct prefix_map *map = prefix_map_new(entries, cnt);
        for (unsigned n = 0; n < ADDRS; n++) {
            struct addr addr = some_addr(&rng);
            unsigned all = addr_len(&addr) * 8, known = random_below(&rng, all + 1);
            struct addr part = cut(&addr, known);
            judge(map, entries, cnt, &addr, all);
            judge(map, entries, cnt, &part, known);
        }
        prefix_map_free(map);
    }
}

/* So many that the index has nodes in nodes: every /24 of 10.0.0.0/12, every second /48 of one /32, and /96 of one
 * /64; who holds an address follows from the address. */
static void deep_indexes(void **state)
{
    (void)state;
    enum { V4 = 4096, V6 = 32768, DEEP = 2000 };
    struct prefix_map_entry *entries = calloc(V4 + V6 + DEEP, sizeof *entries);
    size_t cnt = 0;
    assert_non_null(entries);
    for (unsigned i = 0; i < V4; i++)
        entries[cnt++] = (struct prefix_map_entry){
            {{10, (uint8_t)(i >> 8), (uint8_t)i}, ADDR_V4, 24}, (uint16_t)(1 + i % 7)};
    for (unsigned i = 0; i < V6; i++)
        entries[cnt++] = (struct prefix_map_entry){
            {{0x20, 1, 0xd, 0xb8, (uint8_t)(i >> 7), (uint8_t)(i << 1)}, ADDR_V6, 48}, (uint16_t)(1 + i % 7)};
    for (unsigned i = 0; i < DEEP; i++)
        entries[cnt++] = (struct prefix_map_entry){
            {{0xfd, [10] = (uint8_t)(i >> 8), (uint8_t)i}, ADDR_V6, 96}, (uint16_t)(1 + i % 7)};
    struct prefix_map *map = prefix_map_new(entries, cnt);
    for (unsigned i = 0; i < 65536; i++) {
        struct addr v4 = {.bytes = {10, (uint8_t)(i >> 8), (uint8_t)i, (uint8_t)(i >> 3)}, .family = ADDR_V4};
        struct prefix_match match = prefix_map_find(map, &v4, 32);
        assert_int_equal(match.value, i < V4 ? 1 + i % 7 : 0);
        assert_true(i >= V4 || match.scope == 24);
        struct addr v6 = {.bytes = {0x20, 1, 0xd, 0xb8, (uint8_t)(i >> 8), (uint8_t)i, 3, 4}, .family = ADDR_V6};
        match = prefix_map_find(map, &v6, 128);
        assert_int_equal(match.value, i % 2 ? 0 : 1 + i / 2 % 7);
        assert_int_equal(match.scope, 48);
        struct addr deep = {.bytes = {0xfd, [10] = (uint8_t)(i >> 8), (uint8_t)i, 9}, .family = ADDR_V6};
        match = prefix_map_find(map, &deep, 128);
        assert_int_equal(match.value, i < DEEP ? 1 + i % 7 : 0);
    }
    assert_true(prefix_map_bytes(map) < 16u << 20);
    prefix_map_free(map);
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_wins),
        cmocka_unit_test(nothing_and_everything),
        cmocka_unit_test(texts_of_networks),
        cmocka_unit_test(any_map_agrees_with_its_networks),
        cmocka_unit_test(deep_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
