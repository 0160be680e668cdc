#include "answer/handoff.h"

#include <stdlib.h>
#include <string.h>

#include "answer/query.h"
#include "base/mem.h"
#include "dns/edns.h"
#include "dns/msg.h"

void answer_hand_off_free(struct answer_hand_off *h)
{
    if (!h)
        return;
    hmac_wipe(&h->key, sizeof h->key);
    free(h);
}

struct answer_hand_off *answer_hand_off_new(const struct query *q, const struct answer_packet *packet,
                                            enum answer_hand_off_kind kind, unsigned view, const uint32_t *serial)
{
    struct answer_hand_off *h = mem_zalloc(1, sizeof *h + packet->in_len);
    h->kind = kind;
    h->proto = packet->proto;
    h->client = packet->client;
    memcpy(h->zone, q->name.lower, q->name.len);
    h->view = (uint8_t)view;
    h->has_serial = serial != NULL;
    h->serial = serial ? *serial : 0;
    h->edns = q->opt.len > 0;
    h->dnssec_ok = q->dnssec_ok;
    h->payload_len = q->context->settings->udp_payload;
    h->most_len = (uint16_t)(q->out.end - q->out.begin + q->opt.len + q->tsig_len);
    h->question_end = q->begun_len;
    h->is_signed = q->tsig_len > 0;
    if (h->is_signed) {
        h->tsig = q->tsig;
        tsig_own_key(&h->tsig, &h->key);
    }
    h->request_len = packet->in_len;
    memcpy(h->request, packet->in, packet->in_len);
    return h;
}

/* RFC 6891; without the options that the request had: nobody asks for a cookie, or who we are, by a transfer. */
static void put_opt(struct writer *w, const struct answer_hand_off *h, int ede)
{
    enum { EDE_LEN = EDNS_OPTION_HEADER_LEN + 2 };
    bool tells = ede >= 0 && writer_left(w) >= MSG_OPT_LEN + EDE_LEN;
    writer_u8(w, 0);
    writer_u16(w, RR_OPT);
    writer_u16(w, h->payload_len);
    writer_u32(w, h->dnssec_ok ? MSG_EDNS_DO : 0);
    writer_u16(w, tells ? EDE_LEN : 0);
    if (tells)
        edns_put_ede(w, (enum edns_ede)ede, "");
}

size_t answer_hand_off_reply(struct answer_hand_off *h, uint8_t *out, size_t cap, enum rcode rcode, int ede,
                             uint64_t now_sec)
{
    unsigned tsig_len = h->is_signed ? tsig_room(&h->tsig) : 0;
    struct writer w = writer_over(out, (cap < h->most_len ? cap : h->most_len) - tsig_len);
    writer_put(&w, h->request, h->question_end);
    unsigned aa = h->kind == ANSWER_NOTIFY && rcode == RCODE_NOERROR ? MSG_AA : 0; /* as BIND */
    be16_put(out + 2, (uint16_t)(MSG_QR | aa | (msg_flags(out) & (MSG_OPCODE_MASK | MSG_RD)) | rcode));
    memset(out + 6, 0, 6);
    be16_put(out + 10, h->edns);
    if (h->edns)
        put_opt(&w, h, ede);
    w.end += tsig_len;
    if (h->is_signed && !tsig_sign(&h->tsig, &w, now_sec))
        return 0;
    return writer_len(&w);
}
