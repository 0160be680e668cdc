#include "sync/stream_in.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dns/msg.h"
#include "dns/serial.h"
#include "ldnsx/rdata.h"
#include "sync/fault.h"

/* What the next record may be. */
enum phase {
    PHASE_FIRST,   /* the current SOA */
    PHASE_SECOND,  /* of an IXFR our SOA, else any */
    PHASE_WHOLE,   /* any; the SOA ends it */
    PHASE_REMOVED, /* any; an SOA is the changeset's new one */
    PHASE_ADDED,   /* any; an SOA is the next changeset's old one, or the end */
    PHASE_END,     /* none */
};

/* The frame of a message. */
struct frame {
    size_t answers_at;
    uint16_t rcode;
    bool has_tsig;
};

void stream_in_init(struct stream_in *in, const struct stream_in_asked *asked)
{
    assert(asked->type == RR_IXFR || (asked->type == RR_AXFR && !asked->datagram));
    *in = (struct stream_in){.asked = *asked, .phase = PHASE_FIRST};
    in->name_len = name_to_lower(in->name, asked->name);
    in->asked.name = in->name;
}

ATTR_PRINTF(2, 3) static bool fail(struct stream_in *in, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(in->why, sizeof in->why, fmt, args);
    va_end(args);
    in->state = STREAM_IN_FAILED;
    return false;
}

/* Fails for a record: "what" of which, and its name and type. */
static bool fail_at(struct stream_in *in, const char *what)
{
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    name_to_text(name, in->record.owner);
    return fail(in, "%s: %s of \"%.150s\"", what, rr_type_to_text(type, in->record.rr.type), name);
}

static void finish(struct stream_in *in, enum stream_in_outcome outcome)
{
    in->phase = PHASE_END;
    in->state = STREAM_IN_DONE;
    in->outcome = outcome;
}

/* ---- the message */

/* Another's answer, or none; `r` is over the message, at its question. */
static bool is_ours(struct stream_in *in, struct reader *r, unsigned rcode)
{
    const uint8_t *msg = r->begin;
    unsigned qdcount = msg_qdcount(msg);
    uint8_t name[NAME_MAX_LEN];
    if (!qdcount) /* RFC 5936 2.2.1; whoever did not understand the question may not repeat it */
        return in->message_cnt || rcode || fail(in, "the answer has no question");
    unsigned len = msg_read_name(name, r);
    uint16_t type = reader_u16(r), class = reader_u16(r);
    if (qdcount > 1 || r->failed || len != in->name_len || !name_equal(name, in->name) || type != in->asked.type ||
        class != RR_CLASS_IN)
        return fail(in, "the answer is to another question");
    return true;
}

static bool is_an_answer(struct stream_in *in, const uint8_t *msg, size_t len)
{
    if (len < MSG_HEADER_LEN || len > MSG_MAX_LEN)
        return fail(in, "a message of %zu bytes", len);
    if (msg_id(msg) != in->asked.id)
        return fail(in, "the answer has the ID %u instead of %u", (unsigned)msg_id(msg), (unsigned)in->asked.id);
    if (!(msg_flags(msg) & MSG_QR) || msg_opcode(msg) != OPCODE_QUERY)
        return fail(in, "the message is no answer to a query");
    return true;
}

/* All records, without a look at what is in them but for OPT and TSIG; nothing may stand behind them. */
static bool read_records(struct frame *frame, struct reader *r)
{
    enum { FIXED_LEN = 10 };
    unsigned cnt = (unsigned)msg_ancount(r->begin) + msg_nscount(r->begin) + msg_arcount(r->begin);
    for (unsigned i = 0; i < cnt; i++) {
        const uint8_t *fixed = msg_skip_name(r) ? reader_take(r, FIXED_LEN) : NULL;
        if (!fixed || !reader_take(r, be16_get(fixed + FIXED_LEN - 2)))
            return false;
        if (i + msg_arcount(r->begin) < cnt)
            continue;
        if (be16_get(fixed) == RR_OPT) /* RFC 6891 6.1.3 */
            frame->rcode = (uint16_t)((msg_flags(r->begin) & MSG_RCODE_MASK) | fixed[4] << 4);
        else if (be16_get(fixed) == RR_TSIG)
            frame->has_tsig = true;
    }
    return !reader_left(r);
}

static bool read_frame(struct stream_in *in, struct frame *frame, const uint8_t *msg, size_t len)
{
    *frame = (struct frame){0};
    if (!is_an_answer(in, msg, len))
        return false;
    struct reader r = reader_over(msg, len);
    reader_take(&r, MSG_HEADER_LEN);
    frame->rcode = msg_flags(msg) & MSG_RCODE_MASK;
    if (!is_ours(in, &r, frame->rcode))
        return false;
    frame->answers_at = reader_pos(&r);
    if (!read_records(frame, &r))
        return fail(in, "the message is malformed");
    in->rcode = frame->rcode;
    return true;
}

/* ---- TSIG */

static const char *verdict_text(enum tsig_verdict verdict)
{
    switch (verdict) {
    case TSIG_OK:
    case TSIG_PENDING: break;
    case TSIG_FORMERR: return "the TSIG is malformed";
    case TSIG_BADSIG: return "the signature is wrong";
    case TSIG_BADKEY: return "the TSIG is made with another key";
    case TSIG_BADTIME: return "the time of the signature is too far from ours";
    case TSIG_BADTRUNC: return "the signature is too short";
    case TSIG_MISSING: return "there is no TSIG where there has to be one";
    }
    return "";
}

/* With the key that both sides should have, and the answer's RCODE where it is an error. */
static bool fail_by_key(struct stream_in *in, unsigned rcode, const char *what)
{
    char all[FAULT_MAX], fault[FAULT_MAX];
    snprintf(all, sizeof all, "%s%s%s%s", rcode ? "the answer is " : "", rcode ? rcode_text(rcode) : "",
             rcode ? ", and " : "", what);
    if (in->verdict == TSIG_BADTIME)
        return fail(in, "%s", all);
    return fail(in, "%s", fault_of_key(fault, all, in->asked.tsig->key));
}

/* What an unsigned TSIG may complain of (RFC 8945 5.3.2). */
static const char *complaint_text(unsigned error)
{
    return error == TSIG_BADKEY ? "the primary does not know our key"
           : error == TSIG_BADSIG ? "the primary finds our signature wrong" : NULL;
}

static bool is_authentic(struct stream_in *in, const struct frame *frame, const uint8_t *msg, size_t len,
                         uint64_t now_sec)
{
    struct tsig_state *state = in->asked.tsig;
    if (!state)
        return !frame->has_tsig || fail(in, "the answer is signed, the request was not");
    struct tsig_state before = *state;
    in->verdict = tsig_verify_answer(state, msg, len, now_sec);
    if (in->verdict == TSIG_OK || in->verdict == TSIG_PENDING)
        return true;
    const char *complaint = complaint_text(state->error);
    if (in->asked.datagram)
        *state = before;
    return fail_by_key(in, frame->rcode, frame->rcode && complaint ? complaint : verdict_text(in->verdict));
}

static bool is_good(struct stream_in *in, const struct frame *frame)
{
    const struct tsig_state *state = in->asked.tsig;
    if (state && state->error == TSIG_BADTIME && state->server_time_sec)
        return fail(in, "the answer is %s: the primary's clock says %" PRIu64 ", ours is another",
                    rcode_text(frame->rcode), state->server_time_sec);
    char fault[FAULT_MAX];
    if (frame->rcode)
        return fail(in, "the answer is %s", fault_of_rcode(fault, frame->rcode));
    return true;
}

/* ---- records */

static uint32_t soa_serial(const struct rr *rr) { return be32_get(rr->rdata + rr->rdata_len - 20); }

static void give(struct stream_in *in, enum stream_in_kind kind, const struct rr *rr)
{
    in->asked.fn(in->asked.arg, kind, rr, in->serial_from, in->serial_to);
}

/* The end, which has to be signed (RFC 8945 5.3.1). */
static bool end(struct stream_in *in, enum stream_in_outcome outcome)
{
    if (in->asked.tsig && !tsig_is_proven(in->asked.tsig))
        return fail(in, "the last message is not signed");
    finish(in, outcome);
    return true;
}

static bool take_first(struct stream_in *in, const struct rr *rr)
{
    if (rr->type != RR_SOA)
        return fail_at(in, "the first record is no SOA");
    memcpy(in->soa_rdata, rr->rdata, rr->rdata_len);
    in->soa = *rr;
    in->soa.owner = in->name;
    in->soa.rdata = in->soa_rdata;
    in->serial = soa_serial(rr);
    in->has_serial = true;
    in->phase = PHASE_SECOND;
    if (in->asked.type == RR_IXFR && !serial_is_later(in->serial, in->asked.serial))
        return end(in, STREAM_IN_UP_TO_DATE);
    return true;
}

static bool begin_changes(struct stream_in *in, const struct rr *rr)
{
    in->serial_from = soa_serial(rr);
    in->serial_to = 0;
    give(in, STREAM_IN_BEGIN, NULL);
    give(in, STREAM_IN_REMOVED, rr);
    in->phase = PHASE_REMOVED;
    return true;
}

static bool take_whole(struct stream_in *in, const struct rr *rr)
{
    if (rr->type != RR_SOA) {
        give(in, STREAM_IN_RECORD, rr);
        return true;
    }
    if (soa_serial(rr) != in->serial)
        return fail(in, "the zone begins with serial %" PRIu32 " and ends with %" PRIu32, in->serial, soa_serial(rr));
    return end(in, STREAM_IN_WHOLE);
}

/* RFC 1995 4: a second SOA, ours, makes it an incremental answer. */
static bool take_second(struct stream_in *in, const struct rr *rr)
{
    if (in->asked.type == RR_IXFR && rr->type == RR_SOA) {
        uint32_t from = soa_serial(rr), ours = in->asked.serial;
        if (from == ours)
            return begin_changes(in, rr);
        return fail(in, "the changes begin with serial %" PRIu32 ", ours is %" PRIu32, from, ours);
    }
    in->serial_from = in->serial_to = in->serial;
    in->phase = PHASE_WHOLE;
    give(in, STREAM_IN_RECORD, &in->soa);
    return take_whole(in, rr);
}

static bool take_removed(struct stream_in *in, const struct rr *rr)
{
    if (rr->type != RR_SOA) {
        give(in, STREAM_IN_REMOVED, rr);
        return true;
    }
    in->serial_to = soa_serial(rr);
    if (!serial_is_later(in->serial_to, in->serial_from))
        return fail(in, "changes from serial %" PRIu32 " to %" PRIu32 ", which is not later", in->serial_from,
                    in->serial_to);
    if (serial_is_later(in->serial_to, in->serial))
        return fail(in, "changes to serial %" PRIu32 ", the current one is %" PRIu32, in->serial_to, in->serial);
    give(in, STREAM_IN_ADDED, rr);
    in->phase = PHASE_ADDED;
    return true;
}

static bool take_added(struct stream_in *in, const struct rr *rr)
{
    if (rr->type != RR_SOA) {
        give(in, STREAM_IN_ADDED, rr);
        return true;
    }
    if (soa_serial(rr) != in->serial_to)
        return fail(in, "behind changes to serial %" PRIu32 " comes %" PRIu32, in->serial_to, soa_serial(rr));
    give(in, STREAM_IN_END, NULL);
    return in->serial_to == in->serial ? end(in, STREAM_IN_CHANGES) : begin_changes(in, rr);
}

static bool take(struct stream_in *in, const struct rr *rr)
{
    switch ((enum phase)in->phase) {
    case PHASE_FIRST: return take_first(in, rr);
    case PHASE_SECOND: return take_second(in, rr);
    case PHASE_WHOLE: return take_whole(in, rr);
    case PHASE_REMOVED: return take_removed(in, rr);
    case PHASE_ADDED: return take_added(in, rr);
    case PHASE_END: break;
    }
    return in->outcome == STREAM_IN_UP_TO_DATE || fail_at(in, "a record behind the end");
}

static bool is_over(uint64_t cnt, uint64_t limit) { return limit && cnt > limit; }

static bool count(struct stream_in *in)
{
    in->rr_cnt++;
    in->bytes += in->record.owner_len + 10u + in->record.rr.rdata_len;
    if (is_over(in->rr_cnt, in->asked.limits.records))
        return fail(in, "more than %" PRIu64 " records", in->asked.limits.records);
    if (is_over(in->bytes, in->asked.limits.bytes))
        return fail(in, "more than %" PRIu64 " bytes of records", in->asked.limits.bytes);
    return true;
}

static void note_outside(struct stream_in *in)
{
    if (in->outside_cnt++)
        return;
    memcpy(in->outside_owner, in->record.owner, in->record.owner_len);
    in->outside_type = in->record.rr.type;
}

static bool read_record(struct stream_in *in, struct reader *r)
{
    struct record_in *record = &in->record;
    enum record_in_verdict verdict = record_in_read(record, r);
    if (verdict == RECORD_IN_CUT)
        return fail(in, "the message is malformed");
    if (!count(in))
        return false;
    if (record->class != RR_CLASS_IN)
        return fail_at(in, "a record of another class than IN");
    if (rdata_type_meta(record->rr.type))
        return fail_at(in, "a record of a type that no zone has");
    if (verdict == RECORD_IN_MALFORMED)
        return fail_at(in, "malformed record data");
    if (record->rr.type == RR_SOA && (record->owner_len != in->name_len || !name_equal(record->owner, in->name)))
        return fail_at(in, "a SOA that is not the zone's");
    if (!name_within(record->owner, in->name)) {
        note_outside(in);
        return in->phase != PHASE_FIRST || fail_at(in, "the first record is no SOA");
    }
    return take(in, &record->rr);
}

static bool read_answers(struct stream_in *in, const struct frame *frame, const uint8_t *msg, size_t len)
{
    unsigned cnt = msg_ancount(msg);
    struct reader r = reader_over(msg, len);
    reader_take(&r, frame->answers_at);
    if (!cnt)
        return fail(in, "a message without records");
    while (cnt--)
        if (!read_record(in, &r))
            return false;
    return true;
}

/* A datagram that is not the answer, be it a forged one: the answer may still come. */
static enum stream_in_state pass_over(struct stream_in *in)
{
    if (in->asked.datagram)
        in->state = STREAM_IN_MORE;
    return in->state;
}

enum stream_in_state stream_in_feed(struct stream_in *in, const uint8_t *msg, size_t len, uint64_t now_sec)
{
    struct frame frame;
    if (in->state != STREAM_IN_MORE) {
        fail(in, "a message behind the end");
        return in->state;
    }
    in->rcode = 0;
    in->verdict = TSIG_OK;
    if (!read_frame(in, &frame, msg, len) || !is_authentic(in, &frame, msg, len, now_sec))
        return pass_over(in);
    in->message_cnt++;
    if (!is_good(in, &frame))
        return in->state;
    if (is_over(in->message_cnt, in->asked.limits.messages)) {
        fail(in, "more than %" PRIu64 " messages", in->asked.limits.messages);
    } else if (msg_flags(msg) & MSG_TC) {
        if (in->asked.datagram)
            finish(in, STREAM_IN_USE_TCP);
        else
            fail(in, "the answer is truncated");
    } else if (read_answers(in, &frame, msg, len) && in->phase != PHASE_END && in->asked.datagram) {
        finish(in, STREAM_IN_USE_TCP);
    }
    return in->state;
}

bool stream_in_warning(const struct stream_in *in, char out[STREAM_IN_WHY_MAX])
{
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    if (!in->outside_cnt)
        return false;
    name_to_text(name, in->outside_owner);
    snprintf(out, STREAM_IN_WHY_MAX, "%" PRIu64 " records outside the zone are ignored, the first is %s of \"%.150s\"",
             in->outside_cnt, rr_type_to_text(type, in->outside_type), name);
    return true;
}
