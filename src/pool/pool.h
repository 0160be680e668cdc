/* A pool's settings and members, and which of them are to be used: the pipeline alive → near → tier of DESIGN ("A pool
 * is a pipeline"). Pure functions over plain values; one family at a time. No names, no I/O, no clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "health/health.h"

enum { POOL_MEMBERS_MAX = 1024, POOL_ANSWERS_MAX = 16, POOL_WEIGHT_MAX = 65535, POOL_SLOTS_MAX = 4096 };

/* A part of a whole as decimals of up to 15 digits, which are exact in it; the number of members times it fits 64
 * bits. */
#define POOL_MIN_UP_ONE UINT64_C(1000000000000000)

enum pool_policy {
    POOL_ROUND_ROBIN,
    POOL_WEIGHTED,
    POOL_RANDOM,
    POOL_HASH,
    POOL_FASTEST, /* and those that follow: weighted by what pool/load.h makes of reports */
    POOL_LEAST_CONNECTIONS,
    POOL_LEAST_LOAD,
    POOL_POLICY_CNT
};
enum pool_all_down { POOL_SERVE_ALL, POOL_SERVE_NONE, POOL_SERVFAIL, POOL_FALLBACK };

/* Parts of the answers are as fine as this. */
enum { POOL_TRICKLE_ONE = 1000000 };

struct pool_settings {
    enum pool_policy policy;
    enum pool_all_down all_down;
    uint16_t answers; /* 1..16 */
    uint64_t min_up;  /* 0..POOL_MIN_UP_ONE */
    uint32_t tier;    /* to be answered from, or the next of a higher number in which anybody is live; 0: the first good
                         one. For pools that stay on a tier, or go by both families */
    uint32_t trickle; /* the part of the answers, of POOL_TRICKLE_ONE, for the next tier; heeded by policies that make a
                         schedule of weights */
    uint32_t turn;    /* which members of a next tier that are too many for that have it now; any number */
    uint32_t ttl_sec; /* already cut to the record's TTL */
    uint32_t ttl_min_sec;
    uint8_t hash_prefix4, hash_prefix6; /* bits of the client's address that make the key: 32, 56 */
    uint64_t seed;                      /* of the hash policy: from the owner's name, equal on all nameservers */
    uint16_t site;                      /* the clients': its members go before all others; 0: of no site, all alike */
};

/* Weights are taken off in parts of this. */
enum { POOL_PART_BITS = 16, POOL_PART_ONE = 1 << POOL_PART_BITS };

struct pool_member {
    struct addr address; /* port 0; members of a pool are distinct and in canonical order (addr_cmp) */
    uint32_t weight;     /* 0: drained */
    uint32_t withheld;   /* that part of the weight, below POOL_PART_ONE: by load, a slow start, a host's addresses */
    uint32_t tier;       /* 1 first */
    enum health_verdict verdict;
    enum health_verdict forced; /* by an operator: counts in place of the verdict; HEALTH_UNKNOWN: it is not */
    bool unsettled;             /* between its first contrary check and its verdict */
    bool probed;                /* false: always up */
    uint16_t site;              /* number of its site, 0: none */
};
/* What it counts as. */
static inline enum health_verdict pool_member_verdict(const struct pool_member *member)
{
    if (member->forced != HEALTH_UNKNOWN)
        return member->forced;
    return member->probed ? member->verdict : HEALTH_UP;
}

enum pool_state {
    POOL_LIVE,        /* members of one tier, at least one of them live */
    POOL_ALL_DOWN,    /* no live member: all_down decides */
    POOL_ALL_DRAINED, /* every member has weight 0: drains are ignored, weight 1 each */
    POOL_EMPTY,       /* no members at all */
};

/* What is to be used. */
struct pool_choice {
    enum pool_state state;
    uint32_t tier;    /* the chosen one */
    bool unsettled;   /* some used member is unsettled: ttl_min applies */
    bool unknown;     /* some used member has no verdict: it counts as live as no other of its tier is */
    bool all_drained; /* every member has weight 0, drains were ignored; also told when the state is POOL_ALL_DOWN */
    uint16_t site;    /* only members of this one were chosen from; 0: from all */
    unsigned cnt, own_cnt;             /* the first own_cnt are the tier's; behind them those of trickle_tier */
    uint32_t trickle_tier;             /* the next with an up member, which has a part of the answers; 0: none */
    uint16_t member[POOL_MEMBERS_MAX]; /* indices, ascending within a tier */
    uint32_t weight[POOL_MEMBERS_MAX]; /* > 0, at most POOL_WEIGHT_MAX, what is withheld taken off; round_robin: 1 */
};

/* Runs the pipeline. For clients of a site its own members alone go through tier and min_up, as if there were no
 * others, provided that one of them is live; who is live is the same for all clients. Else, and when no member at all
 * has the site, all members do. What is written of drains and of all_down goes for the pool: a site whose members are
 * all drained has none, and with serve_all its members stand for the others once nobody at all is live.
 *
 * With POOL_ALL_DOWN and serve_all, the choice holds every undrained member of the first tier as if all were up; with
 * the others it is empty (cnt 0) and the table says what to do. */
void pool_choose(struct pool_choice *choice, const struct pool_settings *settings, const struct pool_member *members,
                 size_t cnt) ATTR_NONNULL(1, 2);
/* A member counts as live in its tier: up, or unknown while its tier has no up member that is to be used. Never a
 * drained one, unless all are drained and drains are ignored. */
bool pool_member_live(const struct pool_member *members, size_t cnt, size_t index) ATTR_NONNULL_ALL;
