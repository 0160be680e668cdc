/* A small world for pool/load.h: servers that get slower the busier they are, resolvers that keep an answer for its
 * TTL and send all their clients there, nameservers that check the servers and step once a TTL, each with a state, a
 * phase and two workers of its own. Seconds of virtual time; the same seed, the same world. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pool/load.h"
#include "pool/table.h"

enum { WORLD_SERVERS = 8, WORLD_RESOLVERS = 300, WORLD_NAMESERVERS = 2, WORLD_WORKERS = 2, WORLD_TTLS = 400 };

struct world_server {
    /* Set before world_start, and while it runs. */
    double capacity; /* requests a second that it can do */
    double base_ms;  /* that an answer takes when nothing else is to do */
    uint32_t weight;
    bool is_mute;       /* it reports nothing */
    uint32_t wish;      /* of a weight or a percentage */
    enum health_load reports;
    /* What comes of it. */
    double arrivals, utilization, response_ms, connections;
};

struct world_nameserver {
    struct pool_load loads[WORLD_SERVERS];
    struct health_measure measures[WORLD_SERVERS];
    struct pool_member members[WORLD_SERVERS];
    struct pool_table *table;
    uint32_t positions[WORLD_WORKERS];
    uint32_t phase_sec;
    unsigned made_cnt; /* tables */
};

struct world_resolver {
    double rate;
    unsigned server;
    uint64_t until_sec;
};

struct world {
    /* Set before world_start. */
    enum pool_policy policy;
    unsigned server_cnt, nameserver_cnt;
    double demand; /* requests a second, together */
    uint32_t ttl_sec, interval_sec;
    double skew;  /* of the resolvers' sizes: the n-th is n^-skew as large as the first */
    bool chases; /* in place of pool/load.h: weights are one by the reports of the moment, at once */
    /* Its own. */
    struct world_server servers[WORLD_SERVERS];
    struct world_nameserver nameservers[WORLD_NAMESERVERS];
    struct world_resolver resolvers[WORLD_RESOLVERS];
    uint64_t now_sec, random;
    /* By TTL: of the weights in effect, over all nameservers; and of each server. */
    unsigned ttl_cnt;
    double share[WORLD_TTLS][WORLD_SERVERS], utilization[WORLD_TTLS][WORLD_SERVERS];
    double apart[WORLD_TTLS]; /* the two nameservers: the largest ratio of their shares of one server */
    double steepest;          /* the largest ratio of a server's shares in two consecutive TTLs at one nameserver */
};

/* Four servers of 100 requests a second, 20 ms and weight 1, half of what they can do as demand, a TTL of 20 s, an
 * interval of 5 s, one nameserver. */
void world_init(struct world *world, enum pool_policy policy, uint64_t seed);
void world_fini(struct world *world);
void world_start(struct world *world);
/* Goes on for so many TTLs. */
void world_run(struct world *world, unsigned ttls);

/* Over the last `ttls`: mean, and the standard deviation and the greatest distance from it as parts of it. */
struct world_band {
    double mean, deviation, widest;
};
struct world_band world_share(const struct world *world, unsigned server, unsigned ttls);
struct world_band world_utilization(const struct world *world, unsigned server, unsigned ttls);
/* The first TTL from `since` on after which no share is farther than `part` of it from its mean over the last
 * `ttls`. */
unsigned world_settled(const struct world *world, unsigned since, unsigned ttls, double part);
