#include "dns/msg.h"

#include "dns/rr.h"

bool msg_skip_name(struct reader *r)
{
    size_t start = reader_pos(r);
    for (unsigned len = 0;;) {
        uint8_t c = reader_u8(r);
        if (r->failed)
            return false;
        if (c >= 0xc0) {
            size_t target = (size_t)(c & 0x3f) << 8 | reader_u8(r);
            /* RFC 1035 4.1.4: to a prior occurrence of a name. */
            r->failed |= target < MSG_HEADER_LEN || target >= start;
            return !r->failed;
        }
        len += c + 1u;
        if (c > NAME_LABEL_MAX || len > NAME_MAX_LEN || !reader_take(r, c)) {
            r->failed = true;
            return false;
        }
        if (!c)
            return true;
    }
}

/* RFC 6891 6.1.2: code, length, data, as often as they fit, with nothing left over. */
static bool options_are_whole(const uint8_t *options, unsigned len)
{
    struct reader r = reader_over(options, len);
    while (!r.failed && reader_left(&r) > 0) {
        reader_u16(&r);
        reader_take(&r, reader_u16(&r));
    }
    return !r.failed;
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
    *edns = (struct msg_edns){0};
    for (unsigned i = 0; i < cnt; i++) {
        size_t owner_at = reader_pos(r);
        if (!msg_skip_name(r))
            return ERR_SYNTAX;
        unsigned owner_len = (unsigned)(reader_pos(r) - owner_at);
        uint16_t type = reader_u16(r), class = reader_u16(r);
        uint32_t ttl = reader_u32(r);
        uint16_t rdata_len = reader_u16(r);
        const uint8_t *rdata = reader_take(r, rdata_len);
        if (r->failed)
            return ERR_SYNTAX;
        if (type != RR_OPT)
            continue;
        if (i < cnt - additional_cnt || read_opt(edns, owner_len, class, ttl, rdata, rdata_len))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}
