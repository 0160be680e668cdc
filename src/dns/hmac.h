/* HMAC (RFC 2104) over MD5, SHA-1 and the SHA-2s of libcrypto, in pieces. Plain bytes: a key is prepared once, and read
 * by all threads then; a code that is being made stands where its user wants it, and may be left or copied at any time.
 * Nothing is allocated. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum hmac_hash { HMAC_MD5, HMAC_SHA1, HMAC_SHA224, HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, HMAC_HASHES };

enum { HMAC_LEN_MAX = 64 };

/* A hash on its way: what libcrypto has for the one of them that needs most. */
struct hmac_state {
    uint64_t words[27];
};

/* Secret: to be wiped before its memory goes (hmac_wipe). */
struct hmac_key {
    enum hmac_hash hash;
    struct hmac_state inner, outer; /* the hash having taken the padded secret */
};

/* A code on its way. */
struct hmac {
    const struct hmac_key *key; /* borrowed until the end */
    struct hmac_state inner;
};

/* Bytes of the hash's output. */
unsigned hmac_len(enum hmac_hash hash);
/* Of a secret of any length. */
void hmac_key_init(struct hmac_key *key, enum hmac_hash hash, const uint8_t *secret, size_t len) ATTR_NONNULL_ALL;

void hmac_begin(struct hmac *hmac, const struct hmac_key *key) ATTR_NONNULL_ALL;
void hmac_add(struct hmac *hmac, const void *data, size_t len) ATTR_NONNULL_ALL;
/* Writes hmac_len bytes. */
void hmac_end(struct hmac *hmac, uint8_t out[HMAC_LEN_MAX]) ATTR_NONNULL_ALL;

/* Takes the same time wherever the first difference is. */
bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len) ATTR_NONNULL_ALL;
/* Zeros that no compiler leaves out. */
void hmac_wipe(void *secret, size_t len) ATTR_NONNULL_ALL;
