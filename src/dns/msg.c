#include "dns/msg.h"

#include <string.h>

#include "dns/rr.h"

/* RFC 1035 4.1.4: to a prior occurrence of a name. */
static bool skip_pointer(struct reader *r, size_t name_at)
{
    uint16_t pointer = reader_u16(r);
    size_t target = pointer & 0x3fff;
    r->failed |= pointer < 0xc000 || target < MSG_HEADER_LEN || target >= name_at;
    return !r->failed;
}

/* A label costs a few instructions, no more: names of 127 are what an attacker has messages made of. */
bool msg_skip_name(struct reader *r)
{
    size_t left = r->failed ? 0 : reader_left(r), name_at = reader_pos(r);
    const uint8_t *name = r->at;
    unsigned most = left < NAME_MAX_LEN ? (unsigned)left : NAME_MAX_LEN, at = 0;
    while (at < most && name[at] - 1u < NAME_LABEL_MAX)
        at += name[at] + 1u;
    if (unlikely(at >= most)) {
        r->failed = true;
        return false;
    }
    r->at += at;
    if (unlikely(name[at]))
        return skip_pointer(r, name_at);
    r->at++;
    return true;
}

unsigned msg_read_name(uint8_t out[NAME_MAX_LEN], struct reader *r)
{
    size_t start = reader_pos(r);
    struct reader part = *r;
    unsigned len = 0;
    if (!msg_skip_name(r))
        return 0;
    for (;;) {
        uint8_t c = reader_u8(&part);
        if (c >= 0xc0) {
            /* Each goes further back than where the part before began: that ends. */
            size_t target = (size_t)(c & 0x3f) << 8 | reader_u8(&part);
            if (part.failed || target < MSG_HEADER_LEN || target >= start)
                break;
            start = target;
            part.at = part.begin + target;
            continue;
        }
        const uint8_t *label = reader_take(&part, c);
        if (!label || c > NAME_LABEL_MAX || len + 1u + c > NAME_MAX_LEN)
            break;
        out[len++] = c;
        memcpy(out + len, label, c);
        len += c;
        if (!c)
            return len;
    }
    r->failed = true;
    return 0;
}

/* RFC 6891 6.1.2: code, length, data, as often as they fit, with nothing left over. */
static bool options_are_whole(const uint8_t *options, unsigned len)
{
    struct reader r = reader_over(options, len);
    for (unsigned i = 0; i < MSG_OPTIONS_MAX && !r.failed && reader_left(&r) > 0; i++) {
        reader_u16(&r);
        reader_take(&r, reader_u16(&r));
    }
    return !r.failed && reader_left(&r) == 0;
}

static enum err read_opt(struct msg_edns *edns, unsigned owner_len, uint16_t payload_len, uint32_t ttl,
                         const uint8_t *options, uint16_t options_len)
{
    /* RFC 6891 6.1.1: the owner is the root, one OPT a message. */
    if (edns->present || owner_len != 1 || !options_are_whole(options, options_len))
        return ERR_SYNTAX;
    edns->present = true;
    edns->payload_len = payload_len;
    edns->version = (uint8_t)(ttl >> 16);
    edns->dnssec_ok = ttl & MSG_EDNS_DO;
    edns->options = options;
    edns->options_len = options_len;
    return ERR_OK;
}

enum err msg_read_edns(struct msg_edns *edns, struct reader *r, unsigned cnt, unsigned additional_cnt)
{
    enum { TYPE_AT = 0, CLASS_AT = 2, TTL_AT = 4, RDLENGTH_AT = 8, FIXED_LEN = 10 };
    *edns = (struct msg_edns){0};
    if (cnt > MSG_RECORDS_MAX && msg_opcode(r->begin) != OPCODE_UPDATE)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < cnt; i++) {
        size_t owner_at = reader_pos(r);
        if (!msg_skip_name(r))
            return ERR_SYNTAX;
        unsigned owner_len = (unsigned)(reader_pos(r) - owner_at);
        const uint8_t *fixed = reader_take(r, FIXED_LEN);
        const uint8_t *rdata = fixed ? reader_take(r, be16_get(fixed + RDLENGTH_AT)) : NULL;
        if (!rdata)
            return ERR_SYNTAX;
        if (be16_get(fixed + TYPE_AT) == RR_TSIG) {
            edns->tsig_at = (uint16_t)owner_at;
            return i + 1 == cnt && additional_cnt ? ERR_OK : ERR_SYNTAX;
        }
        if (be16_get(fixed + TYPE_AT) != RR_OPT)
            continue;
        if (i < cnt - additional_cnt || read_opt(edns, owner_len, be16_get(fixed + CLASS_AT), be32_get(fixed + TTL_AT),
                                                 rdata, be16_get(fixed + RDLENGTH_AT)))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}
