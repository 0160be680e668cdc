/* What is wrong with another nameserver's answer, as a sentence for the log and for people, with what to do about it
 * where that can be known. [any thread] */
#pragma once

#include "base/attr.h"
#include "dns/tsig_key.h"

enum { FAULT_MAX = 320 };

/* "REFUSED: it may not serve the zone, or not allow us": the RCODE, and what it means of NOTAUTH and REFUSED. Returns
 * `out`. */
char *fault_of_rcode(char out[FAULT_MAX], unsigned rcode) ATTR_NONNULL_ALL;
/* "WHAT (key "xfr.": compare name, algorithm and secret on both sides)". Returns `out`. */
char *fault_of_key(char out[FAULT_MAX], const char *what, const struct tsig_key *key) ATTR_NONNULL_ALL;
