#include "sync/outgoing_reply.h"

#include "base/acl.h"
#include "base/clock.h"
#include "dns/msg.h"

static uint64_t now_sec(void) { return clock_wall_ms() / 1000; }

struct stream_out_request outgoing_stream_request(struct answer_hand_off *request)
{
    return (struct stream_out_request){
        .name = request->request + MSG_HEADER_LEN,
        .type = request->kind == ANSWER_AXFR ? RR_AXFR : RR_IXFR,
        .id = be16_get(request->request),
        .recursion_desired = msg_flags(request->request) & MSG_RD,
        .edns = request->edns,
        .payload_len = request->payload_len,
        .tsig = request->is_signed ? &request->tsig : NULL,
        .without_balance = request->view == ACL_LIVE,
    };
}

size_t outgoing_reply_make(uint8_t message[OUTGOING_REPLY_MAX], const struct answer_hand_off *request,
                           struct stream_out *out)
{
    size_t len, cap = request->most_len < OUTGOING_REPLY_MAX ? request->most_len : OUTGOING_REPLY_MAX;
    stream_out_datagram(out, message, cap, &len, now_sec());
    return len;
}

void outgoing_reply_send(struct io *io, struct io_handoff **handoff, const uint8_t *message, size_t len)
{
    if (len)
        io_answer(io, handoff, message, len);
    else
        io_forget(io, handoff);
}

void outgoing_reply_soa(struct io *io, struct io_handoff **handoff, const struct zone_version *version)
{
    uint8_t message[OUTGOING_REPLY_MAX];
    struct answer_hand_off *request = io_handoff_request(*handoff);
    struct stream_out_request asked = outgoing_stream_request(request);
    struct stream_out out;
    stream_out_current(&out, &asked, version);
    size_t len = outgoing_reply_make(message, request, &out);
    outgoing_reply_send(io, handoff, message, len);
}

void outgoing_reply_rcode(struct io *io, struct io_handoff **handoff, enum rcode rcode, enum edns_ede ede)
{
    uint8_t message[OUTGOING_REPLY_MAX];
    struct answer_hand_off *request = io_handoff_request(*handoff);
    size_t len = answer_hand_off_reply(request, message, sizeof message, rcode, (int)ede, now_sec());
    outgoing_reply_send(io, handoff, message, len);
}
