/* A file of networks of any bytes: every line is a network, nothing, or an error, and a map of what was read finds each
 * network by its first address, within a scope that has the same number throughout. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer/networks.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/prefix_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct list {
    struct prefix_map_entry *entries;
    size_t cnt, cap;
    unsigned line;
};

static void must(int truth, const char *what)
{
    if (!truth) {
        log_error("%s", what);
        abort();
    }
}

static void add(void *arg, const struct prefix *prefix, unsigned line)
{
    struct list *list = arg;
    must(line > list->line, "two networks of one line");
    list->line = line;
    if (list->cnt == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->entries = mem_realloc(list->entries, list->cap, sizeof *list->entries);
    }
    list->entries[list->cnt++] = (struct prefix_map_entry){*prefix, (uint16_t)(1 + line % 3)};
}

static struct addr first_of(const struct prefix *prefix)
{
    struct addr addr = {.family = prefix->family};
    memcpy(addr.bytes, prefix->bytes, sizeof addr.bytes);
    return addr;
}

static void check(const struct prefix_map *map, const struct prefix *prefix)
{
    struct addr addr = first_of(prefix);
    unsigned all = addr_len(&addr) * 8;
    struct prefix network;
    struct prefix_match match = prefix_map_find(map, &addr, all), part = prefix_map_find(map, &addr, prefix->len);
    must(prefix_map_network(map, &addr, prefix->len, &network) && !prefix_cmp(&network, prefix), "not found");
    must(match.value && part.value && match.scope <= all && part.scope <= prefix->len, "no number, or a wide scope");
    if (match.scope < all) /* the other end of the block */
        for (unsigned bit = match.scope; bit < all; bit++)
            addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    must(prefix_map_find(map, &addr, all).value == match.value, "a scope with two numbers");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct diag *diag = diag_new(5);
    struct list list = {0};
    size_t errors = networks_parse((const char *)data, len, "fuzz", add, &list, diag);
    must(errors == diag_cnt(diag, DIAG_ERROR), "errors that were not told");
    struct prefix_map *map = prefix_map_new(list.entries, list.cnt);
    for (size_t i = 0; i < list.cnt && i < 200; i++)
        check(map, &list.entries[i].prefix);
    prefix_map_free(map);
    free(list.entries);
    diag_free(diag);
    return 0;
}
