/* Private to rdata_write*.c: parts of rdata as text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/buf.h"
#include "ldnsx/rdata_write.h"

/* In quotes, escaped (RFC 1035 5.1). */
void rdata_write_quoted(struct writer *out, const uint8_t *bytes, unsigned len) ATTR_NONNULL_ALL;
void rdata_write_base64(struct writer *out, const uint8_t *bytes, unsigned len) ATTR_NONNULL_ALL;

/* SVCB's and HTTPS's parameters, to the end of `r`, each behind a space. False: they have no text that all readers take
 * (something is written then). */
bool rdata_write_params(struct writer *out, struct reader *r) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The rdata of a type that ldns converts; names are absolute. False, and nothing is written: it does not give text that
 * reads back. */
bool rdata_write_by_ldns(struct writer *out, uint16_t type, const uint8_t *rdata, unsigned len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
