/* What the query path can be configured with: keys of group "server". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "answer/cookie.h"
#include "answer/limit.h"
#include "base/opt.h"
#include "base/prefix.h"

/* When a client that speaks cookies must show one of ours before it is answered over UDP (RFC 7873 5.2.3). */
enum answer_require_cookie { ANSWER_COOKIE_NEVER, ANSWER_COOKIE_ATTACK, ANSWER_COOKIE_ALWAYS };

struct answer_options {
    int64_t udp_payload;
    bool cookies;
    struct opt_list cookie_secrets; /* of struct cookie_secret, at most COOKIE_SECRETS_MAX; empty: a random one */
    int require_cookie;             /* enum answer_require_cookie */
    char *nsid;                     /* "": NSID is not answered */
    char *identity;                 /* NULL: the host's name; "": not told */
    char *version;                  /* "": not told */
    struct opt_list ecs_trusted;    /* of struct prefix */
    struct limit_options limit;
};
extern const struct opt_table answer_opt_table;
