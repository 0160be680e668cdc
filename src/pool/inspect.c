/* What a table's schedule promises, for people; nothing here is on the query path. */
#include <string.h>

#include "base/buf.h"
#include "pool/table.h"

static bool is_address(const struct pool_table *table, const struct pool_set *set, unsigned rr,
                       const struct addr *address)
{
    unsigned len = addr_len(address);
    return !memcmp(table->bytes + set->at + (rr + 1) * table->rr_len - len, address->bytes, len);
}

static bool has_address(const struct pool_table *table, const struct pool_set *set, unsigned rr_cnt,
                        const struct addr *address)
{
    for (unsigned i = 0; i < rr_cnt; i++)
        if (is_address(table, set, i, address))
            return true;
    return false;
}

/* The sum over slots of what each set's answers are worth; 1 is every answer. */
static double share(const struct pool_table *table, const struct addr *address, bool first_only)
{
    double worth[POOL_MEMBERS_MAX], sum = 0;
    if (!table->slot_cnt || table->rr_len != 12 + addr_len(address))
        return 0;
    for (unsigned s = 0; s < table->set_cnt; s++) {
        const struct pool_set *set = &table->sets[s];
        bool has = has_address(table, set, first_only ? set->starts : set->rr_cnt, address);
        worth[s] = !has ? 0 : first_only ? 1.0 / set->starts : 1;
    }
    for (unsigned slot = 0; slot < table->slot_cnt; slot++)
        sum += worth[table->slots[slot] & POOL_SLOT_SET_MASK];
    return sum / table->slot_cnt;
}

double pool_table_share(const struct pool_table *table, const struct addr *address)
{
    return share(table, address, true);
}

double pool_table_inclusion(const struct pool_table *table, const struct addr *address)
{
    return share(table, address, false);
}

/* Where the TTL stands in a record, behind owner (a pointer), type and class. */
enum { RR_TTL_AT = 6 };

uint32_t pool_table_ttl(const struct pool_table *table)
{
    switch ((enum pool_outcome)table->outcome) {
    case POOL_ANSWER:
        return be32_get(table->bytes + RR_TTL_AT);
    case POOL_NODATA:
        return table->negative_ttl_sec;
    case POOL_FAIL:
    case POOL_BY_CLASS:
        break;
    }
    return 0;
}
