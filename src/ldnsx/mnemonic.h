/* Names that rdata has for numbers (IANA's DNSSEC algorithms, DS digests, NSEC3 hashes, KEY protocols and flags, CERT
 * types), in zone text instead of them, as BIND 9.18 reads them. Any thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "ldnsx/lex.h"

/* Each: a number in range or a name, case-insensitive. ERR_RANGE or ERR_NOT_FOUND. */
enum err mnemonic_algorithm(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err mnemonic_digest(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err mnemonic_nsec3_hash(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err mnemonic_cert(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err mnemonic_protocol(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err mnemonic_dsync(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Flags of KEY and DNSKEY: a number (0x too), or names joined with "|" (RFC 2535 7.1). */
enum err mnemonic_key_flags(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A type: its mnemonic, TYPEn, or a bare number. */
enum err mnemonic_type(uint32_t *value, const struct word *word) ATTR_NONNULL_ALL ATTR_MUST_USE;
