/* What BIND's check-names looks at in a primary zone: owners and names in rdata that are to be host names (RFC 952, RFC
 * 1123 2.1) or mailboxes. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/rr.h"

/* Letters, digits and inner hyphens in every label; the root is one. */
bool hostname_valid(const uint8_t *name) ATTR_NONNULL_ALL ATTR_PURE;
/* The first label may hold any visible ASCII, the others as in a host name. */
bool hostname_valid_mailbox(const uint8_t *name) ATTR_NONNULL_ALL ATTR_PURE;
/* Owners of A, AAAA, A6, MX, WKS ("*" may begin them; SPF's and Active Directory's special names are fine), MB and MG.
 */
bool hostname_owner_ok(const struct rr *rr) ATTR_NONNULL_ALL;
/* The first name in the rdata that breaks its rule; NULL: none. The rdata is valid. */
const uint8_t *hostname_bad_rdata(const struct rr *rr) ATTR_NONNULL_ALL;
/* "*" as a label, but not as the first: it stands for itself only (RFC 4592 2.1.1), mostly by mistake. */
bool hostname_inner_wildcard(const uint8_t *name) ATTR_NONNULL_ALL ATTR_PURE;
