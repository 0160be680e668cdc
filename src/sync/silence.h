/* Other servers that do not answer. Each question to one holds one of a few sockets until its time is up, and a dead
 * primary of ten thousand zones would hold all of them, for minutes, while everybody else waits. So who has been silent
 * SILENCE_AFTER times in a row is asked only every SILENCE_GAP_MS, whichever zone that is for; every other question to
 * it counts as sent, and as not answered. With its first answer all is as before.
 *
 * A table of a fixed size: two servers that share a place forget each other, which costs time only. No I/O, no clock.
 * [control] */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/hash.h"

enum {
    SILENCE_AFTER = 10,
    SILENCE_GAP_MS = 2000, /* an answer is awaited for 3 to 5 s, so that takes three sockets at most */
    SILENCE_PLACES = 1024,
};

/* Zero-initialise. */
struct silence {
    struct silence_server {
        struct addr addr;  /* with its port */
        uint32_t cnt;      /* questions in a row that it did not answer */
        uint64_t asked_ms; /* once it is silent: the last that was sent */
    } servers[SILENCE_PLACES];
};

/* Is it to be sent a question now? Then it counts as sent. */
bool silence_may_ask(struct silence *silence, const struct addr *addr, const struct hash_key *key, uint64_t now_ms)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A question's time was up; true when it is silent from now on. */
bool silence_unanswered(struct silence *silence, const struct addr *addr, const struct hash_key *key)
    ATTR_NONNULL_ALL;
/* Has it been silent so often? */
bool silence_is_silent(struct silence *silence, const struct addr *addr, const struct hash_key *key)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* It said something, or its network did. */
void silence_answered(struct silence *silence, const struct addr *addr, const struct hash_key *key) ATTR_NONNULL_ALL;
