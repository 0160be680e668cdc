/* The group "sites" of the configuration: which clients are near which members. A site has a name and networks; its
 * number is the client class of pool/classes.h. Immutable; part of the query path's settings, where a client's number
 * is looked up, and asked by whoever knows sites by name.
 *
 * A number stays a site's while the process lives and the site is in the configuration: settings are replaced at once
 * by a reload, pools follow later, and must not take one site for another meanwhile. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/prefix_map.h"

enum { ANSWER_SITES_MAX = 1000, ANSWER_SITE_NAME_MAX = 63 };

/* A row of the group. */
struct answer_site_options {
    char *name;
    struct opt_list networks; /* of struct prefix */
    char *networks_file;      /* NULL: none */
    struct opt_where where;
};
extern const struct opt_table answer_site_opt_table;

struct answer_site {
    char *name;
    uint16_t number; /* > 0 */
};

struct answer_sites {
    struct prefix_map *map; /* networks → numbers */
    struct answer_site *sites;
    size_t cnt;
    bool has_nameless; /* a row whose name was refused: it may be any that is missed */
};
void answer_sites_free(struct answer_sites *sites);
/* Reads the networks' files, and makes the sites. `before` (NULL: none) are those in force. What is wrong goes to
 * `diag` (a network in two sites, a name that stands twice, a file with errors …); ERR_INVALID then, and *sites are for
 * nothing but to look for names. Blocks on files. [control, job] */
enum err answer_sites_make(struct answer_sites **sites, const struct opt_list *rows, const struct answer_sites *before,
                           struct diag *diag) ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
/* 0: there is none. */
uint16_t answer_sites_number(const struct answer_sites *sites, const char *name) ATTR_NONNULL_ALL ATTR_PURE;
/* NULL: none has that number. */
const char *answer_sites_name(const struct answer_sites *sites, uint16_t number) ATTR_NONNULL_ALL ATTR_PURE;
/* The name nearest to a mistyped one; NULL: none is near. */
const char *answer_sites_nearest(const struct answer_sites *sites, const char *word) ATTR_NONNULL_ALL;
