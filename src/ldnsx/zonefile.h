/* Zone text (RFC 1035 5, with BIND's extensions) → records: lexer (lex.h), words (word.h), rdata by a table of field
 * kinds (rdata.h; ldns converts HIP), $ORIGIN, $TTL, $INCLUDE, $GENERATE. Verdicts are BIND 9.18's. Nothing is checked
 * that needs more than one record. Any thread (a job); no state is kept between calls.
 *
 * Limits: a file below 4 GiB, a line of 1 MiB, $INCLUDE 20 deep and 100,000 times, 2^24 records out of $GENERATE, 100
 * errors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "dns/rr.h"

/* The files that a zone came from, to tell later whether any byte of them changed. */
struct zonefile_sources;
void zonefile_sources_free(struct zonefile_sources *sources);
/* What tells the text of all the files from others, in another process too: SHA-256 over their bytes, file by file in
 * the order of reading; *len the bytes of all. False: one of them could not be read. */
enum { ZONEFILE_DIGEST_LEN = 32 };
bool zonefile_digest(const struct zonefile_sources *sources, uint8_t digest[ZONEFILE_DIGEST_LEN], uint64_t *len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* True when every file still exists with the same bytes. Reads the files. */
bool zonefile_unchanged(const struct zonefile_sources *sources) ATTR_NONNULL_ALL;

/* Gets each record: owner as written (case kept), class IN. `file` and `line` (of the record's first line) are valid
 * until zonefile_sources_free (file) and during the call (rr). False: it wants no more, reading ends. */
typedef bool zonefile_record_fn(void *arg, const struct rr *rr, const char *file, unsigned line);

/* Reads the file at `path` with `origin` as its first $ORIGIN. Everything wrong goes to `diag`; reading goes on behind
 * an error (to the next line) until 100 of them. Records without a stated TTL take $TTL, else the last stated one (RFC
 * 1035 5.1), else, as BIND, the SOA's MINIMUM for the first records, with BIND's warning. *sources is always set
 * (caller frees). ERR_INVALID when there was any error, ERR_LIMIT when `fn` ended it (which is not told): the records
 * given to `fn` are not to be used. A file that there is no memory for is an error. */
enum err zonefile_read(const char *path, const uint8_t *origin, zonefile_record_fn *fn, void *arg, struct diag *diag,
                       struct zonefile_sources **sources) ATTR_NONNULL(1, 2, 3, 5, 6) ATTR_MUST_USE;
/* The same from memory (tests, fuzzers, a control command); $INCLUDE is refused. `name` stands for the file in
 * messages. */
enum err zonefile_read_text(const char *name, const char *text, size_t len, const uint8_t *origin,
                            zonefile_record_fn *fn, void *arg, struct diag *diag)
    ATTR_NONNULL(1, 2, 4, 5, 7) ATTR_MUST_USE;
