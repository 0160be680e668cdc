/* What it costs to find a client's site: a map of NETWORKS networks (default 100,000, half of them IPv6) of lengths as
 * the Internet's routing tables have them, and the time of one look-up, without and with the scope that ECS is told: of
 * clients drawn anew each time, and of 10,000 that come again and again, as a name server's do.
 *
 *     prefix-bench [NETWORKS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/prefix_map.h"
#include "base/random.h"

enum { LOOKUPS = 4000000, DRAWN = 1 << 20, REGULARS = 10000, SITES = 16 };

static struct prefix_map_entry *entries;
static struct addr *clients;

/* Most are the shortest that are routed everywhere, many half or a quarter so long. */
static unsigned length_of(bool is_v6, struct random_state *rng)
{
    static const uint8_t v4[] = {24, 24, 24, 24, 24, 24, 23, 22, 22, 21, 20, 19, 16};
    static const uint8_t v6[] = {48, 48, 48, 48, 48, 48, 44, 40, 36, 32, 32, 29};
    return is_v6 ? v6[random_below(rng, sizeof v6)] : v4[random_below(rng, sizeof v4)];
}

/* IPv6 comes from few blocks, densely: 2001::/16, 2400::/12, 2600::/12, 2800::/12, 2a00::/12, 2c00::/12. */
static struct addr some_addr(bool is_v6, struct random_state *rng)
{
    static const uint8_t blocks[] = {0x20, 0x24, 0x26, 0x28, 0x2a, 0x2a, 0x2c};
    struct addr addr = {.family = is_v6 ? ADDR_V6 : ADDR_V4};
    uint64_t words[2] = {random_u64(rng), random_u64(rng)};
    memcpy(addr.bytes, words, addr_len(&addr));
    if (is_v6) {
        addr.bytes[0] = blocks[random_below(rng, sizeof blocks)];
        addr.bytes[1] = addr.bytes[0] == 0x20 ? 1 : addr.bytes[1] & 0xf;
        addr.bytes[2] &= 0x1f; /* operators number from the front */
        addr.bytes[4] &= 0x0f;
    } else {
        addr.bytes[0] = (uint8_t)(1 + random_below(rng, 223));
    }
    return addr;
}

static void make_entries(size_t cnt, struct random_state *rng)
{
    entries = mem_zalloc(cnt, sizeof *entries);
    for (size_t i = 0; i < cnt; i++) {
        bool is_v6 = i % 2;
        struct addr addr = some_addr(is_v6, rng);
        unsigned len = length_of(is_v6, rng);
        entries[i] = (struct prefix_map_entry){{.family = addr.family, .len = (uint8_t)len},
                                               (uint16_t)(1 + random_below(rng, SITES))};
        for (unsigned bit = 0; bit < len; bit++)
            entries[i].prefix.bytes[bit / 8] |= (uint8_t)(addr.bytes[bit / 8] & 0x80 >> bit % 8);
    }
}

/* Half of them in some network, the others wherever. */
static void draw_clients(size_t cnt, size_t entry_cnt, bool is_v6, struct random_state *rng)
{
    for (size_t i = 0; i < cnt; i++) {
        clients[i] = some_addr(is_v6, rng);
        if (i % 2)
            continue;
        const struct prefix *in = &entries[random_below(rng, (uint32_t)(entry_cnt / 2)) * 2 + is_v6].prefix;
        for (unsigned bit = 0; bit < in->len; bit++) {
            clients[i].bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
            clients[i].bytes[bit / 8] |= (uint8_t)(in->bytes[bit / 8] & 0x80 >> bit % 8);
        }
    }
}

/* Processor time: who else uses the machine is not to count, as far as that goes. */
static double worked_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1000000;
}

static double value_ns(const struct prefix_map *map, size_t cnt, unsigned *found)
{
    double start_ms = worked_ms();
    for (size_t i = 0, at = 0; i < LOOKUPS; i++, at = at + 1 < cnt ? at + 1 : 0)
        *found += prefix_map_value(map, &clients[at]) > 0;
    return (worked_ms() - start_ms) * 1000000 / LOOKUPS;
}

static double scope_ns(const struct prefix_map *map, size_t cnt, double *mean)
{
    uint64_t sum = 0;
    double start_ms = worked_ms();
    for (size_t i = 0, at = 0; i < LOOKUPS; i++, at = at + 1 < cnt ? at + 1 : 0)
        sum += prefix_map_find(map, &clients[at], addr_len(&clients[at]) * 8).scope;
    double ns = (worked_ms() - start_ms) * 1000000 / LOOKUPS;
    *mean = (double)sum / LOOKUPS;
    return ns;
}

static void measure(const struct prefix_map *map, const char *what, size_t cnt, bool is_v6)
{
    unsigned found = 0;
    double mean, number = value_ns(map, cnt, &found), scope = scope_ns(map, cnt, &mean);
    printf("%-10s %s  %5.1f ns, with scope %5.1f ns; %.0f %% in a site, mean scope %.1f\n", what,
           is_v6 ? "IPv6" : "IPv4", number, scope, 100.0 * found / LOOKUPS, mean);
}

int main(int argc, char **argv)
{
    size_t cnt = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    struct random_state rng = {{1, 2}};
    if (argc > 2 || cnt < 2 || cnt > 10000000) {
        fprintf(stderr, "usage: prefix-bench [NETWORKS], 2 to 10000000\n");
        return 2;
    }
    make_entries(cnt, &rng);
    double start_ms = worked_ms();
    struct prefix_map *map = prefix_map_new(entries, cnt);
    printf("%zu networks: made in %.0f ms, %.1f MiB\n", cnt, worked_ms() - start_ms,
           (double)prefix_map_bytes(map) / (1 << 20));
    clients = mem_zalloc(DRAWN, sizeof *clients);
    for (unsigned is_v6 = 0; is_v6 < 2; is_v6++) {
        draw_clients(DRAWN, cnt, is_v6, &rng);
        measure(map, "any", DRAWN, is_v6);
        measure(map, "regulars", REGULARS, is_v6);
    }
    prefix_map_free(map);
    free(entries);
    free(clients);
    return 0;
}
