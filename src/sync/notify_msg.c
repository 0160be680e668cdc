#include "sync/notify_msg.h"

#include <assert.h>
#include <string.h>

/* ---- writing */

static uint16_t type_of(enum notify_msg_kind kind)
{
    static const uint16_t types[] = {
        [NOTIFY_MSG_NOTIFY] = RR_SOA,
        [NOTIFY_MSG_SOA] = RR_SOA,
        [NOTIFY_MSG_IXFR] = RR_IXFR,
        [NOTIFY_MSG_AXFR] = RR_AXFR,
    };
    return types[kind];
}

/* Header and question. RD is not set: nobody is to find it out for us. */
static void begin(struct writer *w, const struct notify_msg_ask *ask)
{
    bool is_notify = ask->kind == NOTIFY_MSG_NOTIFY;
    writer_u16(w, ask->id);
    writer_u16(w, is_notify ? OPCODE_NOTIFY << MSG_OPCODE_SHIFT | MSG_AA : 0); /* RFC 1996 3.3: AA */
    writer_u16(w, 1);
    for (unsigned i = 0; i < 3; i++)
        writer_u16(w, 0);
    writer_put(w, ask->apex, name_len(ask->apex));
    writer_u16(w, type_of(ask->kind));
    writer_u16(w, RR_CLASS_IN);
}

/* A record whose owner is the question's; counted at `count_at` in the header. */
static void put_soa(struct writer *w, const struct rr *soa, unsigned count_at)
{
    writer_u16(w, 0xc000 | MSG_HEADER_LEN);
    writer_u16(w, RR_SOA);
    writer_u16(w, RR_CLASS_IN);
    writer_u32(w, soa->ttl);
    writer_u16(w, soa->rdata_len);
    writer_put(w, soa->rdata, soa->rdata_len);
    be16_put(w->begin + count_at, 1);
}

static void sign(struct writer *w, struct tsig_state *tsig, uint64_t now_sec)
{
    bool done = tsig_sign(tsig, w, now_sec);
    assert(done); /* there is room for any */
    (void)done;
}

size_t notify_msg_write(uint8_t out[NOTIFY_MSG_MAX], struct notify_msg_ask *ask, uint64_t now_sec)
{
    enum { ANSWER_COUNT_AT = 6, AUTHORITY_COUNT_AT = 8, RECORD_HEAD_LEN = 12 };
    struct writer w = writer_over(out, NOTIFY_MSG_MAX);
    unsigned tsig_len = 0;
    begin(&w, ask);
    if (ask->key) {
        tsig_start(&ask->tsig, ask->key);
        tsig_len = tsig_room(&ask->tsig);
    }
    if (ask->kind == NOTIFY_MSG_IXFR)
        put_soa(&w, ask->soa, AUTHORITY_COUNT_AT);
    if (ask->kind == NOTIFY_MSG_NOTIFY && ask->soa &&
        writer_len(&w) + RECORD_HEAD_LEN + ask->soa->rdata_len + tsig_len <= MSG_UDP_MIN)
        put_soa(&w, ask->soa, ANSWER_COUNT_AT);
    assert(!w.failed);
    if (ask->key)
        sign(&w, &ask->tsig, now_sec);
    return writer_len(&w);
}

size_t notify_msg_reply(uint8_t out[NOTIFY_MSG_MAX], const uint8_t *msg, const struct notify_msg_request *request,
                        enum rcode rcode, uint16_t udp_payload, struct tsig_state *tsig, uint64_t now_sec)
{
    struct writer w = writer_over(out, NOTIFY_MSG_MAX);
    bool has_opt = request && request->edns.present;
    /* RFC 1996 4.7: the request with QR set; AA and RD come back as they were, all else is cleared. */
    unsigned kept = msg_flags(msg) & (MSG_OPCODE_MASK | MSG_AA | MSG_RD);
    writer_u16(&w, msg_id(msg));
    writer_u16(&w, (uint16_t)(MSG_QR | kept | (rcode & MSG_RCODE_MASK)));
    writer_u16(&w, request ? 1 : 0);
    writer_u16(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, has_opt);
    if (request)
        writer_put(&w, msg + MSG_HEADER_LEN, request->question_len);
    if (has_opt) {
        writer_u8(&w, 0);
        writer_u16(&w, RR_OPT);
        writer_u16(&w, udp_payload);
        writer_u32(&w, 0);
        writer_u16(&w, 0);
    }
    assert(!w.failed);
    if (tsig && tsig->name_len)
        sign(&w, tsig, now_sec);
    return writer_len(&w);
}

/* ---- reading */

/* The records of a section, up to the first SOA of `zone`. False: malformed; `r` is then failed. */
static bool find_soa(struct soa *soa, bool *has_soa, struct reader *r, unsigned cnt, const uint8_t *zone)
{
    *has_soa = false;
    for (unsigned i = 0; i < cnt && !*has_soa; i++) {
        uint8_t owner[NAME_MAX_LEN];
        unsigned owner_len = msg_read_name(owner, r);
        uint16_t type = reader_u16(r), class = reader_u16(r);
        reader_u32(r);
        uint16_t len = reader_u16(r);
        struct reader rdata = *r;
        if (!reader_take(r, len) || !owner_len)
            return false;
        if (type != RR_SOA || class != RR_CLASS_IN || !name_equal(owner, zone))
            continue;
        rdata.end = r->at;
        *has_soa = soa_read_msg(soa, &rdata);
        if (!*has_soa)
            return false;
    }
    return true;
}

static bool is_question(const struct notify_msg_ask *ask, struct reader *r)
{
    uint8_t name[NAME_MAX_LEN];
    bool is_same = msg_read_name(name, r) && name_equal(name, ask->apex);
    uint16_t type = reader_u16(r), class = reader_u16(r);
    return !r->failed && is_same && type == type_of(ask->kind) && class == RR_CLASS_IN;
}

/* Is it an answer to what was asked? `r` is then behind the question. */
static bool answers(const struct notify_msg_ask *ask, struct reader *r, const uint8_t *msg, size_t len)
{
    unsigned opcode = ask->kind == NOTIFY_MSG_NOTIFY ? OPCODE_NOTIFY : OPCODE_QUERY;
    if (len < MSG_HEADER_LEN || len > MSG_MAX_LEN || msg_id(msg) != ask->id || !(msg_flags(msg) & MSG_QR) ||
        msg_opcode(msg) != opcode)
        return false;
    reader_take(r, MSG_HEADER_LEN);
    if (!msg_qdcount(msg))
        return msg_flags(msg) & MSG_RCODE_MASK;
    return msg_qdcount(msg) == 1 && is_question(ask, r);
}

enum err notify_msg_read_answer(struct notify_msg_answer *answer, struct notify_msg_ask *ask, const uint8_t *msg,
                                size_t len, uint64_t now_sec)
{
    struct notify_msg_answer read = {0};
    struct reader r = reader_over(msg, len);
    if (!answers(ask, &r, msg, len))
        return ERR_INVALID;
    /* Each datagram is judged by the request alone: one that is forged must not spoil the next. */
    if (ask->key) {
        struct tsig_state tsig = ask->tsig;
        enum tsig_verdict verdict = tsig_verify_answer(&tsig, msg, len, now_sec);
        ask->tsig.error = tsig.error;
        ask->tsig.server_time_sec = tsig.server_time_sec;
        if (verdict)
            return ERR_DENIED;
    }
    read.rcode = msg_flags(msg) & MSG_RCODE_MASK;
    read.is_authoritative = msg_flags(msg) & MSG_AA;
    read.is_truncated = msg_flags(msg) & MSG_TC;
    /* Only what has RCODE NOERROR has anything to say of the zone. */
    unsigned cnt = read.rcode == RCODE_NOERROR ? msg_ancount(msg) : 0;
    if (!find_soa(&read.soa, &read.has_soa, &r, cnt, ask->apex) && !read.is_truncated)
        return ERR_SYNTAX;
    *answer = read;
    return ERR_OK;
}

/* The one question; ERR_SYNTAX, ERR_NOT_FOUND. */
static enum err read_question(struct notify_msg_request *request, struct reader *r)
{
    uint8_t name[NAME_MAX_LEN];
    unsigned len = name_check(r->at, reader_left(r)); /* no pointer: there is nothing before it */
    const uint8_t *at = len ? reader_take(r, len) : NULL;
    uint16_t type = reader_u16(r), class = reader_u16(r);
    if (!at || r->failed || type != RR_SOA)
        return ERR_SYNTAX;
    memcpy(name, at, len);
    name_to_lower(request->zone, name);
    request->question_len = (uint16_t)(reader_pos(r) - MSG_HEADER_LEN);
    return class == RR_CLASS_IN ? ERR_OK : ERR_NOT_FOUND;
}

enum err notify_msg_read(struct notify_msg_request *request, const uint8_t *msg, size_t len)
{
    struct reader r = reader_over(msg, len);
    struct soa soa;
    *request = (struct notify_msg_request){0};
    if (len < MSG_HEADER_LEN || len > MSG_MAX_LEN || msg_flags(msg) & MSG_QR || msg_opcode(msg) != OPCODE_NOTIFY)
        return ERR_INVALID;
    reader_take(&r, MSG_HEADER_LEN);
    request->id = msg_id(msg);
    if (msg_qdcount(msg) != 1)
        return ERR_SYNTAX;
    enum err e = read_question(request, &r);
    if (e)
        return e;
    struct reader answer = r;
    unsigned cnt = (unsigned)msg_ancount(msg) + msg_nscount(msg) + msg_arcount(msg);
    if (msg_read_edns(&request->edns, &r, cnt, msg_arcount(msg)) || reader_left(&r))
        return ERR_SYNTAX;
    if (!find_soa(&soa, &request->has_serial, &answer, msg_ancount(msg), request->zone))
        return ERR_SYNTAX;
    request->serial = request->has_serial ? soa.serial : 0;
    return ERR_OK;
}
