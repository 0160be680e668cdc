/* The frame of a message: names passed over and read, OPT and TSIG found (dns/msg.h). The first byte of an input says
 * how many records there are, and where "additional" begins; the rest is the message, read from behind its header.
 * Whatever it is, a reader that goes byte by byte and shares no code must come to the same end. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "dns/rr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOWHERE = -1 };

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

/* Where the name at `at` ends, or NOWHERE. */
static long name_end(const uint8_t *m, size_t len, size_t at)
{
    size_t begin = at;
    while (at < len && at - begin < NAME_MAX_LEN) {
        if (m[at] == 0)
            return (long)at + 1;
        if (m[at] >> 6 == 3) {
            if (at + 1 >= len)
                return NOWHERE;
            size_t target = (size_t)(m[at] & 0x3f) * 256 + m[at + 1];
            return target >= 12 && target < begin ? (long)at + 2 : NOWHERE;
        }
        if (m[at] >> 6)
            return NOWHERE;
        at += (size_t)m[at] + 1;
    }
    return NOWHERE;
}

static unsigned number(const uint8_t *p) { return p[0] * 256u + p[1]; }

static bool options_end(const uint8_t *p, size_t len)
{
    unsigned cnt = 0;
    for (; len >= 4 && number(p + 2) <= len - 4; cnt++) {
        size_t whole = 4 + (size_t)number(p + 2);
        p += whole;
        len -= whole;
    }
    return len == 0 && cnt <= MSG_OPTIONS_MAX;
}

/* Where the records end, or NOWHERE; *opt: where the OPT's fixed part begins, *tsig: where the TSIG does; 0 without. */
static long records_end(const uint8_t *m, size_t len, unsigned cnt, unsigned additional_cnt, size_t *opt, size_t *tsig)
{
    size_t at = 12;
    *opt = *tsig = 0;
    if (cnt > MSG_RECORDS_MAX && (m[2] & 0x78) != OPCODE_UPDATE << 3)
        return NOWHERE;
    for (unsigned i = 0; i < cnt; i++) {
        long fixed = name_end(m, len, at);
        if (fixed == NOWHERE || len - (size_t)fixed < 10 || len - (size_t)fixed - 10 < number(m + fixed + 8))
            return NOWHERE;
        if (number(m + fixed) == 41) {
            if (*opt || m[at] || i < cnt - additional_cnt || !options_end(m + fixed + 10, number(m + fixed + 8)))
                return NOWHERE;
            *opt = (size_t)fixed;
        }
        if (*tsig)
            return NOWHERE; /* something behind it */
        if (number(m + fixed) == 250)
            *tsig = at;
        at = (size_t)fixed + 10 + number(m + fixed + 8);
    }
    return *tsig && !additional_cnt ? NOWHERE : (long)at;
}

/* The name at `at` with what its pointers lead to; its length, 0: malformed. */
static unsigned expand(uint8_t out[NAME_MAX_LEN], const uint8_t *m, size_t len, size_t at)
{
    unsigned out_len = 0;
    if (name_end(m, len, at) == NOWHERE)
        return 0;
    for (size_t begin = at; at < len; at += (size_t)m[at] + 1) {
        while (m[at] >= 0xc0) {
            size_t target = at + 1 < len ? (size_t)(m[at] & 0x3f) * 256 + m[at + 1] : 0;
            if (target < 12 || target >= begin)
                return 0;
            begin = at = target;
        }
        if (m[at] > 63 || len - at <= m[at] || out_len + m[at] + 1u > NAME_MAX_LEN)
            return 0;
        memcpy(out + out_len, m + at, (size_t)m[at] + 1);
        out_len += m[at] + 1u;
        if (!m[at])
            return out_len;
    }
    return 0;
}

static void read_name(const uint8_t *m, size_t len, size_t at)
{
    uint8_t name[NAME_MAX_LEN], wanted[NAME_MAX_LEN];
    struct reader r = reader_over(m, len);
    reader_take(&r, at);
    unsigned name_len = msg_read_name(name, &r);
    require(name_len == expand(wanted, m, len, at) && r.failed == !name_len);
    if (name_len)
        require(!memcmp(name, wanted, name_len) && (long)reader_pos(&r) == name_end(m, len, at));
}

static void skip_names(const uint8_t *m, size_t len)
{
    for (size_t at = 12; at < len && at < 300; at++) {
        struct reader r = reader_over(m, len);
        reader_take(&r, at);
        long end = name_end(m, len, at);
        require(msg_skip_name(&r) == (end != NOWHERE) && r.failed == (end == NOWHERE));
        require(r.failed || reader_pos(&r) == (size_t)end);
        read_name(m, len, at);
    }
}

static void read_records(const uint8_t *m, size_t len, unsigned cnt, unsigned additional_cnt)
{
    struct reader r = reader_over(m, len);
    struct msg_edns edns;
    size_t opt, tsig;
    reader_take(&r, 12);
    enum err e = msg_read_edns(&edns, &r, cnt, additional_cnt);
    long end = records_end(m, len, cnt, additional_cnt, &opt, &tsig);
    require((e == ERR_OK) == (end != NOWHERE));
    if (e)
        return;
    require(!r.failed && reader_pos(&r) == (size_t)end && edns.present == (opt > 0));
    require(edns.tsig_at == tsig % 65536);
    if (!opt)
        return;
    require(edns.payload_len == number(m + opt + 2) && edns.version == m[opt + 5]);
    require(edns.dnssec_ok == (m[opt + 6] >= 0x80));
    require(edns.options == m + opt + 10 && edns.options_len == number(m + opt + 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 + 12)
        return 0;
    unsigned cnt = data[0] & 15, additional_cnt = data[0] >> 4;
    skip_names(data + 1, len - 1);
    read_records(data + 1, len - 1, cnt, additional_cnt < cnt ? additional_cnt : cnt);
    return 0;
}
