/* All addresses of a family, as numbers in order, fall into runs of one value each; the longest network wins where runs
 * are made, so that finding is a search for the last run that begins at or before the address. The search goes down
 * an index by the address's leading bits, each node as wide as it has runs, until so few are left that they lie in
 * one cache line. What is not needed to answer queries (the networks themselves) lies apart. */
#include "base/prefix_map.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* An IPv4 address is the number of its four bytes and the twelve zeros behind them in struct addr. */
typedef __uint128_t number;

enum { NOBODY = UINT32_MAX, LEAF_MOST = 4, NODE_BITS_MOST = 16, INDEXED_BITS = 64 };

/* A part of the index: a node of 2^bits parts, or, bits 0, the runs at..at + cnt, of which the first begins at or
 * before all its addresses. */
struct part {
    uint32_t at;
    uint32_t cnt;
    uint8_t bits;
    uint8_t shift; /* of the address's upper half, so that the node's bits are the lowest */
};

struct family {
    uint32_t run_cnt;
    uint64_t *high, *low; /* where runs begin, in halves; `low` NULL: zero everywhere, as with IPv4 */
    uint16_t *values;
    struct part root;
    struct part *parts;
    uint32_t part_cnt, part_cap;
};

/* A network, for whoever knows but a part of an address. */
struct network {
    struct prefix prefix;
    uint16_t value;
    uint32_t parent; /* the smallest that holds it; NOBODY: none */
};

struct prefix_map {
    struct family families[2]; /* IPv4, IPv6 */
    struct network *networks;  /* canonical order */
    uint32_t network_cnt;
};

static number number_of(const uint8_t bytes[16])
{
    uint64_t high, low;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    return (number)be64toh(high) << 64 | be64toh(low);
}

static number last_of(const struct prefix *prefix)
{
    return number_of(prefix->bytes) | (prefix->len == 128 ? 0 : ~(number)0 >> prefix->len);
}

/* ---- runs */

static number begin_of(const struct family *f, uint32_t run)
{
    return (number)f->high[run] << 64 | (f->low ? f->low[run] : 0);
}

/* From here on the addresses have this value, as far as is known yet. */
static void add_run(struct family *f, number begin, uint16_t value)
{
    if (f->run_cnt && begin_of(f, f->run_cnt - 1) == begin)
        f->run_cnt--; /* a longer network begins at the same address, or one behind which another follows at once */
    if (f->run_cnt && f->values[f->run_cnt - 1] == value)
        return;
    f->high[f->run_cnt] = (uint64_t)(begin >> 64);
    f->low[f->run_cnt] = (uint64_t)begin;
    f->values[f->run_cnt++] = value;
}

/* The networks that hold the present one, the innermost last, end at or before `before`. */
static uint32_t leave(struct prefix_map *map, struct family *f, uint32_t inside, const struct prefix *before)
{
    while (inside != NOBODY && !(before && prefix_holds(&map->networks[inside].prefix, before))) {
        const struct network *left = &map->networks[inside];
        number last = last_of(&left->prefix);
        inside = left->parent;
        if (~last)
            add_run(f, last + 1, inside == NOBODY ? 0 : map->networks[inside].value);
    }
    return inside;
}

static void make_runs(struct prefix_map *map, struct family *f, uint32_t begin, uint32_t end)
{
    size_t most = 2 * (size_t)(end - begin) + 1;
    uint32_t inside = NOBODY;
    uint64_t lows = 0;
    f->high = mem_zalloc(most, sizeof *f->high);
    f->low = mem_zalloc(most, sizeof *f->low);
    f->values = mem_zalloc(most, sizeof *f->values);
    add_run(f, 0, 0);
    for (uint32_t i = begin; i < end; i++) {
        struct network *network = &map->networks[i];
        inside = leave(map, f, inside, &network->prefix);
        network->parent = inside;
        inside = i;
        add_run(f, number_of(network->prefix.bytes), network->value);
    }
    leave(map, f, inside, NULL);
    for (uint32_t i = 0; i < f->run_cnt; i++)
        lows |= f->low[i];
    if (!lows) {
        free(f->low);
        f->low = NULL;
    }
}

/* ---- the index */

static uint32_t take_parts(struct family *f, uint32_t cnt)
{
    uint32_t at = f->part_cnt;
    while (f->part_cap < at + cnt) {
        f->part_cap = f->part_cap ? f->part_cap * 2 : 64;
        f->parts = mem_realloc(f->parts, f->part_cap, sizeof *f->parts);
    }
    f->part_cnt += cnt;
    return at;
}

/* As many parts as there are runs, more or less. */
static unsigned bits_for(uint32_t cnt, unsigned left)
{
    unsigned bits = 32 - (unsigned)__builtin_clz(cnt);
    bits = bits < NODE_BITS_MOST ? bits : NODE_BITS_MOST;
    return bits < left ? bits : left;
}

/* The runs first..first + cnt of the addresses whose upper halves agree in their first `done` bits, those of `base`. A
 * level takes one bit at least, so there are 64 of them at most. */
static struct part make_part(struct family *f, uint32_t first, uint32_t cnt, uint64_t base, unsigned done)
{
    struct part part = {.at = first, .cnt = cnt};
    if (cnt <= LEAF_MOST || done == INDEXED_BITS)
        return part;
    part.bits = (uint8_t)bits_for(cnt, INDEXED_BITS - done);
    part.shift = (uint8_t)(INDEXED_BITS - done - part.bits);
    part.at = take_parts(f, 1u << part.bits);
    uint32_t run = first, end = first + cnt;
    for (uint32_t i = 0; i < 1u << part.bits; i++) {
        uint64_t from = base + ((uint64_t)i << part.shift), last = from + ((UINT64_C(1) << part.shift) - 1);
        while (run + 1 < end && begin_of(f, run + 1) <= (number)from << 64)
            run++;
        uint32_t behind = run + 1;
        while (behind < end && f->high[behind] <= last)
            behind++;
        struct part inner = make_part(f, run, behind - run, from, done + part.bits);
        f->parts[part.at + i] = inner;
        run = behind - 1;
    }
    return part;
}

/* ---- life */

static int compare(const void *a, const void *b)
{
    return prefix_cmp(&((const struct network *)a)->prefix, &((const struct network *)b)->prefix);
}

static void take_networks(struct prefix_map *map, const struct prefix_map_entry *entries, size_t cnt)
{
    map->networks = mem_zalloc(cnt, sizeof *map->networks);
    for (size_t i = 0; i < cnt; i++)
        map->networks[i] = (struct network){.prefix = entries[i].prefix, .value = entries[i].value};
    qsort(map->networks, cnt, sizeof *map->networks, compare);
    for (size_t i = 0; i < cnt; i++)
        if (!i || compare(&map->networks[map->network_cnt - 1], &map->networks[i]))
            map->networks[map->network_cnt++] = map->networks[i];
}

struct prefix_map *prefix_map_new(const struct prefix_map_entry *entries, size_t cnt)
{
    struct prefix_map *map = mem_zalloc(1, sizeof *map);
    uint32_t v4_cnt = 0;
    take_networks(map, entries, cnt);
    while (v4_cnt < map->network_cnt && map->networks[v4_cnt].prefix.family == ADDR_V4)
        v4_cnt++;
    make_runs(map, &map->families[0], 0, v4_cnt);
    make_runs(map, &map->families[1], v4_cnt, map->network_cnt);
    for (unsigned i = 0; i < 2; i++)
        map->families[i].root = make_part(&map->families[i], 0, map->families[i].run_cnt, 0, 0);
    return map;
}

void prefix_map_free(struct prefix_map *map)
{
    if (!map)
        return;
    for (unsigned i = 0; i < 2; i++) {
        free(map->families[i].high);
        free(map->families[i].low);
        free(map->families[i].values);
        free(map->families[i].parts);
    }
    free(map->networks);
    free(map);
}

size_t prefix_map_bytes(const struct prefix_map *map)
{
    size_t bytes = sizeof *map + map->network_cnt * sizeof *map->networks;
    for (unsigned i = 0; i < 2; i++) {
        const struct family *f = &map->families[i];
        bytes += f->run_cnt * ((f->low ? 2 : 1) * sizeof *f->high + sizeof *f->values) + f->part_cap * sizeof *f->parts;
    }
    return bytes;
}

/* ---- finding */

/* The last of the runs first..first + cnt that begins at or before the address, by steps of a number that does not
 * depend on it: which way to go could not be foretold. */
static inline uint32_t search(const uint64_t *begins, uint32_t first, uint32_t cnt, uint64_t address)
{
    while (cnt > 1) {
        uint32_t half = cnt / 2;
        first += begins[first + half] <= address ? half : 0;
        cnt -= half;
    }
    return first;
}

/* Where runs begin within 64 bits too, halves must be compared. */
static ATTR_NOINLINE uint32_t search_both(const struct family *f, uint32_t first, uint32_t cnt, number address)
{
    while (cnt > 1) {
        uint32_t half = cnt / 2;
        first += begin_of(f, first + half) <= address ? half : 0;
        cnt -= half;
    }
    return first;
}

/* The run that holds the address. */
static inline uint32_t find_run(const struct family *f, const uint8_t address[16])
{
    uint64_t high;
    memcpy(&high, address, sizeof high);
    high = be64toh(high);
    const struct part *part = &f->root;
    while (part->bits)
        part = &f->parts[part->at + (high >> part->shift & ((1u << part->bits) - 1))];
    if (unlikely(f->low != NULL))
        return search_both(f, part->at, part->cnt, number_of(address));
    return search(f->high, part->at, part->cnt, high);
}

static unsigned common_bits(number a, number b)
{
    uint64_t high = (uint64_t)((a ^ b) >> 64), low = (uint64_t)(a ^ b);
    return high ? (unsigned)__builtin_clzll(high) : low ? 64 + (unsigned)__builtin_clzll(low) : 128;
}

/* One bit more than the address has in common with either neighbour of its run, and it is in the run alone. */
static unsigned scope_in(const struct family *f, uint32_t run, number address)
{
    unsigned before = run ? common_bits(address, begin_of(f, run) - 1) + 1 : 0;
    unsigned behind = run + 1 < f->run_cnt ? common_bits(address, begin_of(f, run + 1)) + 1 : 0;
    return before > behind ? before : behind;
}

/* Of the networks that hold an address and are no longer than `known` the longest one lies, in canonical order, before
 * the prefix that is the known bits, and holds whatever lies between. NULL: there is none. */
static const struct network *longest(const struct prefix_map *map, const struct addr *addr, unsigned known)
{
    struct prefix wanted = {.family = addr->family, .len = (uint8_t)known};
    memcpy(wanted.bytes, addr->bytes, sizeof wanted.bytes);
    uint32_t begin = 0, end = map->network_cnt;
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (prefix_cmp(&map->networks[middle].prefix, &wanted) <= 0)
            begin = middle + 1;
        else
            end = middle;
    }
    uint32_t at = begin ? begin - 1 : NOBODY;
    while (at != NOBODY && !prefix_holds(&map->networks[at].prefix, &wanted))
        at = map->networks[at].parent;
    return at == NOBODY ? NULL : &map->networks[at];
}

struct prefix_match prefix_map_find(const struct prefix_map *map, const struct addr *addr, unsigned known)
{
    const struct family *f = &map->families[addr->family == ADDR_V6];
    number address = number_of(addr->bytes);
    uint32_t run = find_run(f, addr->bytes);
    unsigned scope = scope_in(f, run, address);
    if (likely(scope <= known))
        return (struct prefix_match){f->values[run], (uint8_t)scope};
    const struct network *network = longest(map, addr, known);
    return (struct prefix_match){network ? network->value : 0, (uint8_t)known};
}

uint16_t prefix_map_value(const struct prefix_map *map, const struct addr *addr)
{
    const struct family *f = &map->families[addr->family == ADDR_V6];
    return f->values[find_run(f, addr->bytes)];
}

bool prefix_map_network(const struct prefix_map *map, const struct addr *addr, unsigned known, struct prefix *network)
{
    const struct network *found = longest(map, addr, known);
    if (found)
        *network = found->prefix;
    return found != NULL;
}
