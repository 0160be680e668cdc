/* HMAC (RFC 2104) over the hashes of libcrypto, in pieces. A key is prepared once and then only bytes, which all
 * threads may read; a hasher belongs to one thread, or to one stream of messages, and is used again and again.
 *
 * HMAC itself is ours, around libcrypto's EVP_MD: its EVP_MAC keeps the key in a context, so that each thread would
 * need one for every key, made anew at every reload. OpenSSL 3.0 takes a small block from malloc for each of the two
 * runs of a hash that a code needs, EVP_MAC just as well; nothing that is not deprecated there does without. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum hmac_hash { HMAC_MD5, HMAC_SHA1, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, HMAC_HASHES };

enum { HMAC_BLOCK_MAX = 128, HMAC_LEN_MAX = 64 };

/* Secret: to be wiped before its memory goes (hmac_wipe). */
struct hmac_key {
    enum hmac_hash hash;
    uint8_t inner[HMAC_BLOCK_MAX], outer[HMAC_BLOCK_MAX]; /* the padded secret, ready to be hashed first */
};

struct hmac;
void hmac_free(struct hmac *hmac);
struct hmac *hmac_new(void) ATTR_FREED_BY(hmac_free) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* False: libcrypto has no such hash (MD5 under a FIPS configuration); no key with it may then be used here. */
bool hmac_has(const struct hmac *hmac, enum hmac_hash hash) ATTR_NONNULL_ALL ATTR_PURE;

/* Bytes of the hash's output. */
unsigned hmac_len(enum hmac_hash hash);
/* Of a secret of any length; the hasher, between two codes, hashes one that is longer than a block. */
void hmac_key_init(struct hmac_key *key, struct hmac *hmac, enum hmac_hash hash, const uint8_t *secret, size_t len)
    ATTR_NONNULL_ALL;

/* A code is begun, fed and ended; hmac_begin also throws away one that was not ended. `key` must stay until the end. */
void hmac_begin(struct hmac *hmac, const struct hmac_key *key) ATTR_NONNULL_ALL;
void hmac_add(struct hmac *hmac, const void *data, size_t len) ATTR_NONNULL_ALL;
/* Writes hmac_len bytes. */
void hmac_end(struct hmac *hmac, uint8_t out[HMAC_LEN_MAX]) ATTR_NONNULL_ALL;

/* Takes the same time wherever the first difference is. */
bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len) ATTR_NONNULL_ALL;
/* Zeros that no compiler leaves out. */
void hmac_wipe(void *secret, size_t len) ATTR_NONNULL_ALL;
