/* Zones from short texts, for the tests of zone/. One line a record: "OWNER TTL TYPE DATA…", owners and names relative
 * to the zone's apex ("@" is it). Data of A: one number, the last byte; AAAA: likewise; SOA: serial and minimum; MX and
 * SRV: preference and name; TXT: one word; RRSIG: the type it covers and a number that tells it from others; NSEC3PARAM
 * and NSEC3: iterations and the byte that is the salt (the next hash is all 0). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "zone/records.h"

/* A key under which labels of one length that begin with "collide-" have one hash (their
 * first eight bytes, taken as a number, are k[1]). */
static const struct hash_key test_key = {{0x0123456789abcdef, 0x2d6564696c6c6f63, 0x1357924680acebdf}};
static const uint8_t test_apex[] = "\7example\3com";

/* A name in wire form; `out` has NAME_MAX_LEN bytes. */
static inline unsigned put_wire(uint8_t *out, const char *text)
{
    unsigned len;
    assert_int_equal(name_from_text(out, &len, text, strlen(text), test_apex), ERR_OK);
    return len;
}

static inline unsigned put_soa(uint8_t *out, const char *serial, const char *minimum)
{
    unsigned len = put_wire(out, "ns");
    len += put_wire(out + len, "host.example.net.");
    uint32_t numbers[5] = {(uint32_t)strtoul(serial, NULL, 10), 3600, 600, 86400, (uint32_t)strtoul(minimum, NULL, 10)};
    for (unsigned i = 0; i < 5; i++)
        be32_put(out + len + 4 * i, numbers[i]);
    return len + 20;
}

/* The rdata of `type`, out of the line's last two words; returns its length. */
static inline unsigned put_rdata(uint8_t *out, uint16_t type, const char *a, const char *b)
{
    unsigned number = (unsigned)strtoul(a, NULL, 10);
    uint16_t covered;
    switch (type) {
    case RR_A:
        memcpy(out, "\xc0\0\2", 3);
        out[3] = (uint8_t)number;
        return 4;
    case RR_AAAA:
        memcpy(out, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0", 15);
        out[15] = (uint8_t)number;
        return 16;
    case RR_SOA:
        return put_soa(out, a, b);
    case RR_MX:
        be16_put(out, (uint16_t)number);
        return 2 + put_wire(out + 2, b);
    case RR_SRV:
        memset(out, 0, 6);
        be16_put(out, (uint16_t)number);
        return 6 + put_wire(out + 6, b);
    case RR_TXT:
        out[0] = (uint8_t)strlen(a);
        memcpy(out + 1, a, out[0]);
        return 1u + out[0];
    case RR_RRSIG:
        memset(out, 0, 20);
        assert_int_equal(rr_type_from_text(&covered, a, strlen(a)), ERR_OK);
        be16_put(out, covered);
        out[18] = (uint8_t)strtoul(b, NULL, 10);
        return 20;
    case RR_NSEC3PARAM:
    case RR_NSEC3:
        memset(out, 0, 27);
        out[0] = out[4] = 1;
        be16_put(out + 2, (uint16_t)number);
        out[5] = (uint8_t)strtoul(b, NULL, 10);
        out[6] = 20;
        return type == RR_NSEC3 ? 27 : 6;
    case RR_MINFO: {
        unsigned len = put_wire(out, a);
        return len + put_wire(out + len, b);
    }
    default:
        return put_wire(out, a);
    }
}

static inline void add_line(struct zone_records *records, const char *line, unsigned line_no)
{
    char owner[256], type_text[32], a[300] = "", b[300] = "";
    uint8_t owner_wire[NAME_MAX_LEN], rdata[600];
    unsigned ttl;
    struct rr rr = {.owner = owner_wire, .rdata = rdata};
    assert_true(sscanf(line, "%255s %u %31s %299s %299s", owner, &ttl, type_text, a, b) >= 4);
    put_wire(owner_wire, owner);
    assert_int_equal(rr_type_from_text(&rr.type, type_text, strlen(type_text)), ERR_OK);
    rr.ttl = ttl;
    rr.rdata_len = (uint16_t)put_rdata(rdata, rr.type, a, b);
    zone_records_add(records, &rr, "test", line_no);
}

/* Sorted records of the zone `apex` out of lines that end in '\n'. */
static inline struct zone_records *records_within(const uint8_t *apex, const char *text)
{
    struct zone_records *records = zone_records_new(apex, &test_key);
    unsigned line_no = 1;
    for (const char *p = text; *p; line_no++) {
        char line[1024];
        size_t len = strcspn(p, "\n");
        assert_true(len < sizeof(line));
        memcpy(line, p, len);
        line[len] = '\0';
        add_line(records, line, line_no);
        p += len + (p[len] == '\n');
    }
    zone_records_sort(records);
    return records;
}

static inline struct zone_records *records_of(const char *text)
{
    return records_within(test_apex, text);
}

/* A decoder that has nothing in common with the code it checks. */
struct message {
    uint8_t *bytes;
    size_t len;
};

/* The name at `at`, without compression; returns where the next field begins. */
static inline size_t decode_name(uint8_t out[NAME_MAX_LEN], unsigned *out_len, const struct message *m, size_t at)
{
    size_t behind = 0, steps = 0;
    *out_len = 0;
    for (;;) {
        assert_true(at < m->len && steps++ < 300);
        unsigned c = m->bytes[at];
        if (c >= 0xc0) {
            assert_true(at + 1 < m->len);
            size_t to = (c & 63) << 8 | m->bytes[at + 1];
            assert_true(to >= 12 && to < at);
            if (!behind)
                behind = at + 2;
            at = to;
            continue;
        }
        assert_true(c < 64 && *out_len + 1 + c <= NAME_MAX_LEN && at + 1 + c <= m->len);
        memcpy(out + *out_len, m->bytes + at, 1 + c);
        *out_len += 1 + c;
        at += 1 + c;
        if (!c)
            return behind ? behind : at;
    }
}
