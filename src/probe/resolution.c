#include "probe/resolution.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void resolution_fini(struct resolution *resolution)
{
    free(resolution->addresses);
    *resolution = (struct resolution){0};
}

/* Up to a tenth more, by chance. */
static uint64_t later(uint64_t now_ms, uint64_t by_ms, uint32_t fraction)
{
    return now_ms + by_ms + (by_ms / 10 * fraction >> 32);
}

static bool put_addresses(struct resolution *r, const struct addr *addresses, size_t cnt)
{
    bool same = r->cnt == cnt;
    for (size_t i = 0; same && i < cnt; i++)
        same = addr_same_host(&r->addresses[i], &addresses[i]);
    if (same)
        return false;
    free(r->addresses);
    r->addresses = cnt ? mem_dup(addresses, cnt * sizeof *addresses) : NULL;
    r->cnt = cnt;
    return true;
}

static bool take_addresses(struct resolution *r, const struct resolution_answer *answer, uint64_t now_ms,
                           uint32_t fraction)
{
    uint32_t ttl_sec = answer->ttl_sec;
    ttl_sec = ttl_sec < RESOLUTION_TTL_LEAST_SEC ? RESOLUTION_TTL_LEAST_SEC : ttl_sec;
    ttl_sec = ttl_sec > RESOLUTION_TTL_MOST_SEC ? RESOLUTION_TTL_MOST_SEC : ttl_sec;
    r->problem = NULL;
    r->tries = 0;
    r->denied_ms = 0;
    r->found_ms = now_ms;
    r->until_ms = answer->ttl_sec == UINT32_MAX ? RESOLUTION_NEVER : now_ms + ttl_sec * UINT64_C(1000);
    r->due_ms = answer->ttl_sec == UINT32_MAX ? RESOLUTION_NEVER : later(now_ms, ttl_sec * UINT64_C(1000), fraction);
    return put_addresses(r, answer->addresses, answer->cnt);
}

static uint64_t retry_ms(unsigned tries)
{
    uint64_t by_ms = RESOLUTION_RETRY_LEAST_MS;
    while (--tries && by_ms < RESOLUTION_RETRY_MOST_MS)
        by_ms *= 2;
    return by_ms < RESOLUTION_RETRY_MOST_MS ? by_ms : RESOLUTION_RETRY_MOST_MS;
}

bool resolution_take(struct resolution *resolution, const struct resolution_answer *answer, uint64_t hold_ms,
                     uint64_t now_ms, uint32_t fraction)
{
    struct resolution *r = resolution;
    r->known = true;
    r->outcome = answer->outcome;
    if (answer->outcome == RESOLUTION_FOUND)
        return take_addresses(r, answer, now_ms, fraction);
    r->problem = answer->problem;
    r->due_ms = later(now_ms, retry_ms(++r->tries), fraction);
    if (answer->outcome == RESOLUTION_FAILED || !r->cnt)
        return false;
    if (!r->denied_ms)
        r->denied_ms = now_ms;
    uint64_t held_ms = now_ms - r->denied_ms;
    if (held_ms >= hold_ms) {
        r->denied_ms = 0;
        return put_addresses(r, NULL, 0);
    }
    if (r->due_ms > r->denied_ms + hold_ms)
        r->due_ms = r->denied_ms + hold_ms;
    return false;
}

/* ---- addresses */

static bool is_mapped(const struct addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return !memcmp(a->bytes, prefix, sizeof prefix);
}

/* RFC 6890: what can be no server's address, wherever one is. */
static bool is_nobodys(const struct addr *a)
{
    static const uint8_t zero[16], ones[4] = {255, 255, 255, 255};
    if (a->family == ADDR_V4)
        return a->bytes[0] == 0 || (a->bytes[0] & 0xf0) == 0xe0 || !memcmp(a->bytes, ones, 4);
    return a->bytes[0] == 0xff || !memcmp(a->bytes, zero, 16) || is_mapped(a);
}

static int cmp_addrs(const void *a, const void *b) { return addr_cmp(a, b); }

static size_t drop_nobodys(struct addr *addresses, size_t cnt)
{
    size_t kept = 0;
    for (size_t i = 0; i < cnt; i++)
        if (!is_nobodys(&addresses[i]))
            addresses[kept++] = addresses[i];
    return kept;
}

static size_t drop_doubles(struct addr *addresses, size_t cnt)
{
    size_t kept = 0;
    if (cnt)
        qsort(addresses, cnt, sizeof *addresses, cmp_addrs);
    for (size_t i = 0; i < cnt; i++)
        if (!kept || !addr_same_host(&addresses[kept - 1], &addresses[i]))
            addresses[kept++] = addresses[i];
    return kept;
}

void resolution_sift(struct resolution_answer *answer)
{
    size_t cnt = answer->cnt, most = RESOLUTION_ADDRESSES_MAX;
    answer->cnt = drop_nobodys(answer->addresses, cnt);
    answer->dropped = cnt - answer->cnt;
    answer->cnt = drop_doubles(answer->addresses, answer->cnt);
    answer->cut = answer->cnt > most ? answer->cnt - most : 0;
    answer->cnt -= answer->cut;
    answer->outcome = answer->cnt ? RESOLUTION_FOUND : RESOLUTION_NONE;
    if (!answer->cnt)
        answer->problem = answer->dropped ? "no address that can be a server's" : "no such record";
}
