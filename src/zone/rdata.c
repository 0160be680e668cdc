#include "zone/rdata.h"

#include <string.h>

#include "dns/name.h"
#include "dns/rr.h"

enum { TYPE_A6 = 38 }; /* obsolete (RFC 6563), but on the list of RFC 4034 6.2 */

struct span {
    unsigned from, to;
};

/* Behind the two numbers of a NAPTR come three character strings, then the name (RFC 3403 4.1). */
static unsigned naptr_skip(const uint8_t *p, unsigned len)
{
    unsigned at = 4;
    for (unsigned i = 0; i < 3 && at < len; i++)
        at += 1u + p[at];
    return at;
}

/* How many names the type's rdata has and what stands before them; 0: none that the canonical form lower-cases. */
static unsigned names_of(uint16_t type, const uint8_t *p, unsigned len, unsigned *skip)
{
    *skip = 0;
    switch (type) {
    case RR_NS: case RR_MD: case RR_MF: case RR_CNAME: case RR_MB: case RR_MG: case RR_MR: case RR_PTR:
    case RR_DNAME: case RR_NXT:
        return 1;
    case RR_SOA: case RR_MINFO: case RR_RP:
        return 2;
    case RR_MX: case RR_AFSDB: case RR_RT: case RR_KX:
        *skip = 2;
        return 1;
    case RR_PX:
        *skip = 2;
        return 2;
    case RR_SRV:
        *skip = 6;
        return 1;
    case RR_SIG: case RR_RRSIG:
        *skip = 18;
        return 1;
    case RR_NAPTR:
        *skip = naptr_skip(p, len);
        return 1;
    case TYPE_A6: /* RFC 2874 3.1.1: without a prefix there is no name */
        if (!len || p[0] == 0 || p[0] > 128)
            return 0;
        *skip = 1u + (128u - p[0] + 7u) / 8u;
        return 1;
    default:
        return 0;
    }
}

/* Where the names stand (they always adjoin); empty when there are none or the rdata is malformed. */
static struct span name_span(uint16_t type, const uint8_t *p, unsigned len)
{
    unsigned skip, names = names_of(type, p, len, &skip);
    struct span s = {skip, skip};
    for (; names; names--) {
        unsigned n = s.to < len ? name_check(p + s.to, len - s.to) : 0;
        if (!n)
            return (struct span){0, 0};
        s.to += n;
    }
    return s;
}

static uint8_t byte_at(const uint8_t *p, unsigned i, struct span names)
{
    /* Lengths of labels are below 'A', so the whole span can be lower-cased. */
    return i >= names.from && i < names.to ? name_lower_byte(p[i]) : p[i];
}

int rdata_cmp(uint16_t type, const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
{
    unsigned len = a_len < b_len ? a_len : b_len;
    int d = memcmp(a, b, len);
    if (d) {
        struct span na = name_span(type, a, a_len), nb = name_span(type, b, b_len);
        if (na.from == na.to && nb.from == nb.to)
            return d;
        for (unsigned i = 0; i < len; i++)
            if (byte_at(a, i, na) != byte_at(b, i, nb))
                return (int)byte_at(a, i, na) - (int)byte_at(b, i, nb);
    }
    return (a_len > b_len) - (a_len < b_len);
}

bool rdata_same_rrset(uint16_t type, const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
{
    return (type != RR_RRSIG && type != RR_SIG) || (a_len > 1 && b_len > 1 && !memcmp(a, b, 2));
}
