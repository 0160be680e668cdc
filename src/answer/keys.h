/* The group "keys" of the configuration → the keys by which messages are signed (TSIG, RFC 8945). A secret stands in
 * the configuration or in a file of its own, and is told nowhere: no message of ours has a part of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"
#include "dns/name.h"
#include "dns/tsig_key.h"

enum { ANSWER_SECRET_MAX = 512 }; /* bytes; a hash uses at most 128 as they are, and takes in the rest */

struct answer_secret {
    uint16_t len; /* 0: there is none */
    uint8_t bytes[ANSWER_SECRET_MAX];
};

/* A row of the group. */
struct answer_key_options {
    uint8_t name[NAME_MAX_LEN]; /* a valid name, in the case of the file */
    int algorithm;              /* enum tsig_algorithm */
    struct answer_secret secret;
    char *secret_file;
    struct opt_where where;
};
extern const struct opt_table answer_key_opt_table;

/* Reads the secrets' files, and makes the table. What is wrong goes to `diag`; ERR_INVALID then, and NULL. Blocks on
 * files. [control, job] */
enum err answer_keys_make(struct tsig_keys **keys, const struct opt_list *rows, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
