#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its like, see below */
#include "dns/hmac.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c }; /* RFC 2104 section 2 */

/* SHA256_… count as old for the sake of FIPS alone. EVP allocates and frees with each run of a hash, which the query
 * path must not; so does EVP_MAC, which also keeps its key where every thread would need one of its own. And only so a
 * key can be prepared as far as half of the hashing of a short message. */
struct hash {
    unsigned block_len, len;
    int (*begin)(void *state);
    int (*add)(void *state, const void *data, size_t len);
    int (*end)(uint8_t *out, void *state);
};

/* One of libcrypto's hashes, whose functions begin with `prefix`, behind those of struct hash. */
#define DEFINE_HASH(prefix, context) \
    static int prefix##_begin(void *state) { return prefix##_Init(state); } \
    static int prefix##_add(void *state, const void *data, size_t len) { return prefix##_Update(state, data, len); } \
    static int prefix##_end(uint8_t *out, void *state) { return prefix##_Final(out, state); } \
    _Static_assert(sizeof(context) <= sizeof(struct hmac_state), "it fits")
#define HASH(prefix, block_len, len) {block_len, len, prefix##_begin, prefix##_add, prefix##_end}

DEFINE_HASH(MD5, MD5_CTX);
DEFINE_HASH(SHA1, SHA_CTX);
DEFINE_HASH(SHA224, SHA256_CTX);
DEFINE_HASH(SHA256, SHA256_CTX);
DEFINE_HASH(SHA384, SHA512_CTX);
DEFINE_HASH(SHA512, SHA512_CTX);

static const struct hash hashes[HMAC_HASHES] = {
    [HMAC_MD5] = HASH(MD5, MD5_CBLOCK, MD5_DIGEST_LENGTH),
    [HMAC_SHA1] = HASH(SHA1, SHA_CBLOCK, SHA_DIGEST_LENGTH),
    [HMAC_SHA224] = HASH(SHA224, SHA256_CBLOCK, SHA224_DIGEST_LENGTH),
    [HMAC_SHA256] = HASH(SHA256, SHA256_CBLOCK, SHA256_DIGEST_LENGTH),
    [HMAC_SHA384] = HASH(SHA384, SHA512_CBLOCK, SHA384_DIGEST_LENGTH),
    [HMAC_SHA512] = HASH(SHA512, SHA512_CBLOCK, SHA512_DIGEST_LENGTH),
};

/* They have no way to fail. */
static void require(int ok)
{
    assert(ok);
    (void)ok;
}

unsigned hmac_len(enum hmac_hash hash)
{
    return hashes[hash].len;
}

/* The hash of a block of the secret, each byte of it mixed with `pad`. */
static void take_pad(struct hmac_state *state, const struct hash *hash, const uint8_t *secret, size_t len, uint8_t pad)
{
    uint8_t block[SHA512_CBLOCK];
    for (unsigned i = 0; i < hash->block_len; i++)
        block[i] = (i < len ? secret[i] : 0) ^ pad;
    require(hash->begin(state) && hash->add(state, block, hash->block_len));
    hmac_wipe(block, sizeof block);
}

void hmac_key_init(struct hmac_key *key, enum hmac_hash which, const uint8_t *secret, size_t len)
{
    const struct hash *hash = &hashes[which];
    uint8_t hashed[HMAC_LEN_MAX];
    *key = (struct hmac_key){.hash = which};
    if (len > hash->block_len) {
        require(hash->begin(&key->inner) && hash->add(&key->inner, secret, len) && hash->end(hashed, &key->inner));
        secret = hashed;
        len = hash->len;
    }
    take_pad(&key->inner, hash, secret, len, INNER_PAD);
    take_pad(&key->outer, hash, secret, len, OUTER_PAD);
    hmac_wipe(hashed, sizeof hashed);
}

void hmac_begin(struct hmac *hmac, const struct hmac_key *key)
{
    hmac->key = key;
    hmac->inner = key->inner;
}

void hmac_add(struct hmac *hmac, const void *data, size_t len)
{
    require(hashes[hmac->key->hash].add(&hmac->inner, data, len));
}

void hmac_end(struct hmac *hmac, uint8_t out[HMAC_LEN_MAX])
{
    const struct hash *hash = &hashes[hmac->key->hash];
    struct hmac_state outer = hmac->key->outer;
    require(hash->end(out, &hmac->inner) && hash->add(&outer, out, hash->len) && hash->end(out, &outer));
}

bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void hmac_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}
