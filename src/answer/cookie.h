/* DNS cookies (RFC 7873) with the server cookies of RFC 9018, which every nameserver makes alike that has the same
 * secret. Pure functions: the caller has the client's address and the time; no allocation, no lock. Any thread.
 *
 * A COOKIE option is the client's 8 bytes and, once it has been given one, the server's 16: version 1, three reserved
 * bytes, the time it was made (seconds of 1970, 32 bits), and the SipHash-2-4 under the secret of all before it and
 * the client's address.
 *
 * Several secrets let one be rolled over (RFC 9018 5): the first makes cookies, every one verifies. To judge a cookie
 * costs at most a SipHash a secret, to make one another; nothing is hashed for one whose time has passed.
 *
 * SipHash is libsodium's. sodium_init need not have run for it: it has one portable implementation, which is chosen by
 * no table that the start would fill, and draws nothing at random. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"

enum {
    COOKIE_CLIENT_LEN = 8,
    COOKIE_SERVER_LEN = 16,
    COOKIE_LEN = COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN,
    COOKIE_SECRET_LEN = 16,
    COOKIE_SECRETS_MAX = 3,
    /* RFC 9018 4.3 */
    COOKIE_AGE_MOST_SEC = 3600,
    COOKIE_AHEAD_MOST_SEC = 300,
    COOKIE_RENEW_SEC = 1800,
};

struct cookie_secret {
    uint8_t bytes[COOKIE_SECRET_LEN];
};

struct cookie_secrets {
    struct cookie_secret secrets[COOKIE_SECRETS_MAX];
    unsigned cnt; /* at least 1 */
};

enum cookie_verdict {
    COOKIE_CLIENT_ONLY, /* no server cookie, or one of a version or length that is not ours */
    COOKIE_BAD,         /* not made by us for this client, or too old; RFC 7873 5.2.4: to be treated like the former */
    COOKIE_OLD,         /* valid, but the client should be given a new one: its time or its secret is to be replaced */
    COOKIE_VALID,
};

/* 32 hexadecimal digits. ERR_SYNTAX. */
enum err cookie_secret_from_text(struct cookie_secret *secret, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* One secret from the kernel, that no other nameserver has. */
void cookie_secrets_random(struct cookie_secrets *secrets) ATTR_NONNULL_ALL;

/* Judges a COOKIE option of `len` ≥ COOKIE_CLIENT_LEN bytes. `client` is where the request came from. */
enum cookie_verdict cookie_check(const struct cookie_secrets *secrets, const struct addr *client,
                                 const uint8_t *option, unsigned len, uint32_t now_sec) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The option's value for a client of that address, whose own cookie `option` begins with. May be made in place. */
void cookie_make(uint8_t out[COOKIE_LEN], const struct cookie_secrets *secrets, const struct addr *client,
                 const uint8_t option[COOKIE_CLIENT_LEN], uint32_t now_sec) ATTR_NONNULL_ALL;
/* The option's value for the answer to a request whose option was judged so: the same again when that was COOKIE_VALID,
 * else a new one. */
void cookie_answer(uint8_t out[COOKIE_LEN], enum cookie_verdict verdict, const struct cookie_secrets *secrets,
                   const struct addr *client, const uint8_t *option, uint32_t now_sec) ATTR_NONNULL_ALL;
