/* Hashed owner names (RFC 5155): the hash of a name, the label that it becomes, the parameters that an NSEC3PARAM or
 * NSEC3 record gives. SHA-1 from libcrypto, the one algorithm there is (RFC 5155 11). A hasher is made once, by its
 * thread: hashing allocates nothing, so it may stand on the query path. What it costs depends on the zone, not on us:
 * iterations + 1 runs of SHA-1, and RFC 9276 3.1 asks for 0 iterations. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/name.h"

enum {
    NSEC3_SHA1 = 1, /* hash algorithm */
    NSEC3_OPT_OUT = 1, /* flag of an NSEC3 record (RFC 5155 3.1.2.1) */
    NSEC3_HASH_LEN = 20,
    NSEC3_LABEL_LEN = 32, /* characters of base32hex */
    NSEC3_SALT_MAX = 255,
};

struct nsec3_params {
    uint8_t algorithm;
    uint8_t salt_len;
    uint16_t iterations;
    uint8_t salt[NSEC3_SALT_MAX];
};

/* Reads algorithm, flags, iterations and salt, which the rdata of NSEC3PARAM is (RFC 5155 4.2) and that of NSEC3 begins
 * with (3.2). Returns the bytes read; 0: there are fewer. What of `salt` is not used is 0. */
unsigned nsec3_params_read(struct nsec3_params *params, uint8_t *flags, const uint8_t *rdata, unsigned len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
bool nsec3_params_equal(const struct nsec3_params *a, const struct nsec3_params *b) ATTR_NONNULL_ALL ATTR_PURE;

/* One thread at a time. */
struct nsec3_hasher;
void nsec3_hasher_free(struct nsec3_hasher *hasher);
/* NULL: libcrypto refuses SHA-1, by its configuration. */
struct nsec3_hasher *nsec3_hasher_new(void) ATTR_FREED_BY(nsec3_hasher_free) ATTR_MUST_USE;
/* The hash of the name `lower` of `len` bytes, wire form, lower-cased (RFC 5155 5). [query path] */
void nsec3_hash(uint8_t out[NSEC3_HASH_LEN], struct nsec3_hasher *hasher, const uint8_t *lower, unsigned len,
                const struct nsec3_params *params) ATTR_NONNULL_ALL;

/* The first label of the hash's owner name, lower-cased, with its length byte. Base32hex (RFC 4648 7) sorts as the
 * bytes do. [query path] */
void nsec3_label_write(uint8_t label[1 + NSEC3_LABEL_LEN], const uint8_t hash[NSEC3_HASH_LEN]) ATTR_NONNULL_ALL;
/* The hash's owner name in the zone `apex` of `apex_len` bytes (lower-cased, wire form; RFC 5155 3); returns its
 * length, 0: it would be too long, so that the zone can have no NSEC3. [query path] */
unsigned nsec3_owner(uint8_t out[NAME_MAX_LEN], const uint8_t hash[NSEC3_HASH_LEN], const uint8_t *apex,
                     unsigned apex_len) ATTR_NONNULL_ALL;
/* False: the name does not begin with a label that is such a hash (any case). */
bool nsec3_label_read(uint8_t hash[NSEC3_HASH_LEN], const uint8_t *name) ATTR_NONNULL_ALL ATTR_MUST_USE;
