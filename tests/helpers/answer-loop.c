/* answer-loop WHAT ROUNDS: the query path without sockets, for counting instructions
 * (tests/functional/test_instructions.py, by callgrind inside answer_batch and reference_round) and for timing.
 *
 *   address    W1: eight A of one name        missing     NXDOMAIN
 *   referral   with glue                      alias       a CNAME and its address
 *   wildcard   an address                     deep        120 labels, nothing below the apex
 *   many       uniform over MANY_NAMES names  pool        one of four addresses by weight
 *   signed     W7: DO, eight A and an RRSIG   denied      NXDOMAIN with two NSEC
 *   hashed     the same with three NSEC3             near       the pool by the client's site, of 100,000 networks
 *   reference  fixed simple work, to measure the others by
 *
 * The rate limit is on, and clients are any of 10,000 networks. ROUNDS batches of 32 are answered. Prints nanoseconds
 * a query, the median of all batches. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "helpers/world.h"
#include "pool/classes.h"
#include "zone/version.h"

enum { MANY_NAMES = 100000, NETWORKS = 100000, OUT_MAX = 1232 };

void reference_round(uint8_t *to, const uint8_t *from, unsigned len);

static struct world world;
static uint8_t in[ANSWER_BATCH_MAX][512], out[ANSWER_BATCH_MAX][OUT_MAX];
static size_t in_len[ANSWER_BATCH_MAX];

/* What any server must do to a query, byte by byte so that no library's choice of instructions counts: hash the
 * name, copy it and the answer. */
__attribute__((noinline)) void reference_round(uint8_t *to, const uint8_t *from, unsigned len)
{
    for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++) {
        uint32_t hash = 2166136261u;
        for (unsigned k = 0; k < len; k++) {
            hash = (hash ^ from[k]) * 16777619u;
            to[k] = (uint8_t)(hash >> 24);
            __asm__ volatile("" : : : "memory");
        }
    }
}

static void add_zone(bool many)
{
    size_t cap = 4096 + (many ? (size_t)MANY_NAMES * 32 : 0), len = 0;
    char *zone = malloc(cap);
    if (!zone)
        exit(2);
    for (unsigned i = 1; i <= 8; i++)
        len += (size_t)snprintf(zone + len, cap - len, "www A 192.0.2.%u\n", i);
    len += (size_t)snprintf(zone + len, cap - len,
                            "one A 192.0.2.9\nalias CNAME one\n*.wild A 192.0.2.10\npool A 192.0.2.11\n"
                            "near A 192.0.2.12\n");
    for (unsigned i = 1; i <= 2; i++)
        len += (size_t)snprintf(zone + len, cap - len, "a.sub NS ns%u.a.sub\nns%u.a.sub A 192.0.2.%u\n", i, i, i);
    for (unsigned i = 0; many && i < MANY_NAMES; i++)
        len += (size_t)snprintf(zone + len, cap - len, "h%u A 10.%u.%u.%u\n", i, i >> 16, i >> 8 & 255, i & 255);
    world_add(&world, "example.com", zone);
    free(zone);
}

/* Signatures have the size of ECDSA P-256's and mean nothing. */
#define SIGNATURE " 13 2 60 20300101000000 20200101000000 1 example.com. " \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"

static void add_signed_zones(void)
{
    static const char apex[] = "@ DNSKEY 257 3 13 AAAA\n@ RRSIG DNSKEY" SIGNATURE "@ 3600 RRSIG SOA" SIGNATURE;
    static const char nsec[] = "www RRSIG A" SIGNATURE "www NSEC @ A RRSIG NSEC\nwww RRSIG NSEC" SIGNATURE
        "@ NSEC www NS SOA RRSIG NSEC DNSKEY\n@ RRSIG NSEC" SIGNATURE;
    char zone[8192];
    size_t len = (size_t)snprintf(zone, sizeof zone, "%s%s", apex, nsec);
    for (unsigned i = 1; i <= 8; i++)
        len += (size_t)snprintf(zone + len, sizeof zone - len, "www A 192.0.2.%u\n", i);
    world_add(&world, "example.org", zone);
    /* The apex's hash, the last, and one each before those of nope.example.net and *.example.net. */
    static const char *const chain[] = {"00000000000000000000000000000000", "50000000000000000000000000000000",
        "93j57bnunnk7b6rcofljbhj4mkp5bpjh"};
    len = (size_t)snprintf(zone, sizeof zone, "%s@ NSEC3PARAM 1 0 0 -\n", apex);
    for (unsigned i = 0; i < 3; i++)
        len += (size_t)snprintf(zone + len, sizeof zone - len, "%s NSEC3 1 0 0 - %s A RRSIG\n%s RRSIG NSEC3" SIGNATURE,
            chain[i], chain[(i + 1) % 3], chain[i]);
    world_add(&world, "example.net", zone);
}

static struct pool_directory pools;

/* Weights 4:3:2:1, all up; every other one of a site. */
static void add_pool(const uint8_t *name, const struct pool_class *class, size_t class_cnt)
{
    const struct pool_settings settings = {.policy = POOL_WEIGHTED, .answers = 1, .ttl_sec = 20};
    struct pool_member members[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        members[i] = (struct pool_member){.address = {.bytes = {192, 0, 2, (uint8_t)(i + 1)}, .family = ADDR_V4},
            .weight = 4 - i, .tier = 1, .site = (uint16_t)(i % 2)};
    struct zone_node *node = (struct zone_node *)(uintptr_t)zone_version_find(world.zones[0]->current, name);
    node->pool = pool_directory_take(&pools);
    const struct pool_source source = {.settings = &settings, .family = ADDR_V4, .members = members, .cnt = 4,
        .classes = class, .class_cnt = class_cnt, .handle = node->pool};
    (void)!pool_directory_set(&pools, node->pool, 0, pool_classes_compile(&source, NULL));
}

/* Networks of 24 bits, of two sites in turns, among them those of all clients. */
static void add_sites(struct answer_sites *sites)
{
    struct prefix_map_entry *entries = calloc(NETWORKS, sizeof *entries);
    if (!entries)
        exit(2);
    for (unsigned i = 0; i < NETWORKS; i++)
        entries[i] = (struct prefix_map_entry){
            {{(uint8_t)(10 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i}, ADDR_V4, 24}, (uint16_t)(1 + i % 2)};
    sites->map = prefix_map_new(entries, NETWORKS);
    world.settings.sites = sites;
    free(entries);
}

static const char *name_of(const char *what, struct random_state *rng)
{
    static char name[400];
    static const struct {
        const char *what, *name;
    } names[] = {{"address", "www.example.com"}, {"missing", "nope.example.com"}, {"referral", "www.a.sub.example.com"},
                 {"alias", "alias.example.com"}, {"wildcard", "x.wild.example.com"}, {"pool", "pool.example.com"},
                 {"near", "near.example.com"},
                 {"signed", "www.example.org"}, {"denied", "nope.example.org"}, {"hashed", "nope.example.net"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(what, names[i].what))
            return names[i].name;
    name[0] = 0;
    if (!strcmp(what, "many"))
        snprintf(name, sizeof name, "h%u.example.com", random_below(rng, MANY_NAMES));
    else if (!strcmp(what, "deep"))
        for (unsigned i = 0; i < 121; i++)
            strcat(name, i < 120 ? "a." : "example.com");
    return name;
}

static bool ask_all(const char *what, struct random_state *rng)
{
    for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++) {
        const char *name = name_of(what, rng);
        if (!*name)
            return false;
        bool dnssec_ok = !strcmp(what, "signed") || !strcmp(what, "denied") || !strcmp(what, "hashed");
        in_len[i] = world_ask(in[i], &(struct ask){.name = name, .type = RR_A, .payload = 1232,
            .dnssec_ok = dnssec_ok});
    }
    return true;
}

/* 10,000 clients, each in a network of its own. */
static struct addr client_of(struct random_state *rng)
{
    unsigned n = random_below(rng, 10000);
    return (struct addr){.bytes = {10, (uint8_t)(n >> 8), (uint8_t)n, 1}, .family = ADDR_V4, .port = 5353};
}

static void answer_all(struct random_state *rng)
{
    struct answer_packet packets[ANSWER_BATCH_MAX];
    for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++)
        packets[i] = (struct answer_packet){.in = in[i], .in_len = (uint32_t)in_len[i], .out = out[i],
            .out_cap = OUT_MAX, .proto = ANSWER_UDP, .client = client_of(rng)};
    answer_batch(world.worker, packets, ANSWER_BATCH_MAX);
    for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++)
        if (packets[i].outcome != ANSWER_SEND)
            exit(2);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* no system call, which would cost as much as ten queries */
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t cnt)
{
    qsort(values, cnt, sizeof *values, compare);
    return values[cnt / 2];
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    bool reference = argc == 3 && !strcmp(argv[1], "reference"), many = argc == 3 && !strcmp(argv[1], "many");
    struct random_state rng = {{1, 2}};
    if (!rounds) {
        fprintf(stderr, "usage: answer-loop WHAT ROUNDS\n");
        return 2;
    }
    world_init(&world, 1232);
    /* The rate limit's defaults, but for the rate, which is never to be reached. */
    world.shared.limit = limit_new(4 << 20);
    limit_settings_init(&world.settings.limit, &(struct limit_options){.rate = LIMIT_RATE_MAX, .prefix4 = 24,
        .prefix6 = 56, .slip = 2});
    /* The same key in every run: hashes shape the trie, and so the count. */
    world.shared.key = (struct hash_key){{0x0123456789abcdef, 0xfedcba9876543211, 0x1357924680acebdf}};
    pool_directory_init(&pools);
    world.shared.pools = &pools;
    add_zone(many);
    add_signed_zones();
    add_pool((const uint8_t *)"\4pool\7example\3com", NULL, 0);
    struct pool_class class = {1, pool_directory_take(&pools)};
    add_pool((const uint8_t *)"\4near\7example\3com", &class, 1);
    struct answer_sites sites;
    add_sites(&sites);
    world_start(&world);
    if (!reference && !ask_all(argv[1], &rng)) {
        fprintf(stderr, "answer-loop: unknown \"%s\"\n", argv[1]);
        return 2;
    }
    double *used = calloc(rounds, sizeof *used);
    for (unsigned long i = 0; used && i < rounds; i++) {
        if (many)
            ask_all(argv[1], &rng);
        double start = seconds();
        if (reference)
            reference_round(out[0], in[0], 256);
        else
            answer_all(&rng);
        used[i] = seconds() - start;
    }
    if (used)
        printf("%.1f ns a query\n", median(used, rounds) * 1e9 / ANSWER_BATCH_MAX);
    free(used);
    world_fini(&world);
    limit_free(world.shared.limit);
    for (uint32_t i = 0; i < pools.used; i++)
        pool_table_free(pools.entries[i].tables[0]);
    prefix_map_free(sites.map);
    pool_directory_fini(&pools);
    return 0;
}
