#include "base/prefix.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Decimal digits only, nothing before and nothing behind them. */
static enum err length_from_text(unsigned *len, const char *text, unsigned most)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || text[digits])
        return ERR_SYNTAX;
    *len = 0;
    for (; *text && *len <= most; text++)
        *len = *len * 10 + (unsigned)(*text - '0');
    return *len > most ? ERR_RANGE : ERR_OK;
}

static bool has_bits_behind(const uint8_t bytes[16], unsigned len)
{
    for (unsigned i = len / 8; i < 16; i++)
        if (bytes[i] & (i == len / 8 ? 0xff >> len % 8 : 0xff))
            return true;
    return false;
}

enum err prefix_from_text(struct prefix *prefix, const char *text)
{
    char host[ADDR_TEXT_MAX];
    struct addr addr;
    size_t host_len = strcspn(text, "/");
    if (host_len >= sizeof host)
        return ERR_SYNTAX;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    enum err e = addr_from_text(&addr, host);
    unsigned most = addr_len(&addr) * 8, len = most;
    if (!e && text[host_len])
        e = length_from_text(&len, text + host_len + 1, most);
    if (!e && has_bits_behind(addr.bytes, len))
        e = ERR_INVALID;
    if (e)
        return e;
    *prefix = (struct prefix){.family = addr.family, .len = (uint8_t)len};
    memcpy(prefix->bytes, addr.bytes, sizeof prefix->bytes);
    return ERR_OK;
}

enum err prefix_opt_parse(void *field, const char *text, const char **expected)
{
    *expected = "an address or a network, such as \"192.0.2.0/24\" or \"2001:db8::/32\", with no bits set behind the "
                "prefix";
    struct prefix prefix;
    if (!field)
        return ERR_OK;
    enum err e = prefix_from_text(&prefix, text);
    if (!e)
        memcpy(field, &prefix, sizeof prefix);
    return e;
}

char *prefix_to_text(char out[PREFIX_TEXT_MAX], const struct prefix *prefix)
{
    struct addr addr = {.family = prefix->family};
    char text[ADDR_TEXT_MAX];
    memcpy(addr.bytes, prefix->bytes, sizeof addr.bytes);
    snprintf(out, PREFIX_TEXT_MAX, "%s/%u", addr_to_text(text, &addr), prefix->len);
    return out;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = memcmp(a->bytes, b->bytes, sizeof a->bytes);
    return order ? order : a->len - b->len;
}

bool prefix_holds(const struct prefix *outer, const struct prefix *inner)
{
    unsigned whole = outer->len / 8, rest = outer->len % 8;
    if (outer->family != inner->family || outer->len > inner->len || memcmp(outer->bytes, inner->bytes, whole))
        return false;
    return !rest || !((outer->bytes[whole] ^ inner->bytes[whole]) >> (8 - rest));
}

/* The addresses of a network as numbers. An IPv4 address is the number of its four bytes and the twelve zeros that
 * follow them in struct addr, so that both families are counted alike. */
struct range {
    __uint128_t first, last;
};

/* Ranges that do not touch each other's addresses, in order. */
struct prefix_table {
    size_t v4_cnt, cnt; /* those of IPv4 come first */
    struct range ranges[];
};

static __uint128_t number_of(const uint8_t bytes[16])
{
    uint64_t high, low;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    return (__uint128_t)be64toh(high) << 64 | be64toh(low);
}

static struct range range_of(const struct prefix *prefix)
{
    __uint128_t first = number_of(prefix->bytes);
    return (struct range){first, first | (prefix->len == 128 ? 0 : ~(__uint128_t)0 >> prefix->len)};
}

static int compare(const void *a, const void *b) { return prefix_cmp(a, b); }

struct prefix_table *prefix_table_new(const struct prefix *prefixes, size_t cnt)
{
    struct prefix *sorted = mem_zalloc(cnt, sizeof *sorted);
    struct prefix_table *table;
    _Static_assert(sizeof *table <= sizeof *table->ranges, "one range's room more than cnt is enough");
    table = mem_zalloc(cnt + 1, sizeof *table->ranges);
    for (size_t i = 0; i < cnt; i++)
        sorted[i] = prefixes[i];
    qsort(sorted, cnt, sizeof *sorted, compare);
    for (size_t i = 0; i < cnt; i++) {
        struct range range = range_of(&sorted[i]);
        /* Of two networks one holds the other or they have no address in common. */
        size_t begin = sorted[i].family == ADDR_V6 ? table->v4_cnt : 0;
        if (table->cnt > begin && range.first <= table->ranges[table->cnt - 1].last)
            continue;
        table->ranges[table->cnt++] = range;
        table->v4_cnt += sorted[i].family == ADDR_V4;
    }
    free(sorted);
    return table;
}

void prefix_table_free(struct prefix_table *table)
{
    free(table);
}

bool prefix_table_has(const struct prefix_table *table, const struct addr *addr)
{
    size_t begin = 0, end = table->v4_cnt;
    if (addr->family == ADDR_V6) {
        begin = table->v4_cnt;
        end = table->cnt;
    }
    __uint128_t number = number_of(addr->bytes);
    /* The last range that begins at or before it is the only one that may hold it. */
    size_t least = begin;
    while (least < end) {
        size_t middle = least + (end - least) / 2;
        if (table->ranges[middle].first <= number)
            least = middle + 1;
        else
            end = middle;
    }
    return least > begin && number <= table->ranges[least - 1].last;
}
