/* The data of a record as zone files write it, for expectations: A, AAAA, the types that are one name (NS, CNAME, PTR,
 * DNAME), MX, SRV, SOA and TXT; any other type as RFC 3597 has it, "\# 4 c0000201". Names are whole, with the final
 * dot. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* A record of 64 KiB may be longer as text: what is beyond is not there. */
enum { RDATA_TEXT_MAX = 4096 };

/* The data at `message`, which is over the whole message, as names there may be compressed; its length, and always
 * terminated. Malformed data is as RFC 3597 has it, too. */
size_t rdata_text(char out[RDATA_TEXT_MAX], const struct reader *message, uint16_t type,
                  uint16_t rdata_len) ATTR_NONNULL_ALL;
