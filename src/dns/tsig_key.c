#include "dns/tsig_key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    const char *text;
    const char *name;
    enum hmac_hash hash;
    uint8_t mac_len;
    enum tsig_algorithm whole; /* the algorithm whose MAC this one cuts; itself when it doesn't */
} algorithms[TSIG_ALGORITHMS] = {
    [TSIG_HMAC_MD5] = {"hmac-md5", "\10hmac-md5\7sig-alg\3reg\3int", HMAC_MD5, 16, TSIG_HMAC_MD5},
    [TSIG_HMAC_SHA1] = {"hmac-sha1", "\11hmac-sha1", HMAC_SHA1, 20, TSIG_HMAC_SHA1},
    [TSIG_HMAC_SHA224] = {"hmac-sha224", "\13hmac-sha224", HMAC_SHA224, 28, TSIG_HMAC_SHA224},
    [TSIG_HMAC_SHA256] = {"hmac-sha256", "\13hmac-sha256", HMAC_SHA256, 32, TSIG_HMAC_SHA256},
    [TSIG_HMAC_SHA256_128] = {"hmac-sha256-128", "\17hmac-sha256-128", HMAC_SHA256, 16, TSIG_HMAC_SHA256},
    [TSIG_HMAC_SHA384] = {"hmac-sha384", "\13hmac-sha384", HMAC_SHA384, 48, TSIG_HMAC_SHA384},
    [TSIG_HMAC_SHA384_192] = {"hmac-sha384-192", "\17hmac-sha384-192", HMAC_SHA384, 24, TSIG_HMAC_SHA384},
    [TSIG_HMAC_SHA512] = {"hmac-sha512", "\13hmac-sha512", HMAC_SHA512, 64, TSIG_HMAC_SHA512},
    [TSIG_HMAC_SHA512_256] = {"hmac-sha512-256", "\17hmac-sha512-256", HMAC_SHA512, 32, TSIG_HMAC_SHA512},
};

const char *tsig_algorithm_text(enum tsig_algorithm algorithm)
{
    return algorithms[algorithm].text;
}

const uint8_t *tsig_algorithm_name(enum tsig_algorithm algorithm)
{
    return (const uint8_t *)algorithms[algorithm].name;
}

enum hmac_hash tsig_algorithm_hash(enum tsig_algorithm algorithm)
{
    return algorithms[algorithm].hash;
}

unsigned tsig_algorithm_mac_len(enum tsig_algorithm algorithm)
{
    return algorithms[algorithm].mac_len;
}

void tsig_key_init(struct tsig_key *key, const uint8_t *name, enum tsig_algorithm algorithm,
                   const uint8_t *secret, size_t len)
{
    memset(key->name, 0, sizeof key->name);
    name_to_lower(key->name, name);
    key->algorithm = algorithm;
    hmac_key_init(&key->hmac, algorithms[algorithm].hash, secret, len);
}

bool tsig_key_goes_by(const struct tsig_key *key, const uint8_t *algorithm_name)
{
    return name_equal(algorithm_name, tsig_algorithm_name(key->algorithm)) ||
           name_equal(algorithm_name, tsig_algorithm_name(algorithms[key->algorithm].whole));
}

/* ---- the table: sorted, for there are few keys and many look-ups */

struct tsig_keys {
    size_t cnt;
    struct tsig_key keys[];
};

/* Any order will do, over lower-cased names. */
static int compare_name(const void *name, const void *key)
{
    const uint8_t *a = name, *b = ((const struct tsig_key *)key)->name;
    unsigned a_len = name_len(a), b_len = name_len(b);
    return a_len != b_len ? (a_len > b_len) - (a_len < b_len) : memcmp(a, b, a_len);
}

static int compare(const void *a, const void *b)
{
    return compare_name(((const struct tsig_key *)a)->name, b);
}

void tsig_keys_free(struct tsig_keys *keys)
{
    if (!keys)
        return;
    hmac_wipe(keys->keys, keys->cnt * sizeof *keys->keys);
    free(keys);
}

struct tsig_keys *tsig_keys_new(const struct tsig_key *keys, size_t cnt)
{
    size_t bytes;
    if (__builtin_mul_overflow(cnt, sizeof *keys, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct tsig_keys), &bytes))
        mem_exhausted();
    struct tsig_keys *table = mem_zalloc(1, bytes);
    table->cnt = cnt;
    for (size_t i = 0; i < cnt; i++)
        table->keys[i] = keys[i];
    qsort(table->keys, cnt, sizeof *table->keys, compare);
    for (size_t i = 1; i < cnt; i++)
        assert(compare(&table->keys[i - 1], &table->keys[i]) != 0);
    return table;
}

size_t tsig_keys_cnt(const struct tsig_keys *keys)
{
    return keys->cnt;
}

const struct tsig_key *tsig_keys_at(const struct tsig_keys *keys, size_t index)
{
    assert(index < keys->cnt);
    return &keys->keys[index];
}

const struct tsig_key *tsig_keys_find(const struct tsig_keys *keys, const uint8_t *name)
{
    return keys ? bsearch(name, keys->keys, keys->cnt, sizeof *keys->keys, compare_name) : NULL;
}
