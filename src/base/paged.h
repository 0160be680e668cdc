/* An array that grows without moving what is in it: in pages, so that the next items cost the same however many there
 * are, and pointers to items stay. (Doubling one array of 100,000 items takes tens of milliseconds where the system has
 * to find the memory first.) One thread at a time. Out of memory aborts. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { PAGED_ITEMS = 256 };

/* Embed; zero-initialise with `item_len` set: bytes of an item, a multiple of its alignment (8 at most). */
struct paged {
    uint32_t item_len;
    uint32_t page_cnt, page_cap;
    uint8_t **pages;
};

/* Frees the pages; what items own is the caller's. */
void paged_fini(struct paged *paged) ATTR_NONNULL_ALL;
/* At least `cnt` items, of which new ones are zero. */
void paged_grow(struct paged *paged, uint32_t cnt) ATTR_NONNULL_ALL;
/* Items that there are: what was asked for, rounded up to pages. */
static inline uint32_t paged_cnt(const struct paged *paged) { return paged->page_cnt * PAGED_ITEMS; }
/* The item at `i`, which is below paged_cnt. */
static inline void *paged_at(const struct paged *paged, uint32_t i)
{
    return paged->pages[i / PAGED_ITEMS] + (size_t)(i % PAGED_ITEMS) * paged->item_len;
}
