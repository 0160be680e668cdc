/* What a primary sends, to the machine that receives transfers. The first byte of an input says what was asked (bit 0:
 * IXFR, 1: that by UDP, 2: signed), the next four our serial; then come messages, each behind its length in two bytes,
 * in answer to the ID 0x1234 and the zone example.com.
 *
 * Whatever they are: records come out in the order that sync/stream_in.h promises, within the zone and the limits,
 * valid by their type, and each, written to a message of our own and read again, is the same. Messages lie in blocks of
 * exactly their size. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "ldnsx/rdata.h"
#include "sync/packer.h"
#include "sync/stream_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ID = 0x1234, RECORDS_MOST = 300, BYTES_MOST = 100000, MESSAGES_MOST = 20 };

static const uint8_t apex[] = "\7example\3com";

struct seen {
    uint64_t rr_cnt, bytes;
    bool any, in_changes, is_open, has_added;
    uint32_t from, to;
};

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

/* Written twice, so that the second owner is a pointer. */
static void write_and_read(const struct rr *seen)
{
    static uint8_t message[MSG_MAX_LEN];
    uint8_t lower[NAME_MAX_LEN];
    struct rr lowered = *seen, *rr = &lowered;
    name_to_lower(lower, seen->owner);
    rr->owner = lower;
    struct packer p;
    struct record_in back;
    memset(message, 0, MSG_HEADER_LEN);
    memcpy(message + MSG_HEADER_LEN, apex, sizeof apex);
    packer_init(&p, message, sizeof message, MSG_HEADER_LEN + sizeof apex, apex, MSG_HEADER_LEN);
    if (!packer_record(&p, rr))
        return; /* of nearly 65,535 bytes */
    bool twice = packer_record(&p, rr);
    require(p.rr_cnt == 1u + twice);
    struct reader r = reader_over(message, writer_len(&p.w));
    reader_take(&r, MSG_HEADER_LEN + sizeof apex);
    for (unsigned i = 0; i <= twice; i++) {
        require(record_in_read(&back, &r) == RECORD_IN_OK);
        require(name_equal(back.owner, rr->owner) && back.class == RR_CLASS_IN);
        require(back.rr.type == rr->type && back.rr.ttl == rr->ttl && back.rr.rdata_len == rr->rdata_len);
        require(!memcmp(back.rr.rdata, rr->rdata, rr->rdata_len));
    }
    require(!reader_left(&r));
}

static void check_record(struct seen *seen, const struct rr *rr)
{
    require(rr && name_check(rr->owner, NAME_MAX_LEN) && name_within(rr->owner, apex));
    require(rr->ttl <= INT32_MAX && !rdata_type_meta(rr->type));
    uint8_t *rdata = malloc(rr->rdata_len ? rr->rdata_len : 1);
    memcpy(rdata, rr->rdata, rr->rdata_len);
    require(rdata_valid(rr->type, rdata, rr->rdata_len));
    free(rdata);
    require(rr->type != RR_SOA || name_equal(rr->owner, apex));
    require(++seen->rr_cnt <= RECORDS_MOST);
    seen->bytes += name_len(rr->owner) + 10u + rr->rdata_len;
    require(seen->bytes <= BYTES_MOST);
    write_and_read(rr);
}

static void see(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t from, uint32_t to)
{
    struct seen *seen = arg;
    require(kind == STREAM_IN_RECORD ? !seen->in_changes : seen->in_changes || !seen->any);
    seen->in_changes = kind != STREAM_IN_RECORD;
    bool is_soa = rr && rr->type == RR_SOA;
    switch (kind) {
    case STREAM_IN_RECORD:
        require(is_soa == !seen->any);
        break;
    case STREAM_IN_BEGIN:
        require(!rr && !seen->is_open && (!seen->any || from == seen->to));
        seen->is_open = true;
        seen->has_added = false;
        seen->from = from;
        seen->any = false;
        break;
    case STREAM_IN_REMOVED:
        require(seen->is_open && !seen->has_added && from == seen->from && is_soa == !seen->any);
        break;
    case STREAM_IN_ADDED:
        require(seen->is_open && from == seen->from && is_soa == !seen->has_added);
        require(!seen->has_added || to == seen->to);
        require(to - from - 1 < INT32_MAX);
        seen->has_added = true;
        seen->to = to;
        break;
    case STREAM_IN_END:
        require(!rr && seen->is_open && seen->has_added && from == seen->from && to == seen->to);
        seen->is_open = false;
        break;
    }
    seen->any = kind != STREAM_IN_BEGIN;
    if (rr)
        check_record(seen, rr);
}

static void sign_request(struct tsig_state *state)
{
    static struct tsig_key key;
    uint8_t request[500] = {0};
    struct writer w = writer_over(request, sizeof request);
    writer_room(&w, MSG_HEADER_LEN);
    tsig_key_init(&key, apex, TSIG_HMAC_SHA256, apex, sizeof apex);
    tsig_start(state, &key);
    require(tsig_sign(state, &w, 0));
}

static void check_end(const struct stream_in *in, const struct seen *seen, const struct stream_in_asked *asked)
{
    char warning[STREAM_IN_WHY_MAX];
    require(stream_in_warning(in, warning) == (in->outside_cnt > 0));
    require((in->state == STREAM_IN_FAILED) <= (*in->why != 0));
    require(in->state != STREAM_IN_FAILED || strlen(in->why) < STREAM_IN_WHY_MAX);
    if (in->state != STREAM_IN_DONE)
        return;
    require(!asked->tsig); /* nobody can know the MAC of our request */
    require(asked->type == RR_IXFR || in->outcome == STREAM_IN_WHOLE);
    require(asked->datagram || in->outcome != STREAM_IN_USE_TCP);
    if (in->outcome == STREAM_IN_WHOLE)
        require(seen->any && !seen->in_changes && in->has_serial);
    else if (in->outcome == STREAM_IN_CHANGES)
        require(seen->in_changes && !seen->is_open && seen->to == in->serial);
    else if (in->outcome == STREAM_IN_UP_TO_DATE)
        require(!seen->any && !seen->in_changes && in->has_serial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reader r = reader_over(data, len);
    unsigned asked_bits = reader_u8(&r);
    struct seen seen = {0};
    struct tsig_state tsig;
    struct stream_in in;
    struct stream_in_asked asked = {.name = apex,
                                    .type = asked_bits & 1 ? RR_IXFR : RR_AXFR,
                                    .id = ID,
                                    .serial = reader_u32(&r),
                                    .datagram = (asked_bits & 3) == 3,
                                    .limits = {MESSAGES_MOST, RECORDS_MOST, BYTES_MOST},
                                    .fn = see,
                                    .arg = &seen};
    if (asked_bits & 4) {
        sign_request(&tsig);
        asked.tsig = &tsig;
    }
    if (r.failed)
        return 0;
    stream_in_init(&in, &asked);
    while (in.state == STREAM_IN_MORE && reader_left(&r) >= 2) {
        size_t message_len = reader_u16(&r);
        if (message_len > reader_left(&r))
            message_len = reader_left(&r);
        uint8_t *message = malloc(message_len ? message_len : 1);
        memcpy(message, reader_take(&r, message_len), message_len);
        require(stream_in_feed(&in, message, message_len, 0) == in.state);
        require(in.message_cnt <= MESSAGES_MOST + 1u);
        free(message);
    }
    check_end(&in, &seen, &asked);
    return 0;
}
