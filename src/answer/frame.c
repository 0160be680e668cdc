#include "answer/frame.h"

#include <string.h>

/* The one question at `r`; whatever comes behind QDCOUNT ≠ 1 is passed over only to reach the OPT. */
static enum err read_questions(struct query *q, struct reader *r, uint16_t *class)
{
    enum { TYPE_AND_CLASS_LEN = 4 };
    if (likely(q->qdcount == 1)) {
        enum err e = name_split(&q->name, r, q->context->key);
        q->qtype = reader_u16(r);
        *class = reader_u16(r);
        return r->failed ? ERR_SYNTAX : e;
    }
    q->qtype = *class = 0;
    for (unsigned i = 0; i < q->qdcount; i++) {
        msg_skip_name(r);
        if (!reader_take(r, TYPE_AND_CLASS_LEN))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}

/* The most bytes that this answer may have: over UDP what the client, the configuration and the buffer allow (RFC
 * 6891 6.2.3). */
static size_t most_bytes(const struct query *q, const struct answer_packet *packet, const struct msg_edns *edns)
{
    size_t most = MSG_MAX_LEN;
    if (packet->proto == ANSWER_UDP) {
        most = MSG_UDP_MIN;
        if (edns->present && edns->payload_len > MSG_UDP_MIN)
            most = edns->payload_len < q->context->udp_payload ? edns->payload_len : q->context->udp_payload;
    }
    return most < packet->out_cap ? most : packet->out_cap;
}

/* Header and, where it could be read, the question stand at the answer's start; in place they do already. */
static void begin_answer(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns,
                         size_t question_len)
{
    size_t len = MSG_HEADER_LEN + question_len;
    q->edns = edns->present;
    q->dnssec_ok = edns->dnssec_ok;
    if (packet->out != packet->in)
        memcpy(packet->out, packet->in, len);
    q->out = writer_over(packet->out, most_bytes(q, packet, edns) - (edns->present ? MSG_OPT_LEN : 0));
    q->out.at += len;
    q->qdcount = question_len > 0;
}

/* RFC 6895 3.1: types 128 to 255 and OPT are no data. What BIND says to them (NSD and Knot look for such data in the
 * zone); ANY is answered (RFC 8482), transfers are not for this path. */
static enum rcode judge_meta_type(const struct query *q, const struct answer_packet *packet)
{
    switch (q->qtype) {
    case RR_ANY:
        return RCODE_NOERROR;
    case RR_AXFR:
        return packet->proto == ANSWER_UDP ? RCODE_FORMERR : RCODE_REFUSED; /* RFC 5936 4.2: TCP only */
    case RR_IXFR:
        return msg_nscount(packet->in) ? RCODE_REFUSED : RCODE_FORMERR; /* RFC 1995 3: the client's SOA stands there */
    case RR_MAILA:
    case RR_MAILB:
        return RCODE_NOTIMP;
    default:
        return RCODE_FORMERR;
    }
}

static enum rcode judge_question(struct query *q, uint16_t class, const struct answer_packet *packet)
{
    q->class_any = class == RR_CLASS_ANY;
    if (unlikely(class != RR_CLASS_IN && !q->class_any))
        return RCODE_REFUSED;
    if (unlikely(q->qtype - 128u < 128 || q->qtype == RR_OPT))
        return judge_meta_type(q, packet);
    return RCODE_NOERROR;
}

/* The order of what can be wrong is BIND's: an unknown EDNS version hides an unknown opcode. A message of another
 * opcode may have any form behind the header (RFC 8490 DSO has), so there "malformed" means nothing. */
static enum rcode judge(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns,
                        bool malformed, uint16_t class)
{
    if (unlikely(edns->version > 0))
        return RCODE_BADVERS; /* RFC 6891 6.1.3 */
    if (unlikely(q->flags & MSG_OPCODE_MASK))
        return RCODE_NOTIMP;
    if (unlikely(malformed))
        return RCODE_FORMERR;
    return judge_question(q, class, packet);
}

enum frame_verdict frame_read(struct query *q, const struct answer_packet *packet)
{
    const uint8_t *in = packet->in;
    if (unlikely(packet->in_len < MSG_HEADER_LEN || msg_flags(in) & MSG_QR))
        return FRAME_DROP; /* answering an answer makes loops */
    /* AD and CD are a resolver's and are cleared, as NSD and Knot do. */
    q->flags = (uint16_t)(MSG_QR | (msg_flags(in) & (MSG_OPCODE_MASK | MSG_RD)));
    q->qdcount = msg_qdcount(in);
    q->referral = false;
    memset(q->counts, 0, sizeof q->counts);
    q->name_at = MSG_HEADER_LEN;
    q->link_cnt = q->dname_cnt = 0;

    struct reader r = reader_over(in, packet->in_len);
    reader_take(&r, MSG_HEADER_LEN);
    struct msg_edns edns = {0};
    uint16_t class;
    size_t question_len = 0;
    bool malformed = read_questions(q, &r, &class) != ERR_OK;
    if (likely(!malformed)) {
        question_len = q->qdcount == 1 ? reader_pos(&r) - MSG_HEADER_LEN : 0;
        /* Records that a query has no use for are passed over, as BIND and Knot do, when they are well-formed. */
        unsigned cnt = (unsigned)msg_ancount(in) + msg_nscount(in) + msg_arcount(in);
        malformed = cnt && msg_read_edns(&edns, &r, cnt, msg_arcount(in)) != ERR_OK;
        if (unlikely(malformed))
            edns = (struct msg_edns){0};
        malformed |= reader_left(&r) > 0;
    }
    malformed |= question_len == 0; /* RFC 9619: exactly one question */
    begin_answer(q, packet, &edns, question_len);
    q->rcode = (uint16_t)judge(q, packet, &edns, malformed, class);
    return likely(q->rcode == RCODE_NOERROR) ? FRAME_RESOLVE : FRAME_DONE;
}

/* RFC 6891 6.1.2: root, OPT, our payload size, the RCODE's upper bits, version 0, DO as it came (RFC 3225 3), no
 * options. */
static void write_opt(struct query *q)
{
    uint8_t opt[MSG_OPT_LEN] = {0};
    be16_put(opt + 1, RR_OPT);
    be16_put(opt + 3, q->context->udp_payload);
    be32_put(opt + 5, (uint32_t)(q->rcode >> 4) << 24 | (q->dnssec_ok ? MSG_EDNS_DO : 0));
    writer_put(&q->out, opt, sizeof opt);
}

void frame_finish(struct query *q)
{
    bool truncated = q->out.failed;
    uint8_t *header = q->out.begin;
    if (q->edns) {
        q->out.failed = false;
        q->out.end += MSG_OPT_LEN; /* begin_answer kept it back */
        write_opt(q);
        q->out.failed = truncated;
    }
    be16_put(header + 2, (uint16_t)(q->flags | (truncated ? MSG_TC : 0) | (q->rcode & MSG_RCODE_MASK)));
    be16_put(header + 4, q->qdcount);
    be16_put(header + 6, q->counts[QUERY_ANSWER]);
    be16_put(header + 8, q->counts[QUERY_AUTHORITY]);
    be16_put(header + 10, (uint16_t)(q->counts[QUERY_ADDITIONAL] + q->edns));
}
