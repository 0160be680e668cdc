/* Which serial a zone is published with when its text changed, or something else changed it: its own, or one that is
 * made here (RFC 1982, RFC 1912 2.2). Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* The key `serial` of a zone. */
enum store_serial {
    STORE_SERIAL_UNSAID, /* in a row: leave it to the template; STORE_SERIAL_FILE where that says nothing either */
    STORE_SERIAL_FILE,   /* the text's, which must rise with every change of the text */
    STORE_SERIAL_INCREMENT,
    STORE_SERIAL_UNIXTIME, /* seconds since 1970 */
    STORE_SERIAL_DATE,     /* YYYYMMDD00, by UTC */
};

/* The serial of a version that follows one with `published`: later than that, and `wanted` (the text's own, say) if
 * that is later too, and what `mode` makes of the time if that is the latest. Without `wanted` (NULL) as if there were
 * none. */
uint32_t serial_after(enum store_serial mode, uint32_t published, const uint32_t *wanted, uint64_t now_sec);
/* The serial of a zone's first version, whose text has `wanted`: that, or what the mode makes of the time if that is
 * later. */
uint32_t serial_first(enum store_serial mode, uint32_t wanted, uint64_t now_sec);
