/* What rdata are equal, and their order: the canonical form of RFC 4034 6.2 (as RFC 6840 5.1 corrects it: NSEC's name
 * is not lower-cased), compared as 6.3 says. No memory owned. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* <0, 0, >0. Names in the rdata of the RFC's types compare without regard to
 * case; malformed rdata compares as bytes. */
int rdata_cmp(uint16_t type, const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
    ATTR_NONNULL_ALL ATTR_PURE;
/* Records of the type with these rdata are of one rrset, hence of one TTL: all, but RRSIG and SIG only when they cover
 * the same type (RFC 4034 3). In canonical order those stand together. */
bool rdata_same_rrset(uint16_t type, const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
    ATTR_NONNULL_ALL ATTR_PURE;
