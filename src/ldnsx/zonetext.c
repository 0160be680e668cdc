#include "ldnsx/zonetext.h"

#include <string.h>

enum { TYPE_COLUMN = 24, TAB = 8 };

void zonetext_init(struct zonetext *text, const uint8_t *origin)
{
    text->origin = origin;
    text->owner_len = 0;
}

static void put_tabs(struct writer *out, size_t width)
{
    do {
        writer_u8(out, '\t');
        width = (width / TAB + 1) * TAB;
    } while (width < TYPE_COLUMN);
}

void zonetext_head(const struct zonetext *text, struct writer *out, uint32_t ttl)
{
    writer_put(out, "$ORIGIN ", 8);
    rdata_write_name(out, text->origin, NULL);
    writer_put(out, "\n$TTL ", 6);
    rdata_write_number(out, ttl);
    writer_put(out, "\n", 1);
}

static void put_owner(struct zonetext *text, struct writer *out, const uint8_t *owner)
{
    size_t start = writer_len(out);
    unsigned len = name_len(owner);
    if (len != text->owner_len || memcmp(owner, text->owner, len)) {
        rdata_write_name(out, owner, text->origin);
        memcpy(text->owner, owner, len);
        text->owner_len = len;
    }
    put_tabs(out, writer_len(out) - start);
}

void zonetext_record(struct zonetext *text, struct writer *out, const struct rr *rr)
{
    put_owner(text, out, rr->owner);
    rdata_write_number(out, rr->ttl);
    writer_put(out, "\tIN\t", 4);
    rdata_write_type(out, rr->type);
    writer_u8(out, '\t');
    rdata_write(out, rr->type, rr->rdata, rr->rdata_len, text->origin);
    writer_u8(out, '\n');
}
