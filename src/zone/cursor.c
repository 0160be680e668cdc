#include "zone/cursor.h"

#include <assert.h>

/* Nodes to come that are fetched: after changes they lie anywhere in memory. */
enum { PREFETCH_AHEAD = 4 };

static void fetch(uint64_t ref) { __builtin_prefetch((const void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK)); }

static void enter(struct zone_cursor *c, const struct trie_branch *branch)
{
    unsigned cnt = trie_ones(branch->bitmap);
    assert(c->depth < TRIE_LEVELS + 1);
    c->branches[c->depth].branch = branch;
    c->branches[c->depth].at = 0;
    c->branches[c->depth++].cnt = cnt;
    for (unsigned i = 1; i < cnt && i < PREFETCH_AHEAD; i++)
        fetch(branch->refs[i]);
}

void zone_cursor_init(struct zone_cursor *cursor, const struct zone_version *version)
{
    cursor->node = cursor->only = NULL;
    cursor->rrset_at = cursor->depth = 0;
    if (trie_is_node(version->root))
        cursor->only = trie_node(version->root);
    else if (version->root)
        enter(cursor, trie_branch(version->root));
}

const struct zone_node *zone_cursor_next_node(struct zone_cursor *cursor)
{
    cursor->node = cursor->only;
    cursor->only = NULL;
    cursor->rrset_at = 0;
    while (!cursor->node && cursor->depth) {
        unsigned top = cursor->depth - 1, at = cursor->branches[top].at, cnt = cursor->branches[top].cnt;
        const struct trie_branch *branch = cursor->branches[top].branch;
        if (at == cnt) {
            cursor->depth--;
            continue;
        }
        cursor->branches[top].at++;
        if (at + PREFETCH_AHEAD < cnt)
            fetch(branch->refs[at + PREFETCH_AHEAD]);
        if (trie_is_node(branch->refs[at]))
            cursor->node = trie_node(branch->refs[at]);
        else
            enter(cursor, trie_branch(branch->refs[at]));
    }
    return cursor->node;
}
