/* Names from wire and from text: what is taken must hang together, whichever way it is read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct hash_key key = {{0x0123456789abcdef, 0xfedcba9876543211, 0x1357924680acebdf}};

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

/* A valid name survives text and back, compares equal to itself, and all its suffixes have the hashes of their own. */
static void check_name(const uint8_t *name, unsigned len, const struct name_split *split)
{
    char text[NAME_TEXT_MAX];
    uint8_t back[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    unsigned back_len;
    require(name_len(name) == len && name_depth(name) == split->depth);
    name_to_text(text, name);
    require(name_from_text(back, &back_len, text, strlen(text), NULL) == ERR_OK);
    require(back_len == len && !memcmp(back, name, len));
    require(name_to_lower(lower, name) == len && !memcmp(lower, split->lower, len));
    require(name_equal(name, lower) && name_cmp(name, lower) == 0);
    for (unsigned d = 0; d <= split->depth; d++) {
        require(name_suffix(split->lower, d) == name_split_suffix(split, d));
        require(name_hash(name_suffix(name, d), &key) == split->suffix_hash[d]);
        require(name_within(name, name_suffix(name, d)));
        require((name_cmp(name_suffix(name, d), name) < 0) == (d < split->depth));
    }
}

static void read_wire(const uint8_t *data, size_t len)
{
    struct name_split split;
    struct reader r = reader_over(data, len);
    unsigned checked = name_check(data, len);
    enum err e = name_split(&split, &r, &key);
    require((e == ERR_OK) == (checked > 0) && r.failed == (e != ERR_OK));
    if (e == ERR_OK) {
        require(split.len == checked && reader_pos(&r) == checked);
        check_name(data, checked, &split);
    }
}

static void read_text(const uint8_t *data, size_t len)
{
    static const uint8_t origin[] = "\7example";
    uint8_t name[NAME_MAX_LEN];
    unsigned name_bytes;
    if (name_from_text(name, &name_bytes, (const char *)data, len, origin))
        return;
    struct name_split split;
    require(name_check(name, name_bytes) == name_bytes);
    name_split_valid(&split, name, &key);
    check_name(name, name_bytes, &split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    read_wire(data, len);
    read_text(data, len);
    return 0;
}
