#define OPENSSL_SUPPRESS_DEPRECATED /* SHA1_Init and its like, see below */
#include "dns/nsec3.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dns/name.h"

enum { FIXED_LEN = 5 }; /* algorithm, flags, iterations, length of the salt */

unsigned nsec3_params_read(struct nsec3_params *params, uint8_t *flags, const uint8_t *rdata, unsigned len)
{
    *params = (struct nsec3_params){0};
    *flags = 0;
    if (len < FIXED_LEN || len - FIXED_LEN < rdata[4])
        return 0;
    params->algorithm = rdata[0];
    *flags = rdata[1];
    params->iterations = be16_get(rdata + 2);
    params->salt_len = rdata[4];
    memcpy(params->salt, rdata + FIXED_LEN, params->salt_len);
    return FIXED_LEN + params->salt_len;
}

bool nsec3_params_equal(const struct nsec3_params *a, const struct nsec3_params *b)
{
    return a->algorithm == b->algorithm && a->iterations == b->iterations && a->salt_len == b->salt_len &&
           !memcmp(a->salt, b->salt, a->salt_len);
}

/* SHA1_… count as old for the sake of FIPS alone. EVP's way allocates and frees with each run, which the query path
 * must not, and takes twice as long. */
struct nsec3_hasher {
    SHA_CTX ctx;
};

void nsec3_hasher_free(struct nsec3_hasher *hasher) { free(hasher); }

struct nsec3_hasher *nsec3_hasher_new(void)
{
    struct nsec3_hasher *h = mem_zalloc(1, sizeof(*h));
    if (SHA1_Init(&h->ctx))
        return h;
    free(h);
    return NULL;
}

/* What could be initialised once does not fail. */
static void sha1(uint8_t out[NSEC3_HASH_LEN], struct nsec3_hasher *h, const uint8_t *data, size_t len)
{
    bool ok = SHA1_Init(&h->ctx) && SHA1_Update(&h->ctx, data, len) && SHA1_Final(out, &h->ctx);
    assert(ok);
    (void)ok;
}

/* IH(salt, x, 0) = H(x || salt), IH(salt, x, k) = H(IH(salt, x, k - 1) || salt). */
void nsec3_hash(uint8_t out[NSEC3_HASH_LEN], struct nsec3_hasher *hasher, const uint8_t *lower, unsigned len,
                const struct nsec3_params *params)
{
    uint8_t data[NAME_MAX_LEN + NSEC3_SALT_MAX];
    assert(len <= NAME_MAX_LEN);
    memcpy(data, lower, len);
    memcpy(data + len, params->salt, params->salt_len);
    sha1(out, hasher, data, (size_t)len + params->salt_len);
    if (!params->iterations)
        return;
    memcpy(data + NSEC3_HASH_LEN, params->salt, params->salt_len);
    for (unsigned i = 0; i < params->iterations; i++) {
        memcpy(data, out, NSEC3_HASH_LEN);
        sha1(out, hasher, data, (size_t)NSEC3_HASH_LEN + params->salt_len);
    }
}

/* Five bytes are eight characters, and 20 bytes leave no rest. */
enum { GROUP_BYTES = 5, GROUP_CHARS = 8, GROUPS = NSEC3_HASH_LEN / GROUP_BYTES };

void nsec3_label_write(uint8_t label[1 + NSEC3_LABEL_LEN], const uint8_t hash[NSEC3_HASH_LEN])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t *to = label;
    *to++ = NSEC3_LABEL_LEN;
    for (unsigned group = 0; group < GROUPS; group++) {
        uint64_t bits = 0;
        for (unsigned i = 0; i < GROUP_BYTES; i++)
            bits = bits << 8 | *hash++;
        for (unsigned i = GROUP_CHARS; i-- > 0;)
            *to++ = (uint8_t)digits[bits >> 5 * i & 31];
    }
}

static bool digit_read(uint64_t *bits, uint8_t c)
{
    c = name_lower_byte(c);
    unsigned digit = c >= '0' && c <= '9' ? c - '0' + 0u : c >= 'a' && c <= 'v' ? c - 'a' + 10u : 32;
    *bits = *bits << 5 | (digit & 31);
    return digit < 32;
}

unsigned nsec3_owner(uint8_t out[NAME_MAX_LEN], const uint8_t hash[NSEC3_HASH_LEN], const uint8_t *apex,
                     unsigned apex_len)
{
    enum { LABEL_LEN = 1 + NSEC3_LABEL_LEN };
    if (LABEL_LEN + apex_len > NAME_MAX_LEN)
        return 0;
    nsec3_label_write(out, hash);
    memcpy(out + LABEL_LEN, apex, apex_len);
    return LABEL_LEN + apex_len;
}

bool nsec3_label_read(uint8_t hash[NSEC3_HASH_LEN], const uint8_t *name)
{
    if (*name++ != NSEC3_LABEL_LEN)
        return false;
    for (unsigned group = 0; group < GROUPS; group++) {
        uint64_t bits = 0;
        for (unsigned i = 0; i < GROUP_CHARS; i++)
            if (!digit_read(&bits, *name++))
                return false;
        for (unsigned i = GROUP_BYTES; i-- > 0;)
            *hash++ = (uint8_t)(bits >> 8 * i);
    }
    return true;
}
