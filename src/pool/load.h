/* Reports become weights: what fastest, least_connections and least_load make of response times, utilizations,
 * connections and wishes. Pure: values in, values out; the caller has the clock, and calls once a TTL. Any thread.
 *
 * Design note. What is steered are shares of answers; what is felt are clients, who come with what a resolver has kept
 * for a TTL. So a report tells of shares that were given one to two TTLs ago: a loop with dead time. In such a loop
 * whoever sends everybody to the least loaded server makes a herd (M. Mitzenmacher, "How useful is old information?",
 * IEEE TPDS 11(1), 2000), and a gain k a TTL with a dead time of d TTLs swings for ever from k = 2·sin(π/(4d + 2)) on:
 * 1 at d = 1, 0.6 at d = 2, 0.45 at d = 3. Big resolvers add noise: with sizes of a Zipf law, the clients of a server
 * with a quarter of the answers vary by a third from TTL to TTL although nothing is wrong. Hence:
 *
 *  - A member has a *factor* on its configured weight, 1 at first. A TTL moves it a part of the way (POOL_LOAD_GAIN, a
 *    quarter, in the logarithm), at most so far that no share of answers changes by more than ×1.25 or ÷1.25: the
 *    moves of all are cut in proportion, so the sum of two bounded moves is bounded too.
 *  - How steep a server's curve is, nobody knows: a queue's length goes with 1/(1 − ρ), ten times as steep at ρ = 0.9
 *    as when idle, and a gain that is good for one swings with the other. So each member's greatest step halves when
 *    it would turn back, and grows by a quarter for each TTL that it has gone one way for more than six. A swing's half
 *    period is about twice the dead time, five to eight TTLs, so it dies out whatever the curve; noise has no direction
 *    and makes small steps; a real change has one, and gets the full step back. (A least part of the way, whatever was
 *    learned, was tried: a 32nd already brings the noise back.)
 *  - Utilizations and connections steer by integrating: factor × (mean ÷ own), whose rest is where all are equal. The
 *    static map, weight = configured × (1 − u), would rest where nobody is equal, and one by connections + 1 at the
 *    square root of the right ratio. Where a report is low as there is nothing to do, its logarithm is noise: below 5 %
 *    of utilization are 5 %, and connections are one more.
 *  - An integrator alone would let two nameservers wander apart: what one takes from a server the other adds, and the
 *    reports, which know their sum only, stay as they are. So the factor is drawn to 1 by a sixteenth of its logarithm.
 *    The price is that at rest a member at four times its configured weight is 9 % busier than the mean.
 *  - Response times map: factor ∝ 1 ÷ time, smoothed by the prober (health/measure.h). Integrating would be wrong: a
 *    server that is farther away stays so whatever it is given, and would fall to the floor. The curve's own feedback
 *    (less is faster) then only flattens what is asked for.
 *  - A wish (a weight, an agent's percentage) is no loop of ours: half the way a TTL, the same bounds.
 *  - No move below 5 % of difference; and what is in effect changes only when it would by 3 %: a table is made only
 *    when it is worth it. Weights are rounded to whole quanta, which keeps tables small.
 *  - Nobody falls below POOL_LOAD_FLOOR of its configured share: one that gets nobody would report nothing, and never
 *    come back.
 *  - Who is not in the answers, or has no fresh report, is not steered: its factor goes back to 1 by the same bounded
 *    steps, so its weight to the configured one. Who has just come into use is idle as the caches do not know it yet:
 *    its first POOL_LOAD_BLIND reports are not believed (gRFC A58's blackout period, which see also for expiry).
 *
 * Mixed kinds: those who report the same kind share the sum of their configured weights among them, and who reports
 * nothing keeps its own; so a kind can't be measured against another. A percentage is one of the configured weight. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/measure.h"
#include "pool/pool.h"

#define POOL_LOAD_GAIN 0.25
#define POOL_LOAD_WISH_GAIN 0.5
#define POOL_LOAD_STEP 1.25
#define POOL_LOAD_FLOOR 0.05
enum { POOL_LOAD_BLIND = 2 };

static inline bool pool_policy_has_load(enum pool_policy policy)
{
    return policy == POOL_FASTEST || policy == POOL_LEAST_CONNECTIONS || policy == POOL_LEAST_LOAD;
}

/* What is remembered of a member. All 0 is one of whom nothing is known. */
struct pool_load {
    float log_factor;
    float log_step;    /* the greatest; 0: not moved yet */
    int8_t direction;  /* of the last move; 0: none */
    uint8_t run;       /* moves in that direction, one after the other */
    uint8_t seen;      /* reports since it came into use, up to POOL_LOAD_BLIND */
    uint32_t withheld; /* in effect: the result, a part below POOL_PART_ONE */
    uint64_t heard_ms; /* when the report came that it last went by */
};

/* What is reported of a member now. */
enum pool_load_kind {
    POOL_LOAD_NONE,
    POOL_LOAD_TIME, /* in any unit */
    POOL_LOAD_UTILIZATION, /* 65536: all of it */
    POOL_LOAD_CONNECTIONS,
    POOL_LOAD_WEIGHT,
    POOL_LOAD_PERCENT,
    POOL_LOAD_KIND_CNT
};
struct pool_load_report {
    enum pool_load_kind kind;
    uint32_t value;
    uint64_t when_ms; /* that it came; nothing goes by the same report twice */
};

struct pool_load_member {
    struct pool_load load; /* in and out */
    struct pool_load_report report;
    uint32_t weight; /* configured */
    bool used;       /* in the answers */
};

/* What counts of a measurement for the policy: a report that is older than `stale_ms` doesn't. */
struct pool_load_report pool_load_read(enum pool_policy policy, const struct health_measure *measure,
                                       uint64_t now_wall_ms, uint64_t stale_ms) ATTR_NONNULL_ALL;
/* A TTL has passed: moves the factors of `cnt` members (at most POOL_MEMBERS_MAX). True: somebody's `withheld` is
 * another one. */
bool pool_load_step(struct pool_load_member *members, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The weight as a factor of the configured one, 1 at first; for people. */
double pool_load_factor(const struct pool_load *load) ATTR_NONNULL_ALL;
