#include "answer/frame.h"

#include <string.h>

#include "answer/admit.h"
#include "answer/chaos.h"
#include "answer/optrr.h"
#include "answer/refusals.h"
#include "answer/signing.h"

enum { QUESTIONS_PASSED_MAX = 4 };

/* The one question at `r`; whatever comes behind QDCOUNT ≠ 1 is passed over only to reach the OPT, and not if that
 * would cost more than an answer. */
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
    if (q->qdcount > QUESTIONS_PASSED_MAX)
        return ERR_SYNTAX;
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
            most = edns->payload_len < q->context->settings->udp_payload ? edns->payload_len
                                                                         : q->context->settings->udp_payload;
    }
    return most < packet->out_cap ? most : packet->out_cap;
}

/* Header and, where it could be read, the question stand at the answer's start; in place they do already. */
static void begin_answer(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns,
                         size_t question_len)
{
    size_t len = MSG_HEADER_LEN + question_len, most = most_bytes(q, packet, edns);
    q->begun_len = (uint16_t)len;
    if (unlikely(q->tsig_len))
        most = signing_most(q, packet, most);
    if (packet->out != packet->in)
        memcpy(packet->out, packet->in, len);
    q->out = writer_over(packet->out, most - q->opt.len - q->tsig_len);
    q->out.at += len;
    q->qdcount = question_len > 0;
}

static enum frame_verdict done(struct query *q, enum rcode rcode, unsigned ede)
{
    q->rcode = (uint16_t)rcode;
    q->opt.ede = (uint16_t)ede;
    return FRAME_DONE;
}

/* RFC 6895 3.1: types 128 to 255 and OPT are no data. What BIND says to them (NSD and Knot look for such data in the
 * zone); ANY is answered (RFC 8482), transfers are not by this path. */
static enum frame_verdict judge_meta_type(struct query *q, const struct answer_packet *packet)
{
    switch (q->qtype) {
    case RR_ANY:
        return FRAME_RESOLVE;
    case RR_AXFR:
    case RR_IXFR:
        return admit_transfer(q, packet);
    case RR_MAILA:
    case RR_MAILB:
        return done(q, RCODE_NOTIMP, EDNS_EDE_NOT_SUPPORTED);
    default:
        break;
    }
    return done(q, RCODE_FORMERR, QUERY_NO_EDE);
}

static enum frame_verdict judge_question(struct query *q, uint16_t class, const struct answer_packet *packet)
{
    q->class_any = class == RR_CLASS_ANY;
    if (unlikely(class == RR_CLASS_CH))
        return chaos_answer(q) ? FRAME_DONE : done(q, RCODE_REFUSED, EDNS_EDE_PROHIBITED);
    if (unlikely(class != RR_CLASS_IN && !q->class_any))
        return done(q, RCODE_REFUSED, EDNS_EDE_NOT_AUTHORITATIVE);
    if (unlikely(q->qtype - 128u < 128 || q->qtype == RR_OPT))
        return judge_meta_type(q, packet);
    return FRAME_RESOLVE;
}

/* A message of another opcode may have any form behind the header (RFC 8490 DSO has), so there "malformed" means
 * nothing; of NOTIFY and UPDATE the form is that of a query. */
static ATTR_COLD enum frame_verdict judge_opcode(struct query *q, const struct answer_packet *packet, bool malformed)
{
    unsigned opcode = msg_opcode(packet->in);
    if (opcode != OPCODE_NOTIFY && opcode != OPCODE_UPDATE)
        return done(q, RCODE_NOTIMP, EDNS_EDE_NOT_SUPPORTED);
    if (malformed)
        return done(q, RCODE_FORMERR, QUERY_NO_EDE);
    if (q->opt.flags & QUERY_OPT_BADCOOKIE)
        return done(q, RCODE_BADCOOKIE, QUERY_NO_EDE);
    return opcode == OPCODE_NOTIFY ? admit_notify(q, packet) : admit_update(q, packet);
}

/* A bad signature hides all else: nothing is known of whoever made it. Then the order of what can be wrong is BIND's:
 * an unknown EDNS version hides an unknown opcode. */
static enum frame_verdict judge(struct query *q, const struct answer_packet *packet, const struct msg_edns *edns,
                                bool malformed, uint16_t class)
{
    if (unlikely(q->tsig_error)) {
        refusals_note(q, packet, REFUSAL_SIGNATURE);
        return done(q, RCODE_NOTAUTH, QUERY_NO_EDE); /* RFC 8945 5.2 */
    }
    if (unlikely(edns->version > 0))
        return done(q, RCODE_BADVERS, QUERY_NO_EDE); /* RFC 6891 6.1.3 */
    if (unlikely(q->flags & MSG_OPCODE_MASK))
        return judge_opcode(q, packet, malformed);
    if (unlikely(malformed))
        return done(q, RCODE_FORMERR, QUERY_NO_EDE);
    if (unlikely(q->opt.flags & QUERY_OPT_BADCOOKIE))
        return done(q, RCODE_BADCOOKIE, QUERY_NO_EDE);
    if (unlikely(!q->qdcount))
        return done(q, RCODE_NOERROR, QUERY_NO_EDE); /* RFC 7873 5.4: what was asked for is a cookie */
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
    q->rcode = RCODE_NOERROR;
    q->referral = false;
    q->trusted = packet->proto == ANSWER_TCP;
    memset(q->counts, 0, sizeof q->counts);
    q->name_at = MSG_HEADER_LEN;
    q->link_cnt = q->dname_cnt = 0;
    q->tsig_len = q->tsig_error = 0;

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
        if (unlikely(edns.tsig_at && !malformed))
            malformed = !signing_read(q, packet, edns.tsig_at);
    }
    /* The options are read before the answer takes their place. */
    malformed |= !optrr_read(q, packet, &edns);
    /* RFC 9619: exactly one question, or none with a cookie. */
    malformed |= question_len == 0 && (q->qdcount || !(q->opt.flags & QUERY_OPT_COOKIE));
    begin_answer(q, packet, &edns, question_len);
    return judge(q, packet, &edns, malformed, class);
}

void frame_cut(struct query *q)
{
    q->out.at = q->out.begin + q->begun_len;
    memset(q->counts, 0, sizeof q->counts);
}

void frame_finish(struct query *q)
{
    bool truncated = q->out.failed;
    uint8_t *header = q->out.begin;
    if (unlikely(truncated && q->tsig_len)) {
        frame_cut(q); /* RFC 8945 5.3: only the question stays, and the RCODE says nothing */
        q->rcode = RCODE_NOERROR;
    }
    if (q->opt.len) {
        q->out.failed = false;
        q->out.end += q->opt.len; /* begin_answer kept it back */
        optrr_write(q);
        q->out.failed = truncated;
    }
    be16_put(header + 2, (uint16_t)(q->flags | (truncated ? MSG_TC : 0) | (q->rcode & MSG_RCODE_MASK)));
    be16_put(header + 4, q->qdcount);
    be16_put(header + 6, q->counts[QUERY_ANSWER]);
    be16_put(header + 8, q->counts[QUERY_AUTHORITY]);
    be16_put(header + 10, (uint16_t)(q->counts[QUERY_ADDITIONAL] + (q->opt.len > 0)));
    if (unlikely(q->tsig_len))
        signing_write(q);
}
