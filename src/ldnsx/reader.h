/* Private to ldnsx: the state of reading a zone, and what its parts do. zonefile.c reads entries, record.c makes
 * records of them, directive.c follows $ORIGIN, $TTL and $INCLUDE, generate.c $GENERATE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/name.h"
#include "ldnsx/lex.h"
#include "ldnsx/source.h"
#include "ldnsx/zonefile.h"

enum {
    READ_ERRORS_MAX = 100,
    READ_DEPTH_MAX = 20,
    READ_FILES_MAX = 100000,
    READ_GENERATED_MAX = 1 << 24,
    READ_TTL_MAX = 0x7fffffff, /* RFC 2181 8 */
};

/* One file being read; $INCLUDE puts another on top. */
struct zone_input {
    struct zone_input *outer;
    const char *file;
    dev_t dev;
    ino_t ino;
    struct lexer lexer;
    uint8_t origin[NAME_MAX_LEN];
    uint8_t owner[NAME_MAX_LEN];
    bool has_owner;
    bool origin_changed; /* since the last record */
};

struct zone_reader {
    zonefile_record_fn *fn;
    void *arg;
    struct diag *diag;
    struct zonefile_sources *sources; /* NULL: text from memory, no $INCLUDE */
    struct zone_input *input;
    unsigned depth, file_cnt, error_cnt;
    uint64_t bytes; /* of all files */
    bool gave_up;
    bool stopped; /* by `fn` */
    /* TTLs (RFC 1035 5.1, RFC 2308 4) */
    uint32_t ttl, default_ttl;
    bool ttl_known, default_ttl_known;
    bool warned_inherited_ttl, warned_old_dnssec;
    uint64_t generated; /* records out of $GENERATE */
    uint8_t rdata[65535];
};

void read_error(struct zone_reader *r, unsigned line, const char *fmt, ...) ATTR_PRINTF(3, 4) ATTR_NONNULL(1, 3);
void read_warning(struct zone_reader *r, unsigned line, const char *fmt, ...) ATTR_PRINTF(3, 4) ATTR_NONNULL(1, 3);
/* Reads the whole text as the new innermost input. It begins with the outer one's owner, and with its origin when
 * `origin` is NULL. */
void read_source(struct zone_reader *r, const struct source_text *source, const uint8_t *origin) ATTR_NONNULL(1, 2);

/* Follows the directive that the entry begins with. */
void read_directive(struct zone_reader *r) ATTR_NONNULL_ALL;
void read_generate(struct zone_reader *r) ATTR_NONNULL_ALL;

/* Class, TTL and type before the rdata. */
struct record_head {
    uint16_t type;
    bool ttl_given; /* the reader's `ttl` is this record's */
};
/* Reads them from the words at *at on, moves *at behind the type. False: an error was told. */
bool record_read_head(struct zone_reader *r, struct record_head *head, const struct word **at,
                      const struct word *end) ATTR_NONNULL_ALL;
/* Takes a name for a directive or an owner; false: an error was told. */
bool record_read_name(struct zone_reader *r, uint8_t out[NAME_MAX_LEN], const struct word *word) ATTR_NONNULL_ALL;
/* A TTL above READ_TTL_MAX counts as 0, with a warning (RFC 2181 8). */
uint32_t record_limit_ttl(struct zone_reader *r, uint32_t ttl) ATTR_NONNULL_ALL;
/* Reads the rdata, settles the TTL, tells what is odd and gives the record away. */
void record_finish(struct zone_reader *r, const struct record_head *head, const uint8_t *owner, const struct word *at,
                   const struct word *end) ATTR_NONNULL_ALL;
/* An entry that is no directive. */
void record_read(struct zone_reader *r) ATTR_NONNULL_ALL;
