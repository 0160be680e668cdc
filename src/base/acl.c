#include "base/acl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- text */

enum { WORD_MAX = 1010 /* a domain name with an escape for each of its bytes */ };

struct words {
    const char *at; /* what has not been taken */
    char word[WORD_MAX];
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The next word, into `words->word`; false: there is none, or it is longer than any can be, which is then left. */
static bool take_word(struct words *words)
{
    const char *at = words->at;
    while (is_blank(*at))
        at++;
    size_t len = strcspn(at, " \t");
    words->at = at;
    if (!len || len >= sizeof words->word)
        return false;
    memcpy(words->word, at, len);
    words->word[len] = '\0';
    words->at = at + len;
    return true;
}

static bool view_from_word(uint8_t *view, const char *word)
{
    bool is_live = !strcmp(word, "live");
    if (!is_live && strcmp(word, "full") != 0)
        return false;
    *view = is_live ? ACL_LIVE : ACL_FULL;
    return true;
}

/* What may follow an address: "key NAME", then a view. */
struct tail {
    uint8_t view, key_len;
    uint8_t key[ACL_KEY_MAX];
};

static enum err take_key(struct tail *tail, struct words *words, acl_key_fn *key_fn)
{
    size_t len = 0;
    if (!take_word(words))
        return ERR_SYNTAX;
    enum err e = key_fn(tail->key, &len, words->word);
    if (!e && (!len || len > ACL_KEY_MAX))
        e = ERR_RANGE;
    tail->key_len = (uint8_t)len;
    return e;
}

/* `words->word` is the first word of it when `has_word`. */
static enum err take_tail(struct tail *tail, struct words *words, bool has_word, acl_key_fn *key_fn)
{
    if (has_word && !strcmp(words->word, "key")) {
        enum err e = take_key(tail, words, key_fn);
        if (e)
            return e;
        has_word = take_word(words);
    }
    if (has_word && !view_from_word(&tail->view, words->word))
        return ERR_SYNTAX;
    return take_word(words) || *words->at ? ERR_SYNTAX : ERR_OK;
}

/* RFC 4291 2.5.5.2: what our sockets know as an IPv4 address (base/addr.h). */
static bool is_mapped(const uint8_t bytes[16])
{
    static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};
    return !memcmp(bytes, head, sizeof head);
}

static void unmap_prefix(struct prefix *prefix)
{
    enum { HEAD_BITS = 96 };
    if (prefix->family != ADDR_V6 || prefix->len < HEAD_BITS || !is_mapped(prefix->bytes))
        return;
    struct prefix v4 = {.family = ADDR_V4, .len = (uint8_t)(prefix->len - HEAD_BITS)};
    memcpy(v4.bytes, prefix->bytes + 12, 4);
    *prefix = v4;
}

static void unmap_addr(struct addr *addr)
{
    if (addr->family != ADDR_V6 || !is_mapped(addr->bytes))
        return;
    struct addr v4 = {.family = ADDR_V4, .port = addr->port};
    memcpy(v4.bytes, addr->bytes + 12, 4);
    *addr = v4;
}

enum err acl_entry_from_text(struct acl_entry *entry, const char *text, acl_key_fn *key_fn)
{
    struct words words = {.at = text};
    struct acl_entry read = {0};
    struct tail tail = {0};
    enum err e = take_word(&words) ? ERR_OK : ERR_SYNTAX;
    bool is_word = !e && (!strcmp(words.word, "any") || !strcmp(words.word, "none"));
    bool is_key = !e && !strcmp(words.word, "key");
    read.is_none = is_word && words.word[0] == 'n';
    if (!e && !is_word && !is_key)
        e = prefix_from_text(&read.prefix, words.word);
    if (!e)
        e = take_tail(&tail, &words, is_key || take_word(&words), key_fn);
    if (!e && is_word && tail.key_len)
        e = ERR_SYNTAX; /* "any key x" would be another way to say "key x", and "none key x" to keep one key out */
    if (e)
        return e;
    unmap_prefix(&read.prefix);
    read.view = tail.view;
    read.key_len = tail.key_len;
    memcpy(read.key, tail.key, sizeof read.key);
    memcpy(entry, &read, sizeof read);
    return ERR_OK;
}

enum err acl_peer_from_text(struct acl_peer *peer, const char *text, uint16_t port_default, acl_key_fn *key_fn)
{
    struct words words = {.at = text};
    struct acl_peer read = {0};
    struct tail tail = {0};
    enum err e = take_word(&words) ? addr_port_from_text(&read.addr, words.word, port_default) : ERR_SYNTAX;
    if (!e)
        e = take_tail(&tail, &words, take_word(&words), key_fn);
    if (e)
        return e;
    unmap_addr(&read.addr);
    read.view = tail.view;
    read.key_len = tail.key_len;
    memcpy(read.key, tail.key, sizeof read.key);
    memcpy(peer, &read, sizeof read);
    return ERR_OK;
}

/* ---- lists */

/* An entry as it is matched: an address fits when its bits under the mask are the network's. */
struct rule {
    uint64_t net[2], mask[2]; /* in the byte order of memory */
    uint32_t key_at;          /* in acl.keys */
    uint8_t key_len;
    uint8_t family; /* ADDR_NONE: every one */
    uint8_t view;
    bool is_none;
};

struct acl {
    size_t cnt, key_bytes;
    uint8_t *keys; /* one behind the other */
    struct rule rules[];
};

static void set_mask(uint64_t mask[2], unsigned len)
{
    uint8_t bytes[16] = {0};
    for (unsigned bit = 0; bit < len; bit++)
        bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    memcpy(mask, bytes, sizeof bytes);
}

static struct rule rule_of(const struct acl_entry *entry, size_t key_at)
{
    struct rule rule = {
        .key_at = (uint32_t)key_at,
        .key_len = entry->key_len,
        .family = entry->prefix.family,
        .view = entry->view,
        .is_none = entry->is_none,
    };
    memcpy(rule.net, entry->prefix.bytes, sizeof rule.net);
    set_mask(rule.mask, entry->prefix.len);
    return rule;
}

struct acl *acl_new(const struct acl_entry *entries, size_t cnt)
{
    size_t key_bytes = 0, bytes;
    if (__builtin_mul_overflow(cnt, sizeof(struct rule), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct acl), &bytes) || cnt > UINT32_MAX / ACL_KEY_MAX)
        mem_exhausted();
    struct acl *acl = mem_zalloc(1, bytes);
    for (size_t i = 0; i < cnt; i++) {
        acl->rules[i] = rule_of(&entries[i], key_bytes);
        key_bytes += entries[i].key_len;
    }
    acl->cnt = cnt;
    acl->key_bytes = key_bytes;
    acl->keys = mem_zalloc(key_bytes, 1);
    for (size_t i = 0; i < cnt; i++)
        memcpy(acl->keys + acl->rules[i].key_at, entries[i].key, entries[i].key_len);
    return acl;
}

struct acl *acl_dup(const struct acl *acl)
{
    if (!acl)
        return NULL;
    struct acl *dup = mem_dup(acl, sizeof *acl + acl->cnt * sizeof *acl->rules);
    dup->keys = mem_zalloc(acl->key_bytes, 1);
    memcpy(dup->keys, acl->keys, acl->key_bytes);
    return dup;
}

void acl_free(struct acl *acl)
{
    if (!acl)
        return;
    free(acl->keys);
    free(acl);
}

size_t acl_cnt(const struct acl *acl)
{
    return acl->cnt;
}

static bool fits(const struct acl *acl, const struct rule *rule, const uint64_t address[2], unsigned family,
                 const uint8_t *key, size_t key_len)
{
    if (rule->family && (rule->family != family || (address[0] & rule->mask[0]) != rule->net[0] ||
                         (address[1] & rule->mask[1]) != rule->net[1]))
        return false;
    return !rule->key_len || (rule->key_len == key_len && !memcmp(acl->keys + rule->key_at, key, key_len));
}

struct acl_match acl_find(const struct acl *acl, const struct addr *client, const uint8_t *key, size_t key_len)
{
    uint64_t address[2];
    memcpy(address, client->bytes, sizeof address);
    for (size_t i = 0; acl && i < acl->cnt; i++) {
        const struct rule *rule = &acl->rules[i];
        if (fits(acl, rule, address, client->family, key, key_len))
            return (struct acl_match){!rule->is_none, rule->view, (uint32_t)i};
    }
    return (struct acl_match){false, ACL_FULL, ACL_NO_ENTRY};
}
