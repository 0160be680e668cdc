/* A zone version as zone text (ldnsx/zonetext.h): for people, and to be loaded again, here or by another server. All
 * names in canonical order (RFC 4034 6.1), so the apex first; there SOA and NS first, else the types by number, each
 * rrset in canonical order: versions with the same records give the same bytes. `_balance` names are names like others.
 *
 * The version keeps its names by hash, so they are sorted first: 72 bytes a name while that lasts, 16 until the text is
 * written, and a buffer of 1.25 MiB. A million records of as many names take about 0.7 s, the disk apart.
 *
 * [job] The caller holds the version (zone_version_get). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "zone/version.h"

enum { STORE_DUMP_WHY_MAX = 256 };

/* Gets the text piece by piece, whole lines each (256 KiB, or one long line); the bytes are gone after the call. False:
 * it wants no more. */
typedef bool store_dump_fn(void *arg, const char *text, size_t len);

/* `header` (NULL: none) is lines of text, parted by '\n', that come first, each behind "; ". False: `fn` ended it. */
bool store_dump_text(store_dump_fn *fn, void *arg, const struct zone_version *version, const char *header)
    ATTR_NONNULL(1, 3);

struct store_dump_to {
    const char *path;
    const char *header; /* as above */
    mode_t mode;        /* of a new file, whatever the umask */
    /* Whether what is at `path` may still be replaced, asked when all else is done. NULL: it may. */
    bool (*may_replace)(void *arg);
    void *arg;
};
/* Writes it to a file: all of it or nothing, whatever happens. It is written under another name in the same folder
 * ("PATH.XXXXXX", which a crash may leave behind), made durable, and renamed. Where `path` is a symbolic link, the file
 * that it leads to is replaced; one that leads nowhere is replaced itself. A file that was there before gives its mode
 * and, where the process may give files away, its owner and group. ACLs and other attributes are the folder's defaults.
 * What is there and no regular file is left alone. ERR_EXISTS: it may not be replaced; ERR_IO with a sentence in
 * `why`. The file is as it was then (or, when only the folder could not be made durable, either may be found after a
 * crash). */
enum err store_dump_file(const struct store_dump_to *to, const struct zone_version *version,
                         char why[STORE_DUMP_WHY_MAX]) ATTR_NONNULL_ALL ATTR_MUST_USE;
