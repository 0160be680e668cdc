/* Keys of TSIG (RFC 8945): a name, an algorithm and a secret that both sides have, and the table in which the name of a
 * request's key is looked up. Both are immutable once made, and read by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "dns/hmac.h"
#include "dns/name.h"

/* RFC 8945 6, table 3; those with a number behind the hash's use only that many bits of it. hmac-md5 and hmac-sha1 are
 * for peers that know nothing better. */
enum tsig_algorithm {
    TSIG_HMAC_MD5, TSIG_HMAC_SHA1, TSIG_HMAC_SHA224, TSIG_HMAC_SHA256, TSIG_HMAC_SHA256_128, TSIG_HMAC_SHA384,
    TSIG_HMAC_SHA384_192, TSIG_HMAC_SHA512, TSIG_HMAC_SHA512_256, TSIG_ALGORITHMS,
};

/* As people write it, "hmac-sha256"; "hmac-md5" stands for hmac-md5.sig-alg.reg.int. */
const char *tsig_algorithm_text(enum tsig_algorithm algorithm) ATTR_MUST_USE;
/* The algorithm's name on the wire, lower-cased. */
const uint8_t *tsig_algorithm_name(enum tsig_algorithm algorithm) ATTR_MUST_USE;
enum hmac_hash tsig_algorithm_hash(enum tsig_algorithm algorithm) ATTR_MUST_USE;
/* Bytes of a whole MAC: the hash's, or those that the truncated algorithm leaves. */
unsigned tsig_algorithm_mac_len(enum tsig_algorithm algorithm) ATTR_MUST_USE;

struct tsig_key {
    enum tsig_algorithm algorithm;
    uint8_t name[NAME_MAX_LEN]; /* lower-cased */
    struct hmac_key hmac;
};

/* `name` is a valid name. */
void tsig_key_init(struct tsig_key *key, const uint8_t *name, enum tsig_algorithm algorithm,
                   const uint8_t *secret, size_t len) ATTR_NONNULL_ALL;
/* True when the key may be used under this lower-cased algorithm name. A key of a truncated algorithm may be under the
 * name of the whole one too: BIND writes "hmac-sha256-128" only in its configuration, and sends hmac-sha256 with 16
 * bytes of MAC. */
bool tsig_key_goes_by(const struct tsig_key *key, const uint8_t *algorithm_name) ATTR_NONNULL_ALL ATTR_PURE;

struct tsig_keys;
/* Wipes the secrets. */
void tsig_keys_free(struct tsig_keys *keys);
/* A table of copies of these keys, no two of which have the same name. */
struct tsig_keys *tsig_keys_new(const struct tsig_key *keys, size_t cnt)
    ATTR_FREED_BY(tsig_keys_free) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
size_t tsig_keys_cnt(const struct tsig_keys *keys) ATTR_NONNULL_ALL ATTR_PURE;
/* One of them (below their count), in no order of use to people. */
const struct tsig_key *tsig_keys_at(const struct tsig_keys *keys, size_t index) ATTR_NONNULL_ALL ATTR_PURE;
/* The key of that lower-cased name; NULL: there is none, as in no table (NULL) at all. */
const struct tsig_key *tsig_keys_find(const struct tsig_keys *keys, const uint8_t *name) ATTR_NONNULL(2) ATTR_PURE;
