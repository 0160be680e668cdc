#include "probe/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void memory_fini(struct memory *memory)
{
    free(memory->items);
    *memory = (struct memory){NULL, 0};
}

static int cmp_digests(const void *a, const void *b)
{
    return memcmp(((const struct health_memory *)a)->digest, ((const struct health_memory *)b)->digest,
                  HEALTH_DIGEST_LEN);
}

/* They come in that order out of a database, and a hundred thousand need not be sorted for nothing. */
static int is_sorted(const struct health_memory *items, size_t cnt)
{
    size_t i = 1;
    while (i < cnt && cmp_digests(&items[i - 1], &items[i]) <= 0)
        i++;
    return i >= cnt;
}

void memory_fill(struct memory *memory, const struct health_memory *items, size_t cnt)
{
    memory_fini(memory);
    if (!cnt)
        return;
    memory->items = mem_dup(items, cnt * sizeof *items);
    memory->cnt = cnt;
    if (!is_sorted(memory->items, cnt))
        qsort(memory->items, cnt, sizeof *memory->items, cmp_digests);
}

const struct health_memory *memory_find(const struct memory *memory, const uint8_t digest[HEALTH_DIGEST_LEN])
{
    struct health_memory key;
    memcpy(key.digest, digest, HEALTH_DIGEST_LEN);
    return memory->cnt ? bsearch(&key, memory->items, memory->cnt, sizeof key, cmp_digests) : NULL;
}
