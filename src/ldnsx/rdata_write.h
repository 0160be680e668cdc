/* Rdata on the wire → zone text: the other way of rdata.h, by the same table of fields. ldns converts APL,
 * HIP, IPSECKEY, LOC and NSAP; its text is read back here and only stands when the same bytes come of it. What is left
 * is written as RFC 3597 has it, "\# 4 c0000201": types that have no text, that BIND 9.18 or ldns 1.8 (Debian's)
 * doesn't know by name, or that nobody writes any more (WKS, NXT, A6, ATMA); what is empty. So whatever reads zone text
 * reads this. Any thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* The most characters that rdata_write gives: a bitmap of all 65,536 types, 8,704 bytes on the wire, takes some 655,000
 * as text, and an APL up to 12 for a byte. */
enum { RDATA_WRITE_MAX = 1000 * 1000 };

/* The rdata, which is valid (rdata.h), as text. Names in it that end in `origin`, byte by byte, are relative to it (a
 * case that differs would be lost); NULL: all are absolute. */
void rdata_write(struct writer *out, uint16_t type, const uint8_t *rdata, unsigned len, const uint8_t *origin)
    ATTR_NONNULL(1, 3);
/* A valid name. */
void rdata_write_name(struct writer *out, const uint8_t *name, const uint8_t *origin) ATTR_NONNULL(1, 2);
/* The type: its mnemonic when BIND and ldns both know it, else "TYPEn". */
void rdata_write_type(struct writer *out, uint16_t type) ATTR_NONNULL_ALL;
void rdata_write_number(struct writer *out, uint32_t value) ATTR_NONNULL_ALL;
