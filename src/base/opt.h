/* Option tables: what a module can be configured with. A module owns a plain struct and a table of `struct opt` that
 * says, for each key, its type, unit, limits, default and help; `conf` fills the struct from the file, and the option
 * list of rondo.conf(5), the sample configuration and `-t` come from the same rows. This file knows no configuration
 * format.
 *
 * Values parsed here never exit or log; what was wrong is told by an error code and `opt_expected`. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"

enum opt_type {
    OPT_BOOL,     /* bool */
    OPT_INT,      /* int64_t, least..most */
    OPT_FRACTION, /* double, least..most in thousandths */
    OPT_DURATION, /* uint64_t milliseconds; "500ms", "5s", "3m", "1h", "2d", "1w" or whole seconds; least..most in ms */
    OPT_STRING,   /* char *; least..most its length; NULL when absent and without default */
    OPT_ENUM,     /* int, index into `names` */
    OPT_ADDR,     /* struct addr: "ADDRESS[@PORT]", port_default when no port is given */
    OPT_CUSTOM,   /* whatever `parse` makes of the text */
    OPT_GROUP,    /* a nested struct, by `sub` */
};

enum {
    OPT_LIST = 1,       /* zero or more: the field is a struct opt_list; a single scalar is a list of one.
                           With OPT_GROUP: ( {…}, {…} ), the field is a struct opt_list of structs */
    OPT_REQUIRED = 2,   /* refuse a group without it */
    OPT_RESTART = 4,    /* a reload that changes it is refused: restart needed */
    OPT_PATH = 8,       /* OPT_STRING: relative paths start at the configuration file's folder */
    OPT_INHERITED = 16, /* no default of its own here: an absent key is left untouched (templates fill it) */
    OPT_SECRET = 32,    /* a refused value is not shown; this can't hold for one that is no value at all, such as text
                           without its quotes */
    OPT_APART = 64,     /* it can't stand beside everything else of its group: a comment in the sample configuration */
};

struct opt_list {
    void *items; /* `cnt` values of the type's C type, one after the other */
    size_t cnt;
};

/* Where a group stood, for messages that come after parsing. A struct that wants it names a field of this type in
 * opt_table.where_offset. */
struct opt_where {
    const char *file;
    unsigned line;
    bool is_broken; /* a key of the group itself was refused, which was told: what may only follow from that is not */
};

struct opt_table;

struct opt {
    const char *name;
    enum opt_type type;
    unsigned flags;
    size_t offset; /* of the field in the struct of its table */
    int64_t least, most;            /* both 0: no limits; OPT_STRING: most 0: no upper limit */
    const char *text_default;       /* as it would stand in the file, in the file's own syntax: "20", "\"5s\"",
                                       "[ \"a\", \"b\" ]"; NULL: none (zeros, ADDR_NONE, an empty list) */
    const char *unit;               /* "seconds", "bytes", …; NULL */
    const char *const *names;       /* OPT_ENUM: NULL-terminated */
    uint16_t port_default;          /* OPT_ADDR */
    const struct opt_table *sub;    /* OPT_GROUP */
    /* OPT_CUSTOM: text → field, which owns nothing outside itself and is written only on success. Always sets
     * `expected` (what a value looks like, "\"all\" or a number from 1 to 16"); with `field` NULL it only does that. */
    enum err (*parse)(void *field, const char *text, const char **expected);
    size_t parse_size;              /* OPT_CUSTOM: of the field's type */
    const char *sample;             /* a value for the sample configuration where there is no default; NULL */
    const char *help;               /* one or two sentences for the man page */
};

/* How a row begins, the rest by name:
 *
 *     {OPT_KEY("ttl", OPT_DURATION, 0, balance_group_options, ttl_ms), .most = WEEK_MS, .text_default = "\"20s\"",
 *      .help = "The TTL of answers."},
 *
 * It does not compile when the field of `struct in` is not of the type that conf fills in (OPT_CUSTOM and single
 * groups: not checked). */
#define OPT_KEY(key, kind, bits, in, field) \
    .name = (key), .type = (kind), .flags = (bits), \
    .offset = offsetof(struct in, field) + 0 * sizeof(char[OPT_FITS(kind, bits, struct in, field) ? 1 : -1])
#define OPT_FITS(kind, bits, in, field) \
    ((bits) & OPT_LIST        ? OPT_IS(in, field, struct opt_list) \
     : (kind) == OPT_BOOL     ? OPT_IS(in, field, bool) \
     : (kind) == OPT_INT      ? OPT_IS(in, field, int64_t) \
     : (kind) == OPT_FRACTION ? OPT_IS(in, field, double) \
     : (kind) == OPT_DURATION ? OPT_IS(in, field, uint64_t) \
     : (kind) == OPT_STRING   ? OPT_IS(in, field, char *) \
     : (kind) == OPT_ENUM     ? OPT_IS(in, field, int) \
     : (kind) == OPT_ADDR     ? OPT_IS(in, field, struct addr) \
                              : 1)
#define OPT_IS(in, field, c_type) __builtin_types_compatible_p(__typeof__(((in *)0)->field), c_type)
/* The rows of a table. */
#define OPT_ROWS(rows) .opts = (rows), .cnt = sizeof(rows) / sizeof *(rows)

/* A table fills one struct. Several tables may add keys to the same group (`path`), each its own struct. */
struct opt_table {
    const char *path;    /* "server", "zones", …; for a sub table the key's name */
    size_t size;         /* of the struct */
    bool list;           /* zero or more groups: ( {…}, {…} ) */
    size_t where_offset; /* of a struct opt_where, or SIZE_MAX */
    const char *help;
    const struct opt *opts;
    size_t cnt;
    /* Checks a filled struct for what rows can't say; adds to `problem` through `say`. May be NULL. */
    void (*check)(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg);
};

/* Parses one scalar text of type BOOL, INT, FRACTION, DURATION, STRING, ENUM, ADDR or CUSTOM into `field` (strings are
 * mem_strdup'd, owned by the field). ERR_SYNTAX, ERR_RANGE or ERR_INVALID. */
enum err opt_parse(const struct opt *opt, void *field, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What a value of this option looks like ("a duration of 100ms to 1h, such as
 * \"5s\""), into `out`, always terminated. */
void opt_expected(char *out, size_t cap, const struct opt *opt) ATTR_NONNULL_ALL;
/* Duration text → ms; ERR_SYNTAX, or ERR_RANGE on overflow. "5" is five seconds. */
enum { OPT_DURATION_TEXT_MAX = 32, OPT_EXPECTED_MAX = 512 };
enum err opt_duration_from_text(uint64_t *ms, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The shortest exact text of a duration, "90s", into `out`; returns `out`. */
char *opt_duration_to_text(char out[OPT_DURATION_TEXT_MAX], uint64_t ms) ATTR_NONNULL_ALL;
/* The size of one value of this option in its struct (of a group: of its struct). */
size_t opt_value_size(const struct opt *opt) ATTR_NONNULL_ALL;
/* The nearest of the table's keys to a mistyped one (edit distance at most 2, or a third of its length); NULL: none. */
const char *opt_nearest(const struct opt_table *const *tables, size_t cnt, const char *key) ATTR_NONNULL_ALL;
/* True when `candidate` is near enough to a mistyped `word` to be suggested, and nearer than `best_distance` (start
 * with UINT_MAX), which it lowers then. */
bool opt_is_nearer(const char *candidate, const char *word, unsigned *best_distance) ATTR_NONNULL_ALL;
