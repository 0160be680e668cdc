#include "dns/name.h"

#include <assert.h>
#include <string.h>

/* Lower-cases eight ASCII bytes at once (SWAR): bit 7 of each sum says "at least A" and "above Z". A label's length
 * byte is below 'A' and so stays what it is: a whole name may be lowered without a look at its labels. */
static uint64_t lower_eight(uint64_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = x & ones * 0x7f;
    uint64_t at_least_a = low + ones * (0x80 - 'A');
    uint64_t above_z = low + ones * (0x7f - 'Z');
    return x | (at_least_a & ~above_z & ~x & ones * 0x80) >> 2;
}

/* `out` gets exactly `len` bytes, and no byte of `in` behind `len` is read: the last eight overlap those before. */
static void lower_bytes(uint8_t *out, const uint8_t *in, unsigned len)
{
    uint64_t x;
    unsigned i = 0;
    if (len < 8) {
        for (; i < len; i++)
            out[i] = name_lower_byte(in[i]);
        return;
    }
    for (; i + 8 < len; i += 8) {
        memcpy(&x, in + i, 8);
        x = lower_eight(x);
        memcpy(out + i, &x, 8);
    }
    memcpy(&x, in + len - 8, 8);
    x = lower_eight(x);
    memcpy(out + len - 8, &x, 8);
}

/* What every name's hash starts from: the root's. */
static uint64_t root_hash(const struct hash_key *key)
{
    return key->k[2];
}

static void hash_suffixes(struct name_split *split, const struct hash_key *key)
{
    uint64_t h = root_hash(key);
    split->suffix_hash[0] = h;
    for (unsigned i = split->depth, d = 1; i-- > 0; d++) {
        const uint8_t *label = split->lower + split->label_at[i];
        h = hash_step(h, label + 1, label[0], key);
        split->suffix_hash[d] = h;
    }
}

enum err name_split(struct name_split *split, struct reader *r, const struct hash_key *key)
{
    const uint8_t *name = r->at;
    size_t left = r->failed ? 0 : reader_left(r);
    /* No byte of a name stands beyond its 255th; this bounds depth to 127 as well. */
    size_t most = left < NAME_MAX_LEN ? left : NAME_MAX_LEN, at = 0;
    unsigned depth = 0;
    for (; likely(at < most); depth++) {
        unsigned label_len = name[at];
        split->label_at[depth] = (uint8_t)at;
        if (unlikely(label_len - 1 > NAME_LABEL_MAX - 1))
            break;
        at += label_len + 1;
    }
    if (unlikely(at >= most))
        goto cut_short;
    if (unlikely(name[at]))
        goto malformed;
    at++;
    split->len = (uint8_t)at;
    split->depth = (uint8_t)depth;
    lower_bytes(split->lower, name, (unsigned)at);
    hash_suffixes(split, key);
    r->at += at;
    return ERR_OK;
cut_short:
    r->failed = true;
    return at < NAME_MAX_LEN ? ERR_SHORT : ERR_SYNTAX;
malformed:
    r->failed = true;
    return ERR_SYNTAX;
}

void name_split_valid(struct name_split *split, const uint8_t *name, const struct hash_key *key)
{
    struct reader r = reader_over(name, name_len(name));
    enum err e = name_split(split, &r, key);
    assert(e == ERR_OK);
    (void)e;
}

uint64_t name_split_wildcard_hash(const struct name_split *split, unsigned d, const struct hash_key *key)
{
    return hash_step(split->suffix_hash[d], (const uint8_t *)"*", 1, key);
}

uint64_t name_hash(const uint8_t *name, const struct hash_key *key)
{
    uint8_t lower[NAME_MAX_LEN], label_at[NAME_MAX_LABELS];
    unsigned at = 0, depth = 0;
    for (; name[at]; at += name[at] + 1u)
        label_at[depth++] = (uint8_t)at;
    lower_bytes(lower, name, at);
    uint64_t h = root_hash(key);
    while (depth-- > 0) {
        const uint8_t *label = lower + label_at[depth];
        h = hash_step(h, label + 1, label[0], key);
    }
    return h;
}

unsigned name_len(const uint8_t *name)
{
    unsigned at = 0;
    while (name[at])
        at += name[at] + 1u;
    return at + 1;
}

unsigned name_depth(const uint8_t *name)
{
    unsigned depth = 0;
    for (; *name; name += *name + 1u)
        depth++;
    return depth;
}

static bool equal_eight(const uint8_t *a, const uint8_t *b)
{
    uint64_t x, y;
    memcpy(&x, a, 8);
    memcpy(&y, b, 8);
    return x == y || lower_eight(x) == lower_eight(y);
}

/* Length bytes are below 'A', so equal lower-cased bytes mean equal labels. */
static bool equal_bytes(const uint8_t *a, const uint8_t *b, unsigned len)
{
    unsigned i = 0;
    for (; i + 8 < len; i += 8)
        if (!equal_eight(a + i, b + i))
            return false;
    if (len >= 8) /* the last eight overlap those before */
        return equal_eight(a + len - 8, b + len - 8);
    for (; i < len; i++)
        if (name_lower_byte(a[i]) != name_lower_byte(b[i]))
            return false;
    return true;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
    unsigned len = name_len(a);
    return len == name_len(b) && equal_bytes(a, b, len);
}

bool name_within(const uint8_t *name, const uint8_t *ancestor)
{
    unsigned len = name_len(name), above = name_len(ancestor);
    while (len > above) {
        len -= *name + 1u;
        name += *name + 1u;
    }
    return len == above && equal_bytes(name, ancestor, above);
}

static int label_cmp(const uint8_t *a, const uint8_t *b)
{
    unsigned len = a[0] < b[0] ? a[0] : b[0];
    for (unsigned i = 1; i <= len; i++) {
        int diff = name_lower_byte(a[i]) - name_lower_byte(b[i]);
        if (diff)
            return diff;
    }
    return a[0] - b[0];
}

static unsigned find_labels(uint8_t label_at[NAME_MAX_LABELS], const uint8_t *name)
{
    unsigned depth = 0;
    for (unsigned at = 0; name[at]; at += name[at] + 1u)
        label_at[depth++] = (uint8_t)at;
    return depth;
}

int name_cmp(const uint8_t *a, const uint8_t *b)
{
    uint8_t a_at[NAME_MAX_LABELS], b_at[NAME_MAX_LABELS];
    unsigned i = find_labels(a_at, a), k = find_labels(b_at, b);
    while (i > 0 && k > 0) {
        int diff = label_cmp(a + a_at[--i], b + b_at[--k]);
        if (diff)
            return diff;
    }
    return (i > 0) - (k > 0);
}

const uint8_t *name_suffix(const uint8_t *name, unsigned d)
{
    for (unsigned skip = name_depth(name) - d; skip > 0; skip--)
        name += *name + 1u;
    return name;
}

unsigned name_to_lower(uint8_t out[NAME_MAX_LEN], const uint8_t *name)
{
    unsigned len = name_len(name);
    lower_bytes(out, name, len);
    return len;
}

unsigned name_check(const uint8_t *p, size_t len)
{
    unsigned at = 0;
    while (at < len && at < NAME_MAX_LEN && p[at] <= NAME_LABEL_MAX) {
        if (!p[at])
            return at + 1;
        at += p[at] + 1u;
    }
    return 0;
}
