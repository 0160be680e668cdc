/* Dynamic updates from short texts, for the tests of sync/update*. One line a record: "CLASS OWNER TTL TYPE [DATA…]",
 * the class IN, ANY, NONE or CH, all else as zone_help.h has it; without data the rdata is empty. */
#pragma once

#include "sync_help.h"

#include "sync/update.h"

struct update_bytes {
    uint8_t bytes[MSG_MAX_LEN];
    size_t len;
    struct writer w;
};

static inline void update_bytes_begin(struct update_bytes *m, const uint8_t *zone)
{
    m->w = writer_over(m->bytes, sizeof m->bytes);
    memset(writer_room(&m->w, MSG_HEADER_LEN), 0, MSG_HEADER_LEN);
    m->bytes[2] = OPCODE_UPDATE << 3;
    m->bytes[5] = 1;
    writer_put(&m->w, zone, name_len(zone));
    writer_u16(&m->w, RR_SOA);
    writer_u16(&m->w, RR_CLASS_IN);
    m->len = writer_len(&m->w);
}

/* `count_at`: 6 for a prerequisite, 8 for an update. */
static inline void update_bytes_add(struct update_bytes *m, unsigned count_at, const struct rr *rr, uint16_t class)
{
    be16_put(m->bytes + count_at, (uint16_t)(be16_get(m->bytes + count_at) + 1));
    writer_put(&m->w, rr->owner, name_len(rr->owner));
    writer_u16(&m->w, rr->type);
    writer_u16(&m->w, class);
    writer_u32(&m->w, rr->ttl);
    writer_u16(&m->w, rr->rdata_len);
    writer_put(&m->w, rr->rdata, rr->rdata_len);
    assert_false(m->w.failed);
    m->len = writer_len(&m->w);
}

static inline void update_bytes_line(struct update_bytes *m, unsigned count_at, const char *line)
{
    char class_text[16], owner_text[256], type_text[32], a[300] = "", b[300] = "";
    uint8_t owner[NAME_MAX_LEN], rdata[600];
    struct rr rr = {.owner = owner, .rdata = rdata};
    uint16_t class;
    int n = sscanf(line, "%15s %255s %u %31s %299s %299s", class_text, owner_text, &rr.ttl, type_text, a, b);
    assert_true(n >= 4);
    assert_int_equal(rr_class_from_text(&class, class_text, strlen(class_text)), ERR_OK);
    assert_int_equal(rr_type_from_text(&rr.type, type_text, strlen(type_text)), ERR_OK);
    put_wire(owner, owner_text);
    if (n > 4 && !strcmp(a, "#")) { /* hexadecimal */
        for (const char *p = b; *p; p += 2) {
            unsigned byte;
            assert_int_equal(sscanf(p, "%2x", &byte), 1);
            rdata[rr.rdata_len++] = (uint8_t)byte;
        }
    } else if (n > 4) {
        rr.rdata_len = (uint16_t)put_rdata(rdata, rr.type, a, b);
    }
    update_bytes_add(m, count_at, &rr, class);
}

static inline void update_bytes_lines(struct update_bytes *m, unsigned count_at, const char *text)
{
    for (const char *p = text; *p;) {
        char line[1024];
        size_t len = strcspn(p, "\n");
        assert_true(len < sizeof line);
        memcpy(line, p, len);
        line[len] = '\0';
        update_bytes_line(m, count_at, line);
        p += len + (p[len] == '\n');
    }
}

static inline void update_bytes_of(struct update_bytes *m, const char *prerequisites, const char *updates)
{
    update_bytes_begin(m, test_apex);
    update_bytes_lines(m, 6, prerequisites);
    update_bytes_lines(m, 8, updates);
}

/* In a block of exactly its size. */
static inline enum rcode update_read(struct update_msg *msg, const struct update_bytes *m)
{
    uint8_t *exact = mem_dup(m->bytes, m->len);
    enum rcode rcode = update_msg_read(msg, exact, m->len);
    free(exact);
    return rcode;
}

/* What a message is answered; a reason stands there when it is refused, and only then. `msg` is to be finished. */
static inline enum rcode update_judge(struct update *update, struct update_msg *msg, const struct update_bytes *m)
{
    const char *why = NULL;
    enum rcode rcode = update_read(msg, m);
    if (rcode)
        return rcode;
    rcode = update_take(update, msg, &why);
    assert_int_equal(why != NULL, rcode == RCODE_REFUSED || rcode == RCODE_NOTAUTH);
    return rcode;
}
