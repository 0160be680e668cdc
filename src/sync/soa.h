/* A zone's SOA as numbers, and as a record. Values, no memory owned. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "zone/version.h"

struct soa {
    uint32_t serial;
    uint32_t refresh_sec, retry_sec, expire_sec, minimum_sec; /* as they stand there, however absurd */
};

/* Of a SOA's rdata, its names uncompressed. ERR_SYNTAX: it is none (RFC 1035 3.3.13). */
enum err soa_read(struct soa *soa, const uint8_t *rdata, unsigned len) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The same where it stands in a message, its names compressed or not: `r` is over the whole message, at the rdata, and
 * ends where that ends. False: it is none. */
bool soa_read_msg(struct soa *soa, struct reader *r) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* The SOA record of a version with all that it points to. */
struct soa_record {
    struct rr rr;
    uint8_t owner[NAME_MAX_LEN];
    uint8_t rdata[2 * NAME_MAX_LEN + 20];
};
/* Copied out of the version. [snapshot] */
void soa_of_version(struct soa_record *record, const struct zone_version *version) ATTR_NONNULL_ALL;
