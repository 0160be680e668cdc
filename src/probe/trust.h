/* The certificates that others are trusted by: files of the configuration, and the system's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/probe.h"

struct x509_store_st; /* libcrypto's X509_STORE */

enum { TRUST_PROBLEM_MAX = 192 };

/* Reads a file of certificates in PEM. False: what is wrong is in `problem`. `digest` is of its content, so that the
 * same path with another content is another thing to check by. [any] */
bool trust_check_file(uint8_t digest[PROBE_CA_DIGEST_LEN], char problem[TRUST_PROBLEM_MAX],
                      const char *path) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* What was read, by path and digest. What nobody asked for within an hour is forgotten, and the system's are read anew
 * after an hour. One owner. */
struct trust {
    struct trusted *first;
};
void trust_fini(struct trust *trust) ATTR_NONNULL_ALL;
/* Those of a file that had this digest when it was last checked, or with "" the system's; borrowed until the next call.
 * NULL: they can't be read now, and why is in `error` (errno). */
struct x509_store_st *trust_get(struct trust *trust, const char *path, const uint8_t digest[PROBE_CA_DIGEST_LEN],
                                uint64_t now_mono_us, int *error) ATTR_NONNULL_ALL ATTR_MUST_USE;
