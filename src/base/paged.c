#include "base/paged.h"

#include <stdlib.h>

#include "base/mem.h"

enum { PAGES_LEAST = 8 };

void paged_fini(struct paged *paged)
{
    for (uint32_t i = 0; i < paged->page_cnt; i++)
        free(paged->pages[i]);
    free(paged->pages);
    *paged = (struct paged){.item_len = paged->item_len};
}

static void add_page(struct paged *paged)
{
    if (paged->page_cnt == paged->page_cap) {
        paged->page_cap = paged->page_cap ? paged->page_cap * 2 : PAGES_LEAST;
        paged->pages = mem_realloc(paged->pages, paged->page_cap, sizeof *paged->pages);
    }
    paged->pages[paged->page_cnt++] = mem_zalloc(PAGED_ITEMS, paged->item_len);
}

void paged_grow(struct paged *paged, uint32_t cnt)
{
    while (paged_cnt(paged) < cnt)
        add_page(paged);
}
