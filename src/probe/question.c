#include "probe/question.h"

#include <string.h>

#include "base/mem.h"
#include "dns/rr.h"
#include "probe/probe.h"
#include "probe/rdata_text.h"

/* ---- what is asked ---- */

/* Zones are transferred over TCP, and the others are about messages. */
bool question_may_ask(uint16_t type)
{
    switch (type) {
    case 0:
    case RR_OPT:
    case RR_TKEY:
    case RR_TSIG:
    case RR_IXFR:
    case RR_AXFR:
        return false;
    default:
        return true;
    }
}

static uint16_t type_of(const struct probe_options *options)
{
    return options->query_type ? options->query_type : RR_SOA;
}

/* The family of an expected address, where addresses are asked for; ADDR_NONE: it is something else. */
static enum addr_family expected_family(const struct probe_options *options)
{
    struct addr addr;
    uint16_t type = type_of(options);
    if (!options->expect_answer || (type != RR_A && type != RR_AAAA) || addr_from_text(&addr, options->expect_answer))
        return ADDR_NONE;
    return (enum addr_family)addr.family;
}

bool question_expects_address(const struct probe_options *options)
{
    return expected_family(options) == (type_of(options) == RR_A ? ADDR_V4 : ADDR_V6);
}

bool question_expects_other_family(const struct probe_options *options)
{
    return expected_family(options) == (type_of(options) == RR_A ? ADDR_V6 : ADDR_V4);
}

static void expect(struct question_detail *detail, const struct probe_options *options)
{
    const int *rcodes = options->expect_rcode.items;
    struct addr addr;
    for (size_t i = 0; i < options->expect_rcode.cnt; i++)
        detail->rcodes |= UINT32_C(1) << rcodes[i];
    if (!options->expect_rcode.cnt)
        detail->rcodes = UINT32_C(1) << RCODE_NOERROR;
    if (!question_expects_address(options) || addr_from_text(&addr, options->expect_answer))
        return;
    detail->address_len = (uint8_t)addr_len(&addr);
    memcpy(detail->address, addr.bytes, detail->address_len);
}

/* A final dot or none: no zone is near that it could be relative to. */
uint8_t *question_pack(const struct probe_spec *spec, size_t *len)
{
    const struct probe_options *options = &spec->options;
    uint8_t name[NAME_MAX_LEN] = {0};
    unsigned name_len = 1;
    if (options->query_name && name_from_text(name, &name_len, options->query_name, strlen(options->query_name), NULL))
        name_len = 1;
    size_t query_len = MSG_HEADER_LEN + name_len + 4;
    struct question_detail *detail = mem_zalloc(1, sizeof *detail + query_len);
    struct writer w = writer_over(detail->query, query_len);
    detail->type = type_of(options);
    detail->query_len = (uint16_t)query_len;
    expect(detail, options);
    writer_u16(&w, 0);
    writer_u16(&w, options->recursion ? MSG_RD : 0);
    writer_u16(&w, 1);
    writer_put(&w, "\0\0\0\0\0\0", 6);
    writer_put(&w, name, name_len);
    writer_u16(&w, detail->type);
    writer_u16(&w, RR_CLASS_IN);
    *len = sizeof *detail + query_len;
    return (uint8_t *)detail;
}

void question_begin(struct question *question, const struct question_detail *detail, uint16_t id)
{
    memcpy(question->query, detail->query, detail->query_len);
    be16_put(question->query, id);
    question->others = false;
}

/* ---- what comes ---- */

/* The header and the question as they were sent: RFC 5452 section 9.1. Names may come back in other letters. */
static bool is_answer(const struct question *question, const struct question_detail *detail, const uint8_t *bytes,
                      size_t len)
{
    const uint8_t *asked = question->query + MSG_HEADER_LEN;
    if (len < detail->query_len || msg_id(bytes) != msg_id(question->query) || !(msg_flags(bytes) & MSG_QR) ||
        msg_opcode(bytes) != OPCODE_QUERY || msg_qdcount(bytes) != 1)
        return false;
    unsigned name_len = name_check(bytes + MSG_HEADER_LEN, len - MSG_HEADER_LEN);
    return name_len + MSG_HEADER_LEN + 4 == detail->query_len && name_equal(bytes + MSG_HEADER_LEN, asked) &&
           !memcmp(bytes + MSG_HEADER_LEN + name_len, asked + name_len, 4);
}

/* A record of the answer that is of the asked type, or of any if any was asked for. `text_left` is what may still be
 * written as text: a message of 16 KiB, full of records that point to one long name, would be a megabyte of it. */
static bool is_expected(const struct question_detail *detail, const struct pattern *pattern, struct reader message,
                        uint16_t type, uint16_t rdata_len, size_t *text_left)
{
    char text[RDATA_TEXT_MAX];
    if (type != detail->type && detail->type != RR_ANY)
        return false;
    if (detail->address_len)
        return rdata_len == detail->address_len && !memcmp(message.at, detail->address, rdata_len);
    size_t text_len = *text_left ? rdata_text(text, &message, type, rdata_len) : 0;
    if (text_len >= *text_left) {
        *text_left = 0;
        return false;
    }
    *text_left -= text_len;
    return pattern_matches(pattern, (const uint8_t *)text, text_len);
}

/* Looks through the answer section until the record is found. False: it is malformed before that. */
static bool find_record(const struct question_detail *detail, const struct pattern *pattern, const uint8_t *bytes,
                        size_t len, bool *found)
{
    struct reader r = reader_over(bytes, len);
    size_t text_left = QUESTION_TEXT_MAX;
    reader_take(&r, detail->query_len);
    *found = false;
    for (unsigned left = msg_ancount(bytes); left && !*found; left--) {
        if (!msg_skip_name(&r))
            return false;
        uint16_t type = reader_u16(&r), class = reader_u16(&r);
        reader_u32(&r);
        uint16_t rdata_len = reader_u16(&r);
        struct reader rdata = r;
        if (!reader_take(&r, rdata_len))
            return false;
        *found = class == RR_CLASS_IN && is_expected(detail, pattern, rdata, type, rdata_len, &text_left);
    }
    return !r.failed;
}

enum question_outcome question_judge(const struct question *question, const struct question_detail *detail,
                                     const struct pattern *pattern, const uint8_t *bytes, size_t len, unsigned *rcode)
{
    bool found, is_cut;
    if (!is_answer(question, detail, bytes, len))
        return QUESTION_OTHER;
    is_cut = msg_flags(bytes) & MSG_TC;
    *rcode = msg_flags(bytes) & MSG_RCODE_MASK;
    if (!(detail->rcodes >> *rcode & 1))
        return QUESTION_WRONG_RCODE;
    if (!detail->address_len && !pattern)
        return QUESTION_EXPECTED;
    /* A truncated message may end anywhere (RFC 2181 section 9). */
    bool is_whole = find_record(detail, pattern, bytes, len, &found);
    if (found)
        return QUESTION_EXPECTED;
    if (is_cut)
        return QUESTION_NO_RECORD_CUT;
    return is_whole ? QUESTION_NO_RECORD : QUESTION_MALFORMED;
}
