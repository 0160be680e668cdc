#include "balance/private.h"
#include "dns/name.h"

/* The seed of the hash policy: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) over the lower-cased name in wire form, its
 * bits mixed by the end of MurmurHash3 (A. Appleby). Fixed for ever: nameservers of any version must agree on it. */
static uint64_t seed_of(const uint8_t *owner)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0, len = name_len(owner); i < len; i++)
        h = (h ^ owner[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

void settings_make(struct pool_settings *settings, const struct plan_group *group, const uint8_t *owner,
                   uint32_t record_ttl)
{
    uint32_t ttl = group->ttl_sec < record_ttl ? group->ttl_sec : record_ttl;
    *settings = (struct pool_settings){
        .policy = group->policy,
        .all_down = group->all_down,
        .answers = group->answers,
        .min_up = group->min_up,
        .trickle = group->trickle,
        .ttl_sec = ttl,
        .ttl_min_sec = group->ttl_min_sec < ttl ? group->ttl_min_sec : ttl,
        .hash_prefix4 = group->hash_prefix4,
        .hash_prefix6 = group->hash_prefix6,
        .seed = seed_of(owner),
    };
}
