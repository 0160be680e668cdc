/* Who has the next of a number of places, of which there are too few for all that want one. Those that hung when they
 * last had one come after all others and leave a quarter of the places free, or others would wait for one of their
 * time-outs after the other. But they come: one in PLACES_SHARE, whoever else waits, up to three quarters of the
 * places, or who was down once would stay that for as long as all places are in use.
 *
 * The owner has the two queues, first come, first served, and counts the places taken. One owner. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PLACES_SHARE = 8 };

/* Which queue; the first two as an index by `hung_before`. */
enum places_turn { PLACES_OTHER, PLACES_HUNG, PLACES_NOBODY };

/* Zero-initialise. */
struct places {
    uint32_t hung_cnt; /* places that those have that hung before */
    uint32_t passed;   /* how many others have had one while such a one waited */
};

/* Of which queue the first is to have a place, of `most`, of which `taken` are in use. */
static inline enum places_turn places_next(const struct places *places, uint32_t taken, uint32_t most, bool other_waits,
                                           bool hung_waits)
{
    uint32_t hung_most = most - most / 4;
    if (taken >= most)
        return PLACES_NOBODY;
    bool is_owed = places->passed >= PLACES_SHARE - 1 && places->hung_cnt < hung_most;
    if (hung_waits && (is_owed || (!other_waits && taken < hung_most)))
        return PLACES_HUNG;
    return other_waits ? PLACES_OTHER : PLACES_NOBODY;
}

/* One has a place from now on; `hung_waits` as above. */
static inline void places_take(struct places *places, bool hung_before, bool hung_waits)
{
    places->hung_cnt += hung_before;
    places->passed = hung_before || !hung_waits ? 0 : places->passed + 1;
}

/* ... no more. */
static inline void places_leave(struct places *places, bool hung_before) { places->hung_cnt -= hung_before; }
