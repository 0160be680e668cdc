/* What a zone must be for a dynamic update to be kept: what the load of its text (zone/check.c) calls an error must not
 * come in this way either. Those rules that the rules of an update do not see to already: name servers of the apex have
 * their addresses, rrsets fit in a message, and what the apex says of DNSSEC makes sense. What is a warning there is
 * none of an update's business. One thread at a time. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "sync/update_state.h"

/* Why a record must not be added at all, whatever the zone; NULL: it may. Records that a signer makes (RRSIG, NSEC,
 * NSEC3, and their forebears SIG and NXT), which would make a zone half signed, and no update could mend that; DS at
 * the apex, NS at a wildcard (RFC 4592 4.2). Static sentences, here and below. */
const char *update_sound_refuses(const struct update_state *state, const struct rr *rr) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* How many NS records of the apex point to a name of the zone that has no address, and is not delegated. */
unsigned update_sound_lame_cnt(struct update_state *state) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Why the step under way must not be kept; NULL: it may. *lame_cnt is what update_sound_lame_cnt said before it, and
 * what it says now when the step may be kept: more must not become of it, but a zone that has some is not stuck. */
const char *update_sound_step(struct update_state *state, unsigned *lame_cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;
