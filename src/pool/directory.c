#include "pool/directory.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/rcu.h"

/* Reserved address space only: the kernel gives pages, zeroed, as entries are touched. */
static const size_t reserved_bytes = POOL_HANDLES_MAX * sizeof(struct pool_entry);

void pool_directory_init(struct pool_directory *directory)
{
    void *entries =
        mmap(NULL, reserved_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (entries == MAP_FAILED)
        mem_exhausted();
    *directory = (struct pool_directory){.entries = entries, .used = 1};
}

void pool_directory_fini(struct pool_directory *directory)
{
    munmap(directory->entries, reserved_bytes);
    free(directory->free_handles);
    *directory = (struct pool_directory){0};
}

uint32_t pool_directory_take(struct pool_directory *directory)
{
    if (directory->free_cnt)
        return directory->free_handles[--directory->free_cnt];
    return directory->used < POOL_HANDLES_MAX ? directory->used++ : 0;
}

uint32_t pool_directory_take_spare(struct pool_directory *directory)
{
    uint32_t given = directory->used - directory->free_cnt;
    return given < POOL_HANDLES_MAX / 2 ? pool_directory_take(directory) : 0;
}

void pool_directory_give(struct pool_directory *directory, uint32_t handle)
{
    assert(handle && handle < directory->used);
    assert(!directory->entries[handle].tables[0] && !directory->entries[handle].tables[1]);
    if (directory->free_cnt == directory->free_cap) {
        directory->free_cap = directory->free_cap ? 2 * directory->free_cap : 64;
        directory->free_handles =
            mem_realloc(directory->free_handles, directory->free_cap, sizeof *directory->free_handles);
    }
    directory->free_handles[directory->free_cnt++] = handle;
}

struct pool_table *pool_directory_set(struct pool_directory *directory, uint32_t handle, unsigned family_index,
                                      struct pool_table *table)
{
    assert(handle && handle < directory->used && family_index < 2);
    struct pool_table **at = &directory->entries[handle].tables[family_index];
    struct pool_table *old = *at;
    rcu_publish(*at, table);
    return old;
}
