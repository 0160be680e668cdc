/* What the query path is told by the configuration: immutable, made from the options, published through RCU and
 * replaced by a reload. All zeros but udp_payload is a valid value too: nothing optional is on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "answer/cookie.h"
#include "answer/limit.h"
#include "answer/options.h"
#include "answer/sites.h"
#include "base/attr.h"
#include "base/prefix.h"
#include "base/rcu.h"
#include "dns/tsig_key.h"

enum { ANSWER_TEXT_MAX = 255, ANSWER_NSID_MAX = 128 };

struct answer_settings {
    uint16_t udp_payload; /* 512..4096: most bytes of a UDP answer, and the payload size we tell */
    uint8_t nsid_len;    /* 0: none */
    char nsid[ANSWER_NSID_MAX];
    char version[ANSWER_TEXT_MAX + 1];  /* what version.bind answers; "": nothing */
    char identity[ANSWER_TEXT_MAX + 1]; /* what hostname.bind and id.server answer; "": nothing */
    enum answer_require_cookie require_cookie;
    struct cookie_secrets cookie_secrets; /* none: cookies are off */
    bool cookie_secrets_random;           /* nobody configured them */
    struct prefix_table *ecs_trusted;     /* whose client subnets count; NULL: nobody's. Owned */
    struct limit_settings limit;  /* of the rate of responses; needs answer_shared.limit */
    struct tsig_keys *keys;               /* by which requests are signed; NULL: none. Owned */
    struct answer_sites *sites;           /* where clients are; NULL: nowhere. Owned */
    struct rcu_deferred deferred; /* of whoever retires them */
};

void answer_settings_free(struct answer_settings *settings);
/* Never fails on options that conf accepted. `before` (NULL: none) are those in force: cookies made with a random
 * secret stay good over a reload. [control] */
struct answer_settings *answer_settings_new(const struct answer_options *options, const struct answer_settings *before)
    ATTR_FREED_BY(answer_settings_free) ATTR_MUST_USE ATTR_NONNULL(1);
/* Gives them keys, which they own from then on; before they are published. [control] */
void answer_settings_take_keys(struct answer_settings *settings, struct tsig_keys **keys) ATTR_NONNULL_ALL;
/* Likewise sites. */
void answer_settings_take_sites(struct answer_settings *settings, struct answer_sites **sites) ATTR_NONNULL_ALL;
/* Frees them when no worker can be reading them any more. [control] */
void answer_settings_retire(struct answer_settings *settings) ATTR_NONNULL_ALL;
