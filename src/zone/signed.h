/* What makes a version a signed one (RFC 4033 to 4035, 5155), whoever signed it, and the chain that its negative
 * answers are proven by. Signed is a zone whose apex has DNSKEY and RRSIG records and
 *   - an NSEC3PARAM record with flags 0 and algorithm 1 (RFC 5155 4.1.2, 7.3) whose chain has the record that matches
 *     the apex; of several the first in canonical order. A signer takes an NSEC3PARAM into the zone when its chain is
 *     complete, so with one of these the chain is used even beside NSEC records;
 *   - or an NSEC record.
 * A zone with neither is served as an unsigned one, as BIND does.
 *
 * An NSEC3 chain of more than ZONE_NSEC3_ITERATIONS_MAX additional iterations is not used: a negative answer takes
 * three hashes, at that bound 0.1 ms on a processor with instructions for SHA-1 and 0.2 ms on one without (with a salt
 * of 255 bytes, five blocks instead of one, 0.4 and 0.9 ms), and a few thousand questions a second would take all there
 * is. RFC 5155 10.3 allows keys of up to 2048 bits no more, and no resolver takes such answers for secure (RFC 9276
 * 3.2; BIND, Unbound and Knot Resolver stop at 50 to 150). The zone is signed all the same; its negative answers just
 * prove nothing.
 * Below the bound a chain is served whatever resolvers make of it: with it they find the zone insecure, without it they
 * would find it bogus. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/name.h"
#include "dns/nsec3.h"
#include "zone/node.h"
#include "zone/order.h"

struct zone_version;

enum { ZONE_NSEC3_ITERATIONS_MAX = 500 };

/* "no", "nsec" or "nsec3": how the version is signed. */
const char *zone_signed_kind(const struct zone_version *version) ATTR_NONNULL_ALL;
/* The owner that the NSEC or NSEC3 record of `node`, which is in the version's list, names as the next one, in any
 * case; false: the record is malformed. */
bool zone_signed_next(uint8_t out[NAME_MAX_LEN], const struct zone_version *version, const struct zone_node *node)
    ATTR_NONNULL_ALL ATTR_MUST_USE;

/* For zone/build.c and zone/apply.c: the signed state of one version while it is made. */
struct zone_signed_edit {
    struct zone_version *version;
    const struct zone_version *base;    /* whose nodes the version shares; NULL: none */
    struct zone_order_change *changes;  /* of the list that the base has */
    size_t cnt, cap;
    bool has_nsec3; /* the chain in use is NSEC3's */
    bool has_nsec;
};
void zone_signed_begin(struct zone_signed_edit *edit, struct zone_version *version, const struct zone_version *base)
    ATTR_NONNULL(1, 2);
/* `made` (NULL: nothing) stands where `old` (NULL: nothing) stood. */
void zone_signed_replaced(struct zone_signed_edit *edit, const struct zone_node *old, const struct zone_node *made)
    ATTR_NONNULL(1);
/* All nodes are in place in the trie `root`, the version's apex is the new one: decides is_signed and the chain. */
void zone_signed_choose(struct zone_signed_edit *edit, uint64_t root) ATTR_NONNULL(1);
/* Nothing changes any more and the version has its root: makes its lists. */
void zone_signed_end(struct zone_signed_edit *edit) ATTR_NONNULL_ALL;
