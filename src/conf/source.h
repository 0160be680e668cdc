/* The text of a configuration with everything taken away that libconfig 1.5 stumbles over, and with all it includes put
 * in place: comments are dropped, @include is followed by ourselves (there a failure ends the process), integers carry
 * the suffix that makes libconfig read 64 bits, [ ] become ( ), keys given twice get another name (libconfig stops at
 * them). What is malformed is reported here, so that libconfig should never meet a syntax error.
 *
 * Lines of this text are mapped back to the lines of the files. conf/scan.c reads the tokens, conf/source.c does the
 * rest. Private to conf; one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/opt.h"

enum {
    CONF_TEXT_MOST = 64 * 1024 * 1024, /* of a file, and of all files together */
    CONF_INCLUDE_DEPTH_MOST = 16,
    CONF_INCLUDES_MOST = 10000,
    CONF_NESTING_MOST = 32, /* brackets in brackets; the deepest option takes six */
    CONF_KEYS_MOST = 256,   /* in one group: libconfig compares a new key with all others */
};

/* The first character of a string that stands for an integer beyond 64 bits; in a string of the user's it is refused.
 */
#define CONF_MARK_INTEGER '\1'
/* The first character of the other name of a key that was given twice (and was reported). */
#define CONF_MARK_TWICE '*'

/* What may stand next. */
enum conf_want { CONF_WANT_KEY, CONF_WANT_EQUALS, CONF_WANT_VALUE, CONF_WANT_VALUE_OR_CLOSE, CONF_WANT_NEXT };

struct conf_key {
    size_t at; /* in the expanded text */
    size_t len;
    unsigned line; /* of the expanded text */
};

/* A bracket that is open; the first level is the file itself. */
struct conf_level {
    char open; /* '{', '(' or '['; '{' for the file */
    enum conf_want want;
    unsigned line; /* of the expanded text */
    size_t key_cnt;
    struct conf_key keys[CONF_KEYS_MOST];
};

struct conf_source {
    struct diag *diag;
    bool failed;  /* the text is not fit for libconfig */
    bool stopped; /* nothing more is to be read */
    char *text;   /* expanded, terminated */
    size_t len, cap;
    unsigned line; /* being written */
    struct conf_segment *segments;
    size_t segment_cnt;
    char **files;
    size_t file_cnt;
    struct conf_opened {
        dev_t dev;
        ino_t ino;
    } opened[CONF_INCLUDE_DEPTH_MOST + 1];
    unsigned opened_cnt, include_cnt, twice_cnt;
    unsigned level_cnt;
    struct conf_level *levels; /* CONF_NESTING_MOST + 1 */
};

void conf_source_free(struct conf_source *source);
/* `diag` is borrowed. */
struct conf_source *conf_source_new(struct diag *diag) ATTR_FREED_BY(conf_source_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* The whole of a file, or of a text called `name`. What is wrong goes to the diag; `failed` says that the text can't be
 * used. */
void conf_source_add_file(struct conf_source *source, const char *path) ATTR_NONNULL_ALL;
void conf_source_add_text(struct conf_source *source, const char *name, const char *text, size_t len) ATTR_NONNULL_ALL;
/* Where a line of the expanded text came from; `file` is owned by the source. */
struct opt_where conf_source_where(const struct conf_source *source, unsigned line) ATTR_NONNULL_ALL;

/* For conf/scan.c: */
/* Adds to the expanded text. */
void conf_source_put(struct conf_source *source, const char *bytes, size_t len) ATTR_NONNULL_ALL;
/* The file that an @include in `file`, on `line`, names. */
void conf_source_include(struct conf_source *source, const char *file, unsigned line,
                         const char *name) ATTR_NONNULL_ALL;
/* Reads the tokens of a file's text. */
void conf_scan(struct conf_source *source, const char *file, const char *text, size_t len) ATTR_NONNULL_ALL;
