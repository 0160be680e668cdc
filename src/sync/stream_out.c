#include "sync/stream_out.h"

#include <assert.h>

#include "dns/msg.h"

/* Left out in one slice at most: some 0.2 ms. */
enum { PASSED_MOST = 4096 };

/* What comes next. */
enum step {
    STEP_FIRST_SOA,
    STEP_WALK,
    STEP_OLD_SOA,
    STEP_REMOVED,
    STEP_NEW_SOA,
    STEP_ADDED,
    STEP_LAST_SOA,
    STEP_END,
};

static void take_soa(void *arg, const struct rr *rr)
{
    struct stream_out *s = arg;
    assert(rr->rdata_len >= 20 && rr->rdata_len <= STREAM_OUT_SOA_MAX); /* the zone was checked */
    memcpy(s->soa_rdata, rr->rdata, rr->rdata_len);
    s->soa = *rr;
    s->soa.owner = s->apex;
    s->soa.rdata = s->soa_rdata;
}

static void start(struct stream_out *s, const struct stream_out_request *request, const struct zone_version *version)
{
    const struct zone_rrset *soa = zone_node_rrset(version->apex, RR_SOA);
    *s = (struct stream_out){.request = *request, .serial = version->serial, .step = STEP_LAST_SOA};
    s->name_len = name_to_lower(s->apex, request->name);
    memcpy(s->name, request->name, s->name_len);
    s->request.name = s->name;
    assert(name_equal(s->apex, zone_node_name(version->apex)));
    image_each(zone_node_image(version->apex, soa), soa, zone_node_name(version->apex), take_soa, s);
}

void stream_out_whole(struct stream_out *out, const struct stream_out_request *request,
                      const struct zone_version *version)
{
    start(out, request, version);
    out->step = STEP_FIRST_SOA;
    out->version = version;
    zone_cursor_init(&out->cursor, version);
}

void stream_out_changes(struct stream_out *out, const struct stream_out_request *request,
                        const struct zone_version *version, const struct changeset *const *changes, size_t cnt)
{
    start(out, request, version);
    if (cnt)
        out->step = STEP_FIRST_SOA;
    out->changes = changes;
    out->change_cnt = cnt;
}

void stream_out_current(struct stream_out *out, const struct stream_out_request *request,
                        const struct zone_version *version)
{
    start(out, request, version);
}

/* ---- what is left out */

static bool is_left_out(const struct stream_out *s, const uint8_t *owner, unsigned owner_len)
{
    static const uint8_t label[] = "\10_balance";
    if (!s->request.without_balance)
        return false;
    for (const uint8_t *end = owner + owner_len - s->name_len; owner < end; owner += *owner + 1)
        if (*owner == label[0] && !memcmp(owner, label, sizeof label - 1)) /* it is lower-cased */
            return true;
    return false;
}

/* ---- a whole zone */

static bool next_rrset(struct stream_out *s)
{
    s->rrset = zone_cursor_next(&s->cursor);
    s->place = (struct packer_place){0, 0};
    return s->rrset;
}

static bool put_walk(struct stream_out *s)
{
    while (s->rrset || next_rrset(s)) {
        const struct zone_node *n = s->cursor.node;
        if (is_left_out(s, zone_node_name(n), n->name_len)) {
            if (++s->passed_cnt > PASSED_MOST)
                return false;
        } else if (!((n->flags & NODE_APEX) && s->rrset->type == RR_SOA) &&
                   !packer_image(&s->packer, &s->place, n, s->rrset)) {
            return false;
        }
        s->rrset = NULL;
    }
    s->step = STEP_LAST_SOA;
    return true;
}

/* ---- changes */

static const struct zone_records *side_of(const struct stream_out *s)
{
    const struct changeset *c = s->changes[s->change_at];
    return s->step == STEP_OLD_SOA || s->step == STEP_REMOVED ? c->removed : c->added;
}

/* The SOA of a side. (zone_records_find would write into what others may read.) */
static const struct zone_record *find_soa(const struct zone_records *records)
{
    uint64_t hash = name_hash(records->apex, records->key);
    size_t low = 0;
    for (size_t high = records->cnt; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (records->recs[middle].owner_hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < records->cnt && records->recs[low].owner_hash == hash; low++)
        if (records->recs[low].rr.type == RR_SOA && name_equal(records->recs[low].rr.owner, records->apex))
            return &records->recs[low];
    return NULL;
}

static bool put_side_soa(struct stream_out *s)
{
    s->change_soa = find_soa(side_of(s));
    assert(s->change_soa); /* zone_apply wants one on each side, and so does the journal */
    if (!packer_record(&s->packer, &s->change_soa->rr))
        return false;
    s->record_at = 0;
    s->step++;
    return true;
}

static bool put_side(struct stream_out *s)
{
    const struct zone_records *records = side_of(s);
    for (; s->record_at < records->cnt; s->record_at++) {
        const struct zone_record *rec = &records->recs[s->record_at];
        if (rec == s->change_soa)
            continue;
        if (is_left_out(s, rec->rr.owner, name_len(rec->rr.owner))) {
            if (++s->passed_cnt > PASSED_MOST)
                return false;
        } else if (!packer_record(&s->packer, &rec->rr)) {
            return false;
        }
    }
    if (s->step == STEP_REMOVED)
        s->step = STEP_NEW_SOA;
    else
        s->step = ++s->change_at < s->change_cnt ? STEP_OLD_SOA : STEP_LAST_SOA;
    return true;
}

/* ---- messages */

static bool put_soa(struct stream_out *s)
{
    if (!packer_record(&s->packer, &s->soa))
        return false;
    if (s->step == STEP_LAST_SOA)
        s->step = STEP_END;
    else
        s->step = s->version ? STEP_WALK : STEP_OLD_SOA;
    return true;
}

/* False: no more in this message. */
static bool put_step(struct stream_out *s)
{
    switch ((enum step)s->step) {
    case STEP_FIRST_SOA:
    case STEP_LAST_SOA: return put_soa(s);
    case STEP_WALK: return put_walk(s);
    case STEP_OLD_SOA:
    case STEP_NEW_SOA: return put_side_soa(s);
    case STEP_REMOVED:
    case STEP_ADDED: return put_side(s);
    case STEP_END: break;
    }
    return false;
}

/* Header, and in the first message the question. Returns the bytes, 0: no room. */
static size_t put_frame(const struct stream_out *s, uint8_t *message, size_t cap)
{
    bool is_first = !s->message_cnt;
    struct writer w = writer_over(message, cap);
    writer_u16(&w, s->request.id);
    writer_u16(&w, (uint16_t)(MSG_QR | MSG_AA | (s->request.recursion_desired ? MSG_RD : 0)));
    writer_u16(&w, is_first);
    writer_u32(&w, 0);
    writer_u16(&w, is_first && s->request.edns);
    if (is_first) {
        writer_put(&w, s->name, s->name_len);
        writer_u16(&w, s->request.type);
        writer_u16(&w, RR_CLASS_IN);
    }
    return w.failed ? 0 : writer_len(&w);
}

/* What is to go behind the records. */
static size_t kept_back(const struct stream_out *s)
{
    unsigned opt_len = !s->message_cnt && s->request.edns ? MSG_OPT_LEN : 0;
    return opt_len + (s->request.tsig ? tsig_room(s->request.tsig) : 0);
}

/* Fills a message with records; false: not even its frame fits. */
static bool fill(struct stream_out *s, uint8_t *message, size_t cap)
{
    size_t back = kept_back(s), used = back < cap ? put_frame(s, message, cap - back) : 0;
    bool question_is_lower = !s->message_cnt && !memcmp(s->name, s->apex, s->name_len);
    if (!used)
        return false;
    packer_init(&s->packer, message, cap - back, used, s->apex, question_is_lower ? MSG_HEADER_LEN : 0);
    s->passed_cnt = 0;
    while (put_step(s))
        continue;
    return true;
}

static void put_opt(struct writer *w, uint16_t payload_len)
{
    writer_u8(w, 0);
    writer_u16(w, RR_OPT);
    writer_u16(w, payload_len);
    writer_u32(w, 0);
    writer_u16(w, 0);
}

/* What goes behind the records; false: the TSIG would not be signed. */
static bool finish(struct stream_out *s, size_t cap, size_t *len, uint64_t now_sec)
{
    struct writer *w = &s->packer.w;
    w->end = w->begin + cap;
    be16_put(w->begin + 6, (uint16_t)s->packer.rr_cnt);
    if (!s->message_cnt && s->request.edns)
        put_opt(w, s->request.payload_len);
    if (s->request.tsig && !tsig_sign(s->request.tsig, w, now_sec))
        return false;
    s->rr_cnt += s->packer.rr_cnt;
    s->message_cnt++;
    *len = writer_len(w);
    return true;
}

static size_t most(size_t cap) { return cap < MSG_MAX_LEN ? cap : MSG_MAX_LEN; }

enum stream_out_state stream_out_next(struct stream_out *out, uint8_t *message, size_t cap, size_t *len,
                                      uint64_t now_sec)
{
    *len = 0;
    if (out->state != STREAM_OUT_MORE)
        return out->state;
    cap = most(cap);
    bool fits = fill(out, message, cap);
    if (fits && !out->packer.rr_cnt && out->passed_cnt > PASSED_MOST)
        return STREAM_OUT_MORE;
    if (!fits || !out->packer.rr_cnt || !finish(out, cap, len, now_sec))
        out->state = STREAM_OUT_FAILED;
    else if (out->step == STEP_END)
        out->state = STREAM_OUT_DONE;
    return out->state;
}

void stream_out_datagram(struct stream_out *out, uint8_t *message, size_t cap, size_t *len, uint64_t now_sec)
{
    *len = 0;
    cap = most(cap);
    bool fits = fill(out, message, cap);
    if (fits && out->step != STEP_END) {
        out->step = STEP_LAST_SOA;
        fits = fill(out, message, cap);
    }
    if (fits && out->step != STEP_END)
        message[2] |= MSG_TC >> 8;
    bool done = fits && finish(out, cap, len, now_sec);
    out->state = done ? STREAM_OUT_DONE : STREAM_OUT_FAILED;
}
