/* What a big zone costs: builds one of NAMES names (default 1,000,000) with one A record each and prints the time of
 * each step, the memory a name, and the time of random look-ups, one by one and in batches of 32 that walk in step.
 *
 *     zone-bench [NAMES]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "zone/version.h"

enum { BATCH = 32, ROUNDS = 4 };

static const uint8_t apex[] = "\7example\3com";
static const uint8_t soa_rdata[] = "\1n\0\1h\0\0\0\0\1\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20";

struct query {
    uint64_t hash;
    uint8_t len;
    uint8_t name[39];
};

static size_t rss_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* "h<i>.example.com" with at least six digits. */
static unsigned name_of(uint8_t *out, unsigned i)
{
    int n = sprintf((char *)out + 1, "h%06u", i);
    out[0] = (uint8_t)n;
    memcpy(out + 1 + n, apex, sizeof(apex));
    return 1u + (unsigned)n + (unsigned)sizeof(apex);
}

static void fill(struct zone_records *records, unsigned names)
{
    struct rr soa = {
        .owner = apex, .rdata = soa_rdata, .ttl = 3600, .type = RR_SOA, .rdata_len = sizeof(soa_rdata) - 1};
    zone_records_add(records, &soa, NULL, 0);
    struct rr ns = {.owner = apex, .rdata = (const uint8_t *)"\1n", .ttl = 3600, .type = RR_NS, .rdata_len = 3};
    zone_records_add(records, &ns, NULL, 0);
    for (unsigned i = 0; i < names; i++) {
        uint8_t owner[40], address[4] = {192, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        name_of(owner, i);
        struct rr rr = {.owner = owner, .rdata = address, .ttl = 300, .type = RR_A, .rdata_len = 4};
        zone_records_add(records, &rr, NULL, i);
    }
}

static void step(const char *what, uint64_t *since_us)
{
    uint64_t now = clock_mono_us();
    printf("%-22s %8.3f s\n", what, (double)(now - *since_us) / 1e6);
    *since_us = clock_mono_us();
}

static struct query *make_queries(const struct hash_key *key, unsigned names)
{
    struct query *q = mem_zalloc(names, sizeof(*q));
    struct random_state rng;
    random_seed(&rng);
    for (unsigned i = 0; i < names; i++) {
        q[i].len = (uint8_t)name_of(q[i].name, random_below(&rng, names));
        q[i].hash = name_hash(q[i].name, key);
    }
    return q;
}

static size_t find_singly(uint64_t root, const struct query *q, size_t cnt)
{
    size_t found = 0;
    for (size_t i = 0; i < cnt; i++) {
        const struct zone_node *n = trie_find(root, q[i].hash, q[i].name, q[i].len);
        found += n && zone_node_rrset(n, RR_A);
    }
    return found;
}

static size_t find_batch(uint64_t root, const struct query *q)
{
    struct trie_walk w[BATCH];
    size_t found = 0;
    bool more = true;
    for (unsigned i = 0; i < BATCH; i++)
        w[i] = trie_walk_start(root, q[i].hash);
    while (more) {
        more = false;
        for (unsigned i = 0; i < BATCH; i++)
            if (trie_walk_more(&w[i])) {
                trie_walk_step(&w[i]);
                more = true;
            }
    }
    for (unsigned i = 0; i < BATCH; i++) {
        const struct zone_node *n = trie_walk_end(&w[i], q[i].name, q[i].len);
        found += n && zone_node_rrset(n, RR_A);
    }
    return found;
}

static void look_up(const struct zone_version *version, const struct hash_key *key, unsigned names)
{
    struct query *q = make_queries(key, names);
    size_t rounded = names / BATCH * BATCH, found = 0;
    uint64_t since = clock_mono_us();
    for (unsigned r = 0; r < ROUNDS; r++)
        found += find_singly(version->root, q, rounded);
    uint64_t single_us = clock_mono_us() - since;
    since = clock_mono_us();
    for (unsigned r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < rounded; i += BATCH)
            found += find_batch(version->root, q + i);
    uint64_t batch_us = clock_mono_us() - since;
    double lookups = (double)rounded * ROUNDS;
    printf("look-up, one by one    %8.1f ns\n", (double)single_us * 1000 / lookups);
    printf("look-up, batches of %d %8.1f ns\n", BATCH, (double)batch_us * 1000 / lookups);
    if (found != 2 * rounded * ROUNDS)
        printf("WRONG: %zu of %zu found\n", found, 2 * rounded * ROUNDS);
    free(q);
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    if (names < BATCH || names > 100000000) {
        fprintf(stderr, "usage: zone-bench [NAMES], 32 to 100000000\n");
        return 2;
    }
    struct hash_key key;
    hash_key_random(&key);
    size_t rss_before = rss_bytes();
    uint64_t since = clock_mono_us();
    struct zone *zone = zone_new(apex, &key);
    struct zone_records *records = zone_records_new(apex, &key);
    fill(records, names);
    step("adding records", &since);
    zone_records_sort(records);
    step("sorting", &since);
    struct zone_version *version = zone_build(zone, records, NULL);
    step("building", &since);
    struct changeset *changes = changeset_diff(version, records);
    step("comparing, no change", &since);
    changeset_free(changes);
    zone_records_free(records);
    malloc_trim(0);
    printf("resident memory        %8.1f bytes a name\n", (double)(rss_bytes() - rss_before) / names);
    printf("used by nodes, trie    %8.1f bytes a name\n", (double)chunk_used_bytes(zone->pool) / names);
    look_up(version, &key, names);
    zone_free(zone);
    return 0;
}
