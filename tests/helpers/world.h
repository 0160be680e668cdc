/* Zones, a worker, and queries as bytes: the query path without a socket, for tests, fuzzers and benchmarks.
 * Whatever is wrong with what they give it ends the process with a message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/addr.h"

enum { WORLD_ZONES_MAX = 16, WORLD_IDLE_100MS = 123 /* of TCP */ };

struct world {
    struct answer_shared shared;
    struct answer_settings settings;
    struct zone *zones[WORLD_ZONES_MAX];
    size_t zone_cnt;
    struct answer_worker *worker;
    struct addr client; /* who asks: 192.0.2.200, until a test changes it */
};

void world_init(struct world *world, uint16_t udp_payload);
void world_fini(struct world *world);
/* Zones are not checked as a server's are (zone_records_check): odd ones are wanted here.
 *
 * Zone text without the SOA and NS of the apex, which are put before it: "@ 3600 SOA ns1 host 1 7200 3600 604800
 * 300", "@ 3600 NS ns1", $TTL 60. NULL: a zone that could not be loaded. */
void world_add(struct world *world, const char *apex, const char *text);
/* The same, but `text` has everything. */
void world_add_whole(struct world *world, const char *apex, const char *text, size_t len);
/* After the last zone. */
void world_start(struct world *world);

/* One question. */
struct ask {
    const char *name;
    uint16_t type;
    uint16_t class;   /* 0: IN */
    uint16_t flags;   /* of the header */
    uint16_t payload; /* of an OPT, 0: none */
    bool dnssec_ok;
};
/* Its bytes; returns how many. */
size_t world_ask(uint8_t out[512], const struct ask *ask);
/* Answers one request; returns the answer's length, 0: none. `out_cap` as in struct answer_packet. */
size_t world_answer(struct world *world, uint8_t *out, size_t out_cap, const uint8_t *in, size_t in_len,
    enum answer_proto proto);
