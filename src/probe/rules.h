/* What the group `health` of the configuration says of all checks: how many, how often, and whom. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/opt.h"

struct probe_health_options {
    int64_t checks_max;                  /* 0: as many as descriptors allow */
    int64_t target_rate;                 /* new checks a second to one target */
    struct opt_list probe_allow, probe_deny; /* struct prefix */
};
extern const struct opt_table probe_health_opt_table; /* "health" */

/* Who wrote a member's address down. */
enum probe_origin {
    PROBE_ORIGIN_OPERATOR, /* in the configuration or in a zone file here */
    PROBE_ORIGIN_FOREIGN,  /* somebody else: it came by a host's name, an update or a transfer */
};

enum probe_permission {
    PROBE_MAY,
    PROBE_MAY_NOT_DENIED, /* by probe_deny */
    PROBE_MAY_NOT_LOCAL,  /* this machine or its links, by somebody else's word */
};

/* Immutable. [any] */
struct probe_rules;
void probe_rules_free(struct probe_rules *rules);
struct probe_rules *probe_rules_new(const struct probe_health_options *options)
    ATTR_FREED_BY(probe_rules_free) ATTR_MUST_USE ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* May a check be sent there? Whoever may write a member's address must not be able to have this machine talk to its own
 * services, or to those of its links, by that: loopback, link-local and unspecified addresses of foreign members are
 * not probed. probe_deny is for all members, probe_allow exempts from both. An IPv4 address inside an IPv6 one
 * (::ffff:192.0.2.1, which connects to it) is judged as the former as well. */
enum probe_permission probe_may(const struct probe_rules *rules, const struct addr *address,
                                enum probe_origin origin) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Why not, in words of a reason. */
const char *probe_permission_text(enum probe_permission permission);
/* So far apart are the starts of one target's checks at least. */
uint32_t probe_start_gap_ms(const struct probe_health_options *options) ATTR_NONNULL_ALL;
