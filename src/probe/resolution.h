/* What is known of a host's addresses of one family, until when, and when to ask again: a machine without I/O and clock
 * of its own. Whoever drives it (balance/hosts.c) asks when it is due and feeds it what came.
 *
 * Addresses stand until an answer has others. A failure (SERVFAIL, no answer in time) says nothing of the host: they
 * are kept for as long as it lasts. That there is no such name, or no address, counts only once it has been said
 * throughout `hold_ms`, the last time at its end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"

enum {
    RESOLUTION_TTL_LEAST_SEC = 5,
    RESOLUTION_TTL_MOST_SEC = 3600,
    RESOLUTION_RETRY_LEAST_MS = 1000, /* doubled with each answer that has no addresses */
    RESOLUTION_RETRY_MOST_MS = 30000,
    RESOLUTION_ADDRESSES_MAX = 64, /* of a family */
};
#define RESOLUTION_NEVER UINT64_MAX

enum resolution_outcome {
    RESOLUTION_FOUND,
    RESOLUTION_NONE,   /* there is no such name, or it has no address of the family */
    RESOLUTION_FAILED, /* nobody can tell */
};

struct resolution_answer {
    enum resolution_outcome outcome;
    const char *problem; /* of the others than RESOLUTION_FOUND: "SERVFAIL"; static */
    uint32_t ttl_sec;    /* of RESOLUTION_FOUND; UINT32_MAX: whoever drives sees changes come, nothing is to be asked */
    struct addr *addresses; /* of RESOLUTION_FOUND: in canonical order, each once; at least one */
    size_t cnt;
    size_t dropped, cut; /* what is not among them, by resolution_sift */
};

/* Embed; zero-initialised it knows nothing and is due at once. */
struct resolution {
    struct addr *addresses; /* in use; canonical order, each once */
    size_t cnt;
    bool known;           /* there was an answer, whatever it said */
    enum resolution_outcome outcome; /* of the last one */
    const char *problem;  /* of the last answer; NULL: none */
    unsigned tries;       /* answers in a row without addresses */
    uint64_t found_ms;    /* when addresses came last */
    uint64_t until_ms;    /* when these are too old by their TTL; RESOLUTION_NEVER */
    uint64_t due_ms;      /* to be asked; RESOLUTION_NEVER: not by time */
    /* since when every answer that was no failure denied the addresses that are still in use; 0: none did */
    uint64_t denied_ms;
};

void resolution_fini(struct resolution *resolution) ATTR_NONNULL_ALL;
/* An answer has come at `now_ms` (> 0). `fraction` of 2^32 is chance: what was asked together is not asked together
 * again. True when other addresses are in use than before. */
bool resolution_take(struct resolution *resolution, const struct resolution_answer *answer, uint64_t hold_ms,
                     uint64_t now_ms, uint32_t fraction) ATTR_NONNULL_ALL;

/* Brings the addresses of an answer, as they came, into the order and number that an answer may have: without those
 * that can be nobody's (0.0.0.0/8, multicast, the broadcast address, "::", mapped IPv4), each once, the first
 * RESOLUTION_ADDRESSES_MAX; `dropped` and `cut` say how many of both kinds are gone. An answer with none left is
 * RESOLUTION_NONE, the others RESOLUTION_FOUND. */
void resolution_sift(struct resolution_answer *answer) ATTR_NONNULL_ALL;
