/* hostile-loop list: each kind of hostile request (helpers/hostile.h) in a line: udp or tcp, its answer, its bytes in
 * hexadecimal, what it is, with tabs between; for tests/functional/test_hostile.py to send.
 *
 * hostile-loop ROUNDS: ROUNDS batches of 32 of each, for counting instructions by callgrind, which collects inside
 * answer_batch and dumps when hostile_end_of is left (tests/functional/test_hostile_work.py). Before them, as the
 * measure, W1: eight A of one name. Prints the kinds in their order, one a line: bytes, and what it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rr.h"
#include "helpers/hostile.h"
#include "helpers/world.h"

void hostile_end_of(const struct hostile *kind);

static struct world world;

__attribute__((noinline)) void hostile_end_of(const struct hostile *kind)
{
    printf("%zu %s\n", kind->len, kind->what);
    fflush(stdout);
}

static void start(void)
{
    char zone[1024] = "";
    for (unsigned i = 1, len = 0; i <= 8; i++)
        len += (unsigned)snprintf(zone + len, sizeof zone - len, "www A 192.0.2.%u\n", i);
    world_init(&world, 1232);
    /* The same key in every run: hashes shape the trie, and so the count. */
    world.shared.key = (struct hash_key){{0x0123456789abcdef, 0xfedcba9876543211, 0x1357924680acebdf}};
    world_add(&world, "example.com", zone);
    world_start(&world);
}

static void list(const struct hostile *kinds, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        printf("%s\t%s\t", kinds[i].proto == ANSWER_UDP ? "udp" : "tcp", kinds[i].answer ? kinds[i].answer : "");
        for (size_t k = 0; k < kinds[i].len; k++)
            printf("%02x", kinds[i].bytes[k]);
        printf("\t%s\n", kinds[i].what);
    }
}

static void answer(const struct hostile *kind, unsigned long rounds)
{
    static uint8_t out[ANSWER_BATCH_MAX][65535];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    while (rounds-- > 0) {
        for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++)
            packets[i] = (struct answer_packet){.in = kind->bytes, .in_len = (uint32_t)kind->len, .out = out[i],
                .out_cap = kind->proto == ANSWER_UDP ? 4096 : sizeof out[i], .proto = kind->proto};
        answer_batch(world.worker, packets, ANSWER_BATCH_MAX);
    }
    hostile_end_of(kind);
}

int main(int argc, char **argv)
{
    size_t cnt;
    unsigned long rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    const struct hostile *kinds = hostile_all(&cnt);
    uint8_t w1[512];
    if (argc == 2 && !strcmp(argv[1], "list")) {
        list(kinds, cnt);
        return 0;
    }
    if (!rounds) {
        fprintf(stderr, "usage: hostile-loop list|ROUNDS\n");
        return 2;
    }
    start();
    size_t len = world_ask(w1, &(struct ask){.name = "www.example.com", .type = RR_A, .payload = 1232});
    answer(&(struct hostile){.what = "W1", .bytes = w1, .len = len, .proto = ANSWER_UDP}, rounds);
    for (size_t i = 0; i < cnt; i++)
        answer(&kinds[i], rounds);
    world_fini(&world);
    return 0;
}
