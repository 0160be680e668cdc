/* Transfers from one side to the other in memory, for the tests of sync/: a signed or unsigned exchange, the messages
 * that a stream makes, and what comes out of them. Zones are those of tests/unit/zone. */
#pragma once

#include "unit/zone/version_help.h"

#include "dns/msg.h"
#include "dns/tsig.h"
#include "sync/stream_in.h"
#include "sync/stream_out.h"

enum { TEST_NOW = 1700000000, TEST_ID = 0x1234, TEST_MESSAGES_MAX = 4000, TEST_CHANGES_MAX = 8 };

/* A request that both sides have signed and verified. */
struct exchange {
    bool is_signed;
    struct tsig_key key;
    struct tsig_keys *keys;
    struct tsig_state client, server;
};

static inline void exchange_open(struct exchange *x, bool is_signed)
{
    static const uint8_t secret[] = "0123456789abcdef", name[] = "\3xfr";
    uint8_t request[600] = {TEST_ID >> 8, TEST_ID & 0xff, 0, 0, 0, 1};
    memset(x, 0, sizeof *x);
    x->is_signed = is_signed;
    if (!is_signed)
        return;
    tsig_key_init(&x->key, name, TSIG_HMAC_SHA256, secret, sizeof secret - 1);
    x->keys = tsig_keys_new(&x->key, 1);
    struct writer w = writer_over(request, sizeof request);
    writer_room(&w, MSG_HEADER_LEN);
    writer_put(&w, test_apex, sizeof test_apex);
    writer_u16(&w, RR_AXFR);
    writer_u16(&w, RR_CLASS_IN);
    size_t at = writer_len(&w);
    tsig_start(&x->client, &x->key);
    assert_true(tsig_sign(&x->client, &w, TEST_NOW));
    assert_int_equal(tsig_verify_request(&x->server, x->keys, request, writer_len(&w), at, TEST_NOW), TSIG_OK);
}

static inline void exchange_close(struct exchange *x) { tsig_keys_free(x->keys); }

static inline struct stream_out_request request_of(struct exchange *x, uint16_t type)
{
    return (struct stream_out_request){
        .name = test_apex, .type = type, .id = TEST_ID, .tsig = x && x->is_signed ? &x->server : NULL};
}

/* A message each, in a block of exactly its size. */
struct messages {
    size_t cnt;
    struct {
        uint8_t *bytes;
        size_t len;
    } at[TEST_MESSAGES_MAX];
};

static inline void messages_add(struct messages *m, const uint8_t *bytes, size_t len)
{
    assert_true(m->cnt < TEST_MESSAGES_MAX);
    m->at[m->cnt].bytes = mem_dup(bytes, len);
    m->at[m->cnt++].len = len;
}

static inline void messages_clear(struct messages *m)
{
    for (size_t i = 0; i < m->cnt; i++)
        free(m->at[i].bytes);
    m->cnt = 0;
}

/* All that the stream makes; its last state. */
static inline enum stream_out_state make_all(struct messages *m, struct stream_out *out, size_t cap)
{
    uint8_t *bytes = mem_zalloc(cap, 1); /* so that a sanitizer sees one byte too many */
    size_t len;
    enum stream_out_state state;
    m->cnt = 0;
    do {
        state = stream_out_next(out, bytes, cap, &len, TEST_NOW);
        assert_true(len <= cap);
        if (len)
            messages_add(m, bytes, len);
    } while (state == STREAM_OUT_MORE);
    free(bytes);
    return state;
}

/* What came out. */
struct received {
    struct zone_records *whole;
    struct changeset changes[TEST_CHANGES_MAX];
    size_t change_cnt;
    bool is_open;
    char order[256]; /* a letter for each thing that came, as far as there is room: r B - + E */
};

static inline void received_open(struct received *r)
{
    memset(r, 0, sizeof *r);
    r->whole = zone_records_new(test_apex, &test_key);
}

static inline void received_close(struct received *r)
{
    zone_records_free(r->whole);
    for (size_t i = 0; i < r->change_cnt; i++) {
        zone_records_free(r->changes[i].removed);
        zone_records_free(r->changes[i].added);
    }
}

static inline void receive(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t from, uint32_t to)
{
    struct received *r = arg;
    struct changeset *c = &r->changes[r->change_cnt - (r->is_open ? 1 : 0)];
    size_t len = strlen(r->order);
    if (len + 1 < sizeof r->order)
        r->order[len] = "rB-+E"[kind];
    assert_int_equal(rr == NULL, kind == STREAM_IN_BEGIN || kind == STREAM_IN_END);
    switch (kind) {
    case STREAM_IN_RECORD:
        assert_int_equal(r->change_cnt, 0);
        zone_records_add(r->whole, rr, NULL, 0);
        break;
    case STREAM_IN_BEGIN:
        assert_true(r->change_cnt < TEST_CHANGES_MAX && !r->is_open);
        c->serial_from = from;
        c->removed = zone_records_new(test_apex, &test_key);
        c->added = zone_records_new(test_apex, &test_key);
        r->change_cnt++;
        r->is_open = true;
        break;
    case STREAM_IN_REMOVED:
    case STREAM_IN_ADDED:
        assert_true(r->is_open && c->serial_from == from);
        zone_records_add(kind == STREAM_IN_ADDED ? c->added : c->removed, rr, NULL, 0);
        break;
    case STREAM_IN_END:
        assert_true(r->is_open && c->serial_from == from);
        c->serial_to = to;
        r->is_open = false;
        break;
    }
}

static inline struct stream_in_asked asked_of(struct exchange *x, uint16_t type, uint32_t serial, struct received *r)
{
    return (struct stream_in_asked){.name = test_apex,
                                    .type = type,
                                    .id = TEST_ID,
                                    .serial = serial,
                                    .tsig = x && x->is_signed ? &x->client : NULL,
                                    .fn = receive,
                                    .arg = r};
}

/* Feeds all that the machine wants of them; how many that were. */
static inline size_t feed_all(struct stream_in *in, const struct messages *m)
{
    size_t i = 0;
    while (i < m->cnt && in->state == STREAM_IN_MORE) {
        enum stream_in_state state = stream_in_feed(in, m->at[i].bytes, m->at[i].len, TEST_NOW);
        assert_int_equal(state, in->state);
        i++;
    }
    return i;
}

/* The same records in every byte but the case of owners, once both are sorted. */
static inline void assert_same_records(struct zone_records *a, struct zone_records *b)
{
    zone_records_sort(a);
    zone_records_sort(b);
    assert_int_equal(a->cnt, b->cnt);
    for (size_t i = 0; i < a->cnt; i++) {
        const struct rr *x = &a->recs[i].rr, *y = &b->recs[i].rr;
        assert_true(name_equal(x->owner, y->owner));
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->ttl, y->ttl);
        assert_int_equal(x->rdata_len, y->rdata_len);
        assert_memory_equal(x->rdata, y->rdata, x->rdata_len);
    }
}

static inline void add_each(void *arg, const struct rr *rr) { zone_records_add(arg, rr, NULL, 0); }

static inline struct zone_records *records_in(const struct zone_version *version)
{
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    zone_version_each(version, add_each, records);
    return records;
}
