#include "answer/refusals.h"

/* Each side writes its own count, behind what it says: an entry is the worker's until `put` is above it, and again once
 * `taken` is. */
void refusals_put(struct refusals *r, const struct refusal *refusal)
{
    uint32_t taken = __atomic_load_n(&r->taken, __ATOMIC_ACQUIRE);
    if (r->put - taken == REFUSALS_KEPT)
        return;
    r->kept[r->put % REFUSALS_KEPT] = *refusal;
    __atomic_store_n(&r->put, r->put + 1, __ATOMIC_RELEASE);
}

bool refusals_take(struct refusals *r, struct refusal *refusal)
{
    uint32_t put = __atomic_load_n(&r->put, __ATOMIC_ACQUIRE);
    if (put == r->taken)
        return false;
    *refusal = r->kept[r->taken % REFUSALS_KEPT];
    __atomic_store_n(&r->taken, r->taken + 1, __ATOMIC_RELEASE);
    return true;
}
