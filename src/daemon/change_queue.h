/* Changes of members that somebody is to be told of, one after the other and a few at a time. While one waits, all that
 * happens to its member becomes one: from what it was before the first to what it is after the last, and nothing when
 * that is the same. What happens while its member is being told of waits until that is over: never are two of one
 * member under way, of which the older might end last. So there are never more than members that have changed.
 *
 * Pure: who tells, and how, is the caller's. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "base/attr.h"
#include "base/hash.h"

enum { CHANGE_WORD_MAX = 16, CHANGE_REASON_MAX = 128 };

struct change {
    struct map_link link;
    struct change *before_it, *after_it; /* in the order of waiting */
    bool waits, is_told;                 /* told just now; then what waits is what has happened since */
    char before[CHANGE_WORD_MAX], now[CHANGE_WORD_MAX], reason[CHANGE_REASON_MAX];
    const char *member, *zone; /* behind `pool` */
    char pool[];
};

struct change_queue {
    struct map changes; /* by zone, pool and member */
    struct hash_key key;
    struct change *first, *last; /* that wait, and may be told */
    unsigned told_cnt, told_most;
};

void change_queue_fini(struct change_queue *queue) ATTR_NONNULL_ALL;
/* At most `told_most` at a time. */
void change_queue_init(struct change_queue *queue, unsigned told_most) ATTR_NONNULL_ALL;

/* The member counts as `now`, no longer as `before`. Words and reason are cut to what fits. */
void change_queue_add(struct change_queue *queue, const char *zone, const char *pool, const char *member,
                      const char *before, const char *now, const char *reason) ATTR_NONNULL_ALL;
/* The next to be told; its words are good until the next call of any of these. NULL: none waits, or none may. */
struct change *change_queue_next(struct change_queue *queue) ATTR_NONNULL_ALL;
/* It has been told; ends it, unless something has happened since. */
void change_queue_told(struct change_queue *queue, struct change *change) ATTR_NONNULL_ALL;
/* Forgets all that waits. */
void change_queue_clear(struct change_queue *queue) ATTR_NONNULL_ALL;
