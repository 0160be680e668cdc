#include "dns/hmac.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c }; /* RFC 2104 section 2 */

static const struct {
    const char *name; /* libcrypto's */
    uint8_t block_len, len;
} hashes[HMAC_HASHES] = {
    [HMAC_MD5] = {"MD5", 64, 16},        [HMAC_SHA1] = {"SHA1", 64, 20},
    [HMAC_SHA224] = {"SHA2-224", 64, 28}, [HMAC_SHA256] = {"SHA2-256", 64, 32},
    [HMAC_SHA384] = {"SHA2-384", 128, 48}, [HMAC_SHA512] = {"SHA2-512", 128, 64},
};

struct hmac {
    const struct hmac_key *key; /* of the code that was begun */
    EVP_MD_CTX *context;        /* of the same: the one for its hash */
    EVP_MD *mds[HMAC_HASHES];   /* NULL: there is none; fetched once, for looking them up costs as much as a hash */
    EVP_MD_CTX *contexts[HMAC_HASHES];
};

void hmac_free(struct hmac *hmac)
{
    if (!hmac)
        return;
    for (unsigned i = 0; i < HMAC_HASHES; i++) {
        EVP_MD_CTX_free(hmac->contexts[i]);
        EVP_MD_free(hmac->mds[i]);
    }
    free(hmac);
}

struct hmac *hmac_new(void)
{
    struct hmac *hmac = mem_zalloc(1, sizeof *hmac);
    for (unsigned i = 0; i < HMAC_HASHES; i++) {
        hmac->mds[i] = EVP_MD_fetch(NULL, hashes[i].name, NULL);
        hmac->contexts[i] = EVP_MD_CTX_new();
        if (!hmac->contexts[i])
            mem_exhausted();
    }
    ERR_clear_error(); /* a hash that is not there is no error */
    return hmac;
}

bool hmac_has(const struct hmac *hmac, enum hmac_hash hash)
{
    return hmac->mds[hash] != NULL;
}

unsigned hmac_len(enum hmac_hash hash)
{
    return hashes[hash].len;
}

/* A hash that was fetched fails only when memory does. */
static void require(int ok)
{
    if (unlikely(!ok))
        mem_exhausted();
}

static void hash_begin(struct hmac *hmac, enum hmac_hash hash)
{
    assert(hmac->mds[hash]);
    hmac->context = hmac->contexts[hash];
    require(EVP_DigestInit_ex(hmac->context, hmac->mds[hash], NULL));
}

void hmac_add(struct hmac *hmac, const void *data, size_t len)
{
    require(EVP_DigestUpdate(hmac->context, data, len));
}

static void hash_end(struct hmac *hmac, uint8_t out[HMAC_LEN_MAX])
{
    require(EVP_DigestFinal_ex(hmac->context, out, NULL));
}

void hmac_key_init(struct hmac_key *key, struct hmac *hmac, enum hmac_hash hash, const uint8_t *secret, size_t len)
{
    uint8_t hashed[HMAC_LEN_MAX];
    unsigned block_len = hashes[hash].block_len;
    *key = (struct hmac_key){.hash = hash};
    if (len > block_len) {
        hash_begin(hmac, hash);
        hmac_add(hmac, secret, len);
        hash_end(hmac, hashed);
        secret = hashed;
        len = hashes[hash].len;
    }
    for (unsigned i = 0; i < block_len; i++) {
        uint8_t byte = i < len ? secret[i] : 0;
        key->inner[i] = byte ^ INNER_PAD;
        key->outer[i] = byte ^ OUTER_PAD;
    }
    hmac_wipe(hashed, sizeof hashed);
}

void hmac_begin(struct hmac *hmac, const struct hmac_key *key)
{
    hmac->key = key;
    hash_begin(hmac, key->hash);
    hmac_add(hmac, key->inner, hashes[key->hash].block_len);
}

void hmac_end(struct hmac *hmac, uint8_t out[HMAC_LEN_MAX])
{
    enum hmac_hash hash = hmac->key->hash;
    hash_end(hmac, out);
    hash_begin(hmac, hash);
    hmac_add(hmac, hmac->key->outer, hashes[hash].block_len);
    hmac_add(hmac, out, hashes[hash].len);
    hash_end(hmac, out);
}

bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void hmac_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
