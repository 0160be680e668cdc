#include "answer/cookie.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/random.h"

enum {
    VERSION = 1,
    /* Where it stands in the option: behind the client's cookie. */
    VERSION_AT = COOKIE_CLIENT_LEN,
    TIME_AT = VERSION_AT + 4,
    HASH_AT = TIME_AT + 4,
    HASH_LEN = COOKIE_LEN - HASH_AT,
};
_Static_assert(HASH_LEN == crypto_shorthash_siphash24_BYTES, "RFC 9018 4.4");
_Static_assert(COOKIE_SECRET_LEN == crypto_shorthash_siphash24_KEYBYTES, "RFC 9018 4.4");

static bool digit_value(unsigned *value, char digit)
{
    if (digit >= '0' && digit <= '9')
        *value = (unsigned)(digit - '0');
    else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
        *value = (unsigned)((digit | 0x20) - 'a') + 10;
    else
        return false;
    return true;
}

enum err cookie_secret_from_text(struct cookie_secret *secret, const char *text)
{
    if (strlen(text) != 2 * COOKIE_SECRET_LEN)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < COOKIE_SECRET_LEN; i++) {
        unsigned high, low;
        if (!digit_value(&high, text[2 * i]) || !digit_value(&low, text[2 * i + 1]))
            return ERR_SYNTAX;
        secret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return ERR_OK;
}

void cookie_secrets_random(struct cookie_secrets *secrets)
{
    *secrets = (struct cookie_secrets){.cnt = 1};
    random_bytes(&secrets->secrets[0], sizeof secrets->secrets[0]);
}

/* What is hashed (RFC 9018 4.4): the option up to the hash as it stands there, the reserved bytes too, and the client's
 * address. */
struct hashed {
    uint8_t bytes[HASH_AT + sizeof ((struct addr *)0)->bytes];
    unsigned len;
};

static void take_hashed(struct hashed *hashed, const uint8_t *option, const struct addr *client)
{
    memcpy(hashed->bytes, option, HASH_AT);
    memcpy(hashed->bytes + HASH_AT, client->bytes, sizeof client->bytes);
    hashed->len = HASH_AT + addr_len(client);
}

/* As RFC 9018 writes it into the cookie; only ever compared and copied, so the order of its bytes is of no concern. */
static uint64_t hash_under(const struct cookie_secret *secret, const struct hashed *hashed)
{
    uint64_t hash;
    crypto_shorthash_siphash24((unsigned char *)&hash, hashed->bytes, hashed->len, secret->bytes);
    return hash;
}

/* Serial number arithmetic (RFC 1982): the time wraps in 2106, and the cookies do not mind. */
static bool time_is_bad(int32_t age_sec)
{
    return age_sec > COOKIE_AGE_MOST_SEC || age_sec < -COOKIE_AHEAD_MOST_SEC;
}

enum cookie_verdict cookie_check(const struct cookie_secrets *secrets, const struct addr *client,
                                 const uint8_t *option, unsigned len, uint32_t now_sec)
{
    if (len != COOKIE_LEN || option[VERSION_AT] != VERSION)
        return COOKIE_CLIENT_ONLY;
    int32_t age_sec = (int32_t)(now_sec - be32_get(option + TIME_AT));
    if (time_is_bad(age_sec))
        return COOKIE_BAD;
    struct hashed hashed;
    uint64_t given;
    take_hashed(&hashed, option, client);
    memcpy(&given, option + HASH_AT, sizeof given);
    for (unsigned i = 0; i < secrets->cnt; i++) {
        /* One comparison of 64 bits takes the same time whichever differ. */
        if (hash_under(&secrets->secrets[i], &hashed) == given)
            return i || age_sec > COOKIE_RENEW_SEC ? COOKIE_OLD : COOKIE_VALID;
    }
    return COOKIE_BAD;
}

void cookie_make(uint8_t out[COOKIE_LEN], const struct cookie_secrets *secrets, const struct addr *client,
                 const uint8_t option[COOKIE_CLIENT_LEN], uint32_t now_sec)
{
    struct hashed hashed;
    memmove(out, option, COOKIE_CLIENT_LEN);
    be32_put(out + VERSION_AT, (uint32_t)VERSION << 24); /* and the reserved bytes: zero (RFC 9018 4.2) */
    be32_put(out + TIME_AT, now_sec);
    take_hashed(&hashed, out, client);
    uint64_t hash = hash_under(&secrets->secrets[0], &hashed);
    memcpy(out + HASH_AT, &hash, sizeof hash);
}

void cookie_answer(uint8_t out[COOKIE_LEN], enum cookie_verdict verdict, const struct cookie_secrets *secrets,
                   const struct addr *client, const uint8_t *option, uint32_t now_sec)
{
    if (verdict == COOKIE_VALID)
        memmove(out, option, COOKIE_LEN);
    else
        cookie_make(out, secrets, client, option, now_sec);
}
