/* Tables by client class. A class is the number of the clients' site, 0 are all others; a pool has tables of the
 * classes that its members have sites of, and class 0's for the rest. They are published as one: behind a root that is
 * itself a struct pool_table (of outcome POOL_BY_CLASS, so that pools without classes pay nothing for those that have
 * some), immutable like it, and that owns them. A class that gives what class 0 gives has no table of its own.
 *
 * Each class of a pool has a handle of the directory for its positions: with one position for all, clients of two
 * classes that ask in turns would each see every other member only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "pool/table.h"

enum { POOL_CLASSES_MAX = 1024 /* numbers below it */ };

struct pool_class {
    uint16_t site; /* > 0 */
    uint32_t handle;
};

struct pool_class_table {
    const struct pool_table *table;
    uint32_t handle;
    uint16_t site; /* 0: class 0 */
};

struct pool_classes {
    struct pool_table root; /* first, as it is what is published */
    struct pool_table **owned; /* each once */
    uint16_t owned_cnt;
    uint16_t cnt;
    struct pool_class_table by_class[]; /* [cnt], ascending, class 0 first; all that are not among them have its */
};

static inline const struct pool_classes *pool_classes_of(const struct pool_table *root)
{
    return (const struct pool_classes *)(const void *)root;
}
/* [worker] */
static inline const struct pool_class_table *pool_classes_find(const struct pool_table *root, unsigned class)
{
    const struct pool_classes *classes = pool_classes_of(root);
    unsigned low = 0, high = classes->cnt; /* the last one that is not above `class` */
    while (high - low > 1) {
        unsigned mid = (low + high) / 2;
        if (classes->by_class[mid].site <= class)
            low = mid;
        else
            high = mid;
    }
    return &classes->by_class[classes->by_class[low].site == class ? low : 0];
}
/* The table that clients of a class get of what is published, be it a root or not; NULL stays NULL. */
static inline const struct pool_table *pool_classes_table(const struct pool_table *published, unsigned class)
{
    return published && published->outcome == POOL_BY_CLASS ? pool_classes_find(published, class)->table : published;
}

/* What to compile for a family of a pool. */
struct pool_source {
    const struct pool_settings *settings; /* of class 0 */
    enum addr_family family;
    const struct pool_member *members; /* as pool_table_compile has them */
    size_t cnt;
    const struct addr *fallback;
    size_t fallback_cnt;
    const struct pool_class *classes; /* ascending sites; none: a table alone is made */
    size_t class_cnt;
    uint32_t handle; /* the pool's own */
};
/* A copy of its own of all that a source points to, in `kept`; pool_source_drop frees it. */
void pool_source_keep(struct pool_source *kept, const struct pool_source *source) ATTR_NONNULL_ALL;
void pool_source_drop(struct pool_source *kept) ATTR_NONNULL_ALL;
/* The table or root to publish. `previous` (may be NULL) is what was published before. */
struct pool_table *pool_classes_compile(const struct pool_source *source, const struct pool_table *previous)
    ATTR_FREED_BY(pool_table_free) ATTR_MUST_USE ATTR_NONNULL(1);
/* About how much that would compute, in hash scores (see pool_table_compile_scores). With classes it counts the other
 * policies' work too, as there may be many. */
uint64_t pool_classes_compile_scores(const struct pool_source *source,
                                     const struct pool_table *previous) ATTR_MUST_USE ATTR_NONNULL(1);
/* Frees all that a root owns; for pool_table_free. */
void pool_classes_end(struct pool_table *root) ATTR_NONNULL_ALL;
