/* Names outside a zone's own data that its NS and MX records point to and that somebody wants to know: who makes a
 * version says which. Kept with each version, each name with the number of records that point to it, so that a change
 * costs its own size; a version that points to the same names shares the list of its predecessor. Of millions of
 * targets mostly none is wanted, then there is no list.
 *
 * Everything here is [builder]. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/hash.h"

/* Lower-cased names in wire form, one behind the other, each once; `bytes` is owned by whoever has the struct. */
struct zone_names {
    uint8_t *bytes; /* NULL: none */
    size_t len;
};

struct zone_foreign {
    size_t ref_cnt;
    size_t cnt;
    struct zone_names names; /* within this allocation; ascending by bytes */
    uint64_t uses[];         /* records that point to each */
};
void zone_foreign_put(struct zone_foreign *foreign);

/* Records that come and go, by the name that they point to; a hash table with open addressing. */
struct zone_foreign_edit {
    const struct hash_key *key;
    struct arena arena; /* of names */
    struct zone_foreign_note {
        const uint8_t *name; /* NULL: free */
        uint64_t hash;
        int64_t by;
    } * notes;
    size_t cnt, cap; /* cap: 0 or a power of two */
};
void zone_foreign_edit_init(struct zone_foreign_edit *edit, const struct hash_key *key) ATTR_NONNULL_ALL;
void zone_foreign_edit_fini(struct zone_foreign_edit *edit) ATTR_NONNULL_ALL;
/* One more (1) or one less (-1) points to `lower`. */
void zone_foreign_edit_note(struct zone_foreign_edit *edit, const uint8_t *lower, int by) ATTR_NONNULL_ALL;
/* `base` (NULL: nothing) after the edit: counted for the caller, perhaps `base` itself; NULL: no names. */
struct zone_foreign *zone_foreign_edit_end(struct zone_foreign_edit *edit, struct zone_foreign *base)
    ATTR_NONNULL(1) ATTR_MUST_USE;

/* The names that only `now` has, and those that only `before` has; either list may be NULL. */
void zone_foreign_diff(struct zone_names *fresh, struct zone_names *lost, const struct zone_foreign *before,
                       const struct zone_foreign *now) ATTR_NONNULL(1, 2);
