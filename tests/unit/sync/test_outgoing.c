/* Answers to transfers that were handed off: over a real journal, with an io and a store that are made up. The program
 * is the worker too: it has a source fill when and as far as a test wants. */
#include "sync/outgoing.h"

#include "../store/history_rig.h"
#include "log_help.h"
#include "sync_help.h"

#include "answer/handoff.h"
#include "base/acl.h"
#include "base/clock.h"
#include "dns/edns.h"
#include "store/history.h"
#include "store/history_database.h"
#include "store/hold.h"

enum { LONG_MS = 60000, DATAGRAM = 1232, HANDOFFS_MAX = 200, STEPS = 5 };

/* ---- an io */

enum answered { NOT_YET, BY_MESSAGE, BY_STREAM, FORGOTTEN };

struct io_handoff {
    struct answer_hand_off *request; /* goes with the answer, or behind the source's release */
    enum answered answered;
    struct io_source *source;
    uint8_t message[5000];
    size_t len;
};

static struct io_handoff *handoffs[HANDOFFS_MAX];
static unsigned handoff_cnt;

struct answer_hand_off *io_handoff_request(const struct io_handoff *h)
{
    assert_non_null(h->request);
    return h->request;
}

static struct io_handoff *answered(struct io_handoff **handoff, enum answered how)
{
    struct io_handoff *h = *handoff;
    assert_int_equal(h->answered, NOT_YET);
    h->answered = how;
    *handoff = NULL;
    if (how != BY_STREAM) {
        answer_hand_off_free(h->request);
        h->request = NULL;
    }
    return h;
}

void io_answer(struct io *io, struct io_handoff **handoff, const uint8_t *message, size_t len)
{
    assert_non_null(io);
    assert_true(len > 0 && len <= (*handoff)->request->most_len && len <= sizeof (*handoff)->message);
    memcpy((*handoff)->message, message, len);
    (*handoff)->len = len;
    answered(handoff, BY_MESSAGE);
}

void io_stream(struct io *io, struct io_handoff **handoff, struct io_source *source)
{
    assert_non_null(io);
    assert_int_equal((*handoff)->request->proto, ANSWER_TCP);
    source->end = IO_STREAM_RUNNING;
    source->sent_bytes = 0;
    answered(handoff, BY_STREAM)->source = source;
}

void io_forget(struct io *io, struct io_handoff **handoff)
{
    assert_non_null(io);
    answered(handoff, FORGOTTEN);
}

static void release(struct io_handoff *h, enum io_stream_end end)
{
    struct io_source *source = h->source;
    h->source = NULL;
    source->end = end;
    source->release(source);
    answer_hand_off_free(h->request);
    h->request = NULL;
}

/* The workers are stopped. */
void io_run_handoffs(struct io *io)
{
    assert_non_null(io);
    for (unsigned i = 0; i < handoff_cnt; i++)
        if (handoffs[i]->source)
            release(handoffs[i], IO_STREAM_STOPPED);
}

/* ---- a store of one zone */

struct store {
    struct zone *zone;
    struct lmdb *lmdb;
    uint64_t seq;
    enum err err;
    unsigned held_cnt;
};

enum err store_hold(struct store *store, struct store_held *held, const uint8_t *apex)
{
    assert_true(name_equal(apex, test_apex));
    if (store->err)
        return store->err;
    *held = (struct store_held){store->zone->current, store->seq, &test_key, store, NULL};
    zone_version_get(held->version);
    store->held_cnt++;
    return ERR_OK;
}

void store_unhold(struct store_held *held)
{
    zone_version_put(held->version);
    held->store->held_cnt--;
    held->version = NULL;
}

struct lmdb *store_lmdb(const struct store *store) { return store->lmdb; }

/* ---- all of it */

struct fixture {
    uv_loop_t loop;
    struct folder folder;
    struct journal *journal;
    struct history_zone history;
    struct rig_zone rig; /* what is served */
    struct store store;
    struct outgoing *outgoing;
    struct log_help log;
    struct zone_records *first; /* what the zone had at first */
    uint32_t first_serial;
};

static struct messages messages;

static void write_batch(struct fixture *f, struct journal_batch *batch)
{
    journal_write(f->journal, &batch, NULL, NULL);
    while (journal_pending(f->journal))
        uv_run(&f->loop, UV_RUN_ONCE);
}

/* What leads to these records (sorted, taken) is published, and in the journal. */
static void advance(struct fixture *f, struct zone_records *records)
{
    struct journal_batch *batch = journal_batch_new();
    struct changeset *changes = changeset_diff(f->store.zone->current, records);
    struct zone_version *version;
    assert_int_equal(zone_apply(&version, f->store.zone->current, changes, NULL), ERR_OK);
    zone_version_put(zone_publish(f->store.zone, version));
    history_append(batch, test_apex, &f->history, changes, 1000);
    changeset_free(changes);
    zone_records_free(records);
    write_batch(f, batch);
    f->store.seq = f->history.seq;
}

/* The zone as it was at last, with these records in place of others of their kind. */
static void advance_many(struct fixture *f, unsigned first, unsigned cnt)
{
    char line[100];
    f->rig.serial++;
    struct zone_records *records = rig_records(&f->rig);
    for (unsigned i = first; i < first + cnt; i++) {
        snprintf(line, sizeof line, "many%u 60 A 1", i);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    advance(f, records);
}

/* A zone that has changed some times. */
static int setup(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    char why[HISTORY_WHY_MAX];
    struct lmdb *lmdb;
    folder_make(&f->folder);
    char *path = mem_printf("%s/db", f->folder.path);
    uv_loop_init(&f->loop);
    assert_int_equal(lmdb_open(&lmdb, path, why), ERR_OK);
    assert_int_equal(journal_open(&f->journal, &f->loop, &lmdb), ERR_OK);
    free(path);
    struct random_state rng = {{1, 2}};
    f->rig.serial = UINT32_MAX - 2; /* serials come round */
    rig_change(&f->rig, &rng, 40);
    f->store.zone = rig_build(&f->rig);
    f->store.lmdb = journal_lmdb(f->journal);
    f->first = rig_records_of(f->store.zone->current);
    f->first_serial = f->history.serial = f->rig.serial;
    for (unsigned i = 0; i < STEPS; i++) {
        rig_change(&f->rig, &rng, 3);
        advance(f, rig_records(&f->rig));
    }
    f->outgoing = outgoing_new(&f->loop, &f->store, (struct io *)f);
    log_help_begin(&f->log);
    *state = f;
    return 0;
}

static void stop(struct fixture *f)
{
    outgoing_free(f->outgoing);
    f->outgoing = NULL;
    assert_int_equal(f->store.held_cnt, 0);
    for (unsigned i = 0; i < handoff_cnt; i++) {
        assert_true(handoffs[i]->answered != NOT_YET && !handoffs[i]->request);
        free(handoffs[i]);
    }
    handoff_cnt = 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stop(f);
    log_help_end(&f->log);
    zone_records_free(f->first);
    zone_free(f->store.zone);
    journal_close(f->journal);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    folder_remove(f->folder.path);
    messages_clear(&messages);
    free(f);
    return 0;
}

/* What was logged since the last time. */
static const char *lines(struct fixture *f)
{
    const char *text = log_help_end(&f->log);
    static char copy[sizeof f->log.text];
    strcpy(copy, text);
    log_help_begin(&f->log);
    return copy;
}

/* ---- asking */

struct asking {
    enum answer_hand_off_kind kind;
    enum answer_proto proto;
    uint32_t serial;
    uint8_t view;
    uint16_t most_len; /* 0: as usual */
    uint8_t host;      /* of the client's address */
    struct exchange *exchange;
};

static struct answer_hand_off *make_request(const struct asking *a)
{
    enum { LEN = MSG_HEADER_LEN + sizeof test_apex + 4 };
    bool is_axfr = a->kind == ANSWER_AXFR;
    struct answer_hand_off *r = mem_zalloc(1, sizeof *r + LEN);
    struct writer w = writer_over(r->request, LEN);
    writer_u16(&w, TEST_ID);
    writer_u16(&w, 0);
    writer_u16(&w, 1);
    writer_u32(&w, 0);
    writer_u16(&w, 0);
    writer_put(&w, test_apex, sizeof test_apex);
    writer_u16(&w, is_axfr ? RR_AXFR : RR_IXFR);
    writer_u16(&w, RR_CLASS_IN);
    r->kind = a->kind;
    r->proto = a->proto;
    r->client = (struct addr){.bytes = {192, 0, 2, a->host ? a->host : 54}, .family = ADDR_V4, .port = 4711};
    memcpy(r->zone, test_apex, sizeof test_apex);
    r->view = a->view;
    r->has_serial = !is_axfr;
    r->serial = a->serial;
    r->edns = true;
    r->payload_len = DATAGRAM;
    r->most_len = a->most_len ? a->most_len : a->proto == ANSWER_UDP ? DATAGRAM : MSG_MAX_LEN;
    r->request_len = r->question_end = LEN;
    if (a->exchange) {
        r->is_signed = true;
        r->tsig = a->exchange->server;
        tsig_own_key(&r->tsig, &r->key);
    }
    return r;
}

static struct io_handoff *take(struct fixture *f, const struct asking *asking)
{
    struct io_handoff *h = mem_zalloc(1, sizeof *h), *taken = h;
    assert_true(handoff_cnt < HANDOFFS_MAX);
    handoffs[handoff_cnt++] = h;
    h->request = make_request(asking);
    outgoing_take(f->outgoing, &taken, LONG_MS);
    assert_null(taken);
    return h;
}

static void wait_for(struct fixture *f, const struct io_handoff *h)
{
    while (h->answered == NOT_YET)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static struct io_handoff *ask(struct fixture *f, const struct asking *asking)
{
    struct io_handoff *h = take(f, asking);
    wait_for(f, h);
    return h;
}

/* ---- what comes back */

/* The next message; false: there is none. */
static bool fill(struct io_handoff *h)
{
    static uint8_t bytes[MSG_MAX_LEN];
    size_t len = 0;
    enum io_fill fill = h->source->fill(h->source, bytes, sizeof bytes - 2, &len);
    assert_true(fill != IO_FAILED);
    if (len)
        messages_add(&messages, bytes, len);
    h->source->sent_bytes += len ? len + 2 : 0;
    return fill == IO_MORE;
}

static void collect(struct io_handoff *h)
{
    messages_clear(&messages);
    if (h->answered == BY_MESSAGE) {
        messages_add(&messages, h->message, h->len);
        return;
    }
    assert_int_equal(h->answered, BY_STREAM);
    while (fill(h))
        continue;
    release(h, IO_STREAM_DONE);
}

/* Reads all of the answer; `order` as sync_help.h has it. */
static void receive_all(struct received *r, struct io_handoff *h, const struct asking *asking)
{
    struct stream_in in;
    uint16_t type = asking->kind == ANSWER_AXFR ? RR_AXFR : RR_IXFR;
    collect(h);
    received_open(r);
    struct stream_in_asked asked = asked_of(asking->exchange, type, asking->serial, r);
    stream_in_init(&in, &asked);
    for (size_t i = 0; i < messages.cnt; i++)
        assert_true(stream_in_feed(&in, messages.at[i].bytes, messages.at[i].len, clock_wall_ms() / 1000) !=
                    STREAM_IN_FAILED);
    assert_true(in.state != STREAM_IN_MORE);
}

static void expect_whole(struct fixture *f, struct io_handoff *h, const struct asking *asking)
{
    struct received r;
    struct zone_records *want = rig_records_of(f->store.zone->current);
    receive_all(&r, h, asking);
    assert_int_equal(r.change_cnt, 0);
    assert_same_records(r.whole, want);
    zone_records_free(want);
    received_close(&r);
}

static unsigned rcode_of(const struct io_handoff *h)
{
    assert_int_equal(h->answered, BY_MESSAGE);
    return msg_flags(h->message) & 15;
}

/* One SOA, the zone's. */
static void expect_one_soa(struct io_handoff *h)
{
    assert_int_equal(rcode_of(h), RCODE_NOERROR);
    assert_int_equal(msg_ancount(h->message), 1);
    assert_int_equal(be16_get(h->message + MSG_HEADER_LEN + sizeof test_apex + 4 + 2), RR_SOA);
}

static const struct outgoing_counters *counters(struct fixture *f) { return outgoing_counters(f->outgoing); }

/* ---- whole zones */

static void an_axfr_is_the_zone(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {.kind = ANSWER_AXFR, .proto = ANSWER_TCP};
    struct io_handoff *h = take(f, &asking);
    assert_int_equal(h->answered, BY_STREAM); /* at once */
    assert_true(h->source->deadline_ms <= clock_mono_ms() + LONG_MS);
    assert_true(h->source->deadline_ms > clock_mono_ms() + LONG_MS / 2);
    assert_int_equal(f->store.held_cnt, 1);
    expect_whole(f, h, &asking);
    assert_int_equal(f->store.held_cnt, 0);
    assert_int_equal(counters(f)->axfr, 1);
    const char *text = lines(f);
    assert_non_null(strstr(text, "info: zone \"example.com\": AXFR to 192.0.2.54, serial "));
    assert_null(strchr(strchr(text, '\n') + 1, '\n'));
}

/* What is published meanwhile is not in it. */
static void it_is_the_version_that_was_served_when_it_began(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {.kind = ANSWER_AXFR, .proto = ANSWER_TCP};
    struct zone_records *want = rig_records_of(f->store.zone->current);
    struct io_handoff *h = take(f, &asking);
    struct received r;
    advance_many(f, 0, 10);
    receive_all(&r, h, &asking);
    assert_same_records(r.whole, want);
    zone_records_free(want);
    received_close(&r);
}

static void a_signed_one_is_signed(void **state)
{
    struct fixture *f = *state;
    struct exchange x;
    exchange_open(&x, true);
    struct asking asking = {ANSWER_AXFR, ANSWER_TCP, .exchange = &x};
    struct io_handoff *h = take(f, &asking);
    expect_whole(f, h, &asking); /* stream_in wants the signatures */
    assert_non_null(strstr(lines(f), ", key \"xfr.\"\n"));
    exchange_close(&x);
}

/* ---- changes */

/* The changes lead from what the client has to what is served. */
static void expect_changes(struct fixture *f, struct io_handoff *h, const struct asking *asking)
{
    struct received r;
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *version;
    assert_null(zone_publish(zone, zone_build(zone, f->first, NULL)));
    receive_all(&r, h, asking);
    assert_int_equal(r.change_cnt, 1); /* condensed */
    zone_records_sort(r.changes[0].removed);
    zone_records_sort(r.changes[0].added);
    assert_int_equal(zone_apply(&version, zone->current, &r.changes[0], NULL), ERR_OK);
    struct zone_records *is = rig_records_of(version), *want = rig_records_of(f->store.zone->current);
    rig_expect_same(is, want);
    zone_records_free(is);
    zone_records_free(want);
    zone_free(zone);
    received_close(&r);
}

static void an_ixfr_is_the_changes(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {ANSWER_IXFR, ANSWER_TCP, .serial = f->first_serial};
    struct io_handoff *h = take(f, &asking);
    assert_int_equal(h->answered, NOT_YET);
    wait_for(f, h);
    expect_changes(f, h, &asking);
    assert_int_equal(counters(f)->ixfr, 1);
    assert_non_null(strstr(lines(f), " condensed, "));
}

static void one_step_is_itself(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {ANSWER_IXFR, ANSWER_TCP, .serial = f->history.serial};
    struct received r;
    advance_many(f, 0, 10);
    receive_all(&r, ask(f, &asking), &asking);
    assert_int_equal(r.change_cnt, 1);
    assert_int_equal(r.changes[0].serial_to, f->history.serial);
    received_close(&r);
    assert_null(strstr(lines(f), "condensed"));
}

static void who_has_it_gets_one_soa(void **state)
{
    struct fixture *f = *state;
    const uint32_t ahead[] = {0, 1, 0x7fffffff};
    const enum answer_proto protos[] = {ANSWER_TCP, ANSWER_UDP};
    for (unsigned i = 0; i < 6; i++) {
        struct asking asking = {ANSWER_IXFR, protos[i % 2], .serial = f->history.serial + ahead[i / 2]};
        expect_one_soa(take(f, &asking));
    }
    assert_int_equal(counters(f)->ixfr_current, 6);
    assert_int_equal(f->store.held_cnt, 0);
    assert_string_equal(lines(f), "");
}

static void expect_ixfr_whole(struct fixture *f, uint32_t serial)
{
    struct asking asking = {ANSWER_IXFR, ANSWER_TCP, .serial = serial};
    uint64_t before = counters(f)->ixfr_whole;
    struct io_handoff *h = ask(f, &asking);
    asking.serial = f->history.serial - 1; /* an older one by any reading */
    expect_whole(f, h, &asking);
    assert_int_equal(counters(f)->ixfr_whole, before + 1);
}

static void without_history_it_is_the_zone(void **state)
{
    struct fixture *f = *state;
    struct lmdb *lmdb = f->store.lmdb;
    expect_ixfr_whole(f, f->first_serial - 1);
    expect_ixfr_whole(f, f->history.serial - 0x80000000); /* neither is later (RFC 1982 3.2) */
    f->store.seq = 0;
    expect_ixfr_whole(f, f->first_serial);
    f->store.seq = f->history.seq;
    f->store.lmdb = NULL;
    expect_ixfr_whole(f, f->first_serial);
    f->store.lmdb = lmdb;
    const char *text = lines(f);
    assert_non_null(strstr(text, "IXFR to 192.0.2.54, the whole zone, serial "));
    assert_null(strstr(text, "warning"));
}

/* One byte of the last changeset is another. */
static void damage_last(struct fixture *f)
{
    uint8_t key[HISTORY_KEY_MAX];
    char why[HISTORY_WHY_MAX];
    struct history_list list;
    uint64_t seq = f->history.seq;
    size_t key_len = history_key(key, test_apex, seq);
    struct journal_batch *batch = journal_batch_new();
    assert_int_equal(history_read(&list, f->store.lmdb, test_apex, &test_key, seq, seq, SIZE_MAX, why), ERR_OK);
    size_t len = history_changes_len(list.changes[0]);
    uint8_t *value = journal_batch_room(batch, history_changes_database, key, key_len, len);
    history_changes_put(value, len, list.changes[0], key, key_len);
    value[len / 2] ^= 1;
    history_list_fini(&list);
    write_batch(f, batch);
}

static void damage_is_told_and_the_zone_sent(void **state)
{
    struct fixture *f = *state;
    f->store.seq--; /* it says to be of an older version than is served */
    expect_ixfr_whole(f, f->first_serial);
    assert_non_null(strstr(lines(f), "warning: zone \"example.com\": changes since serial 4294967"));
    f->store.seq++;
    damage_last(f);
    expect_ixfr_whole(f, f->first_serial);
    const char *text = lines(f);
    assert_non_null(strstr(text, " cannot be sent: changeset 5 is damaged\n"));
    assert_non_null(strstr(text, "IXFR to 192.0.2.54, the whole zone, serial "));
}

/* More than is freed in a turn; and more than the zone. */
static void large_changes(void **state)
{
    struct fixture *f = *state;
    enum { CNT = 5000 };
    struct received r;
    advance_many(f, 0, CNT);
    advance_many(f, CNT / 3, CNT);
    struct asking asking = {ANSWER_IXFR, ANSWER_TCP, .serial = f->history.serial - 1};
    receive_all(&r, ask(f, &asking), &asking);
    assert_int_equal(counters(f)->ixfr, 1);
    assert_int_equal(r.change_cnt, 1);
    assert_int_equal(r.changes[0].added->cnt, CNT / 3 + 1);
    received_close(&r);
    advance_many(f, 2 * CNT, CNT);
    expect_ixfr_whole(f, f->history.serial - 1);
}

/* ---- by UDP */

static void a_datagram_has_the_changes_or_one_soa(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {ANSWER_IXFR, ANSWER_UDP, .serial = f->first_serial, .most_len = 4096};
    expect_changes(f, ask(f, &asking), &asking);
    assert_int_equal(counters(f)->ixfr, 1);
    assert_non_null(strstr(lines(f), "IXFR to 192.0.2.54 by UDP, serial "));
    asking.most_len = 150;
    expect_one_soa(ask(f, &asking));
    asking.most_len = 0;
    asking.serial = f->first_serial - 1; /* no history */
    expect_one_soa(ask(f, &asking));
    f->store.lmdb = NULL;
    expect_one_soa(ask(f, &asking));
    assert_int_equal(counters(f)->ixfr_current, 3);
    assert_int_equal(counters(f)->ixfr, 1);
    assert_int_equal(f->store.held_cnt, 0);
    assert_string_equal(lines(f), "");
}

/* ---- what is left out, and what is not served */

static void a_live_view_lacks_balance(void **state)
{
    struct fixture *f = *state;
    struct zone *was = f->store.zone;
    f->store.zone = zone_of(APEX "www 60 A 1\n_balance.www 60 TXT ttl=20\n");
    struct asking asking = {ANSWER_AXFR, ANSWER_TCP, .view = ACL_LIVE};
    struct received r;
    receive_all(&r, take(f, &asking), &asking);
    assert_int_equal(r.whole->cnt, 3);
    received_close(&r);
    asking.view = ACL_FULL;
    expect_whole(f, take(f, &asking), &asking);
    zone_free(f->store.zone);
    f->store.zone = was;
}

static void what_is_not_served_is_servfail(void **state)
{
    struct fixture *f = *state;
    const struct asking askings[] = {
        {.kind = ANSWER_AXFR, .proto = ANSWER_TCP},
        {.kind = ANSWER_IXFR, .proto = ANSWER_UDP},
    };
    for (unsigned i = 0; i < 2; i++) {
        f->store.err = ERR_CLOSED;
        struct io_handoff *h = take(f, &askings[i]);
        assert_int_equal(rcode_of(h), RCODE_SERVFAIL);
        assert_int_equal(be16_get(h->message + h->len - 2), EDNS_EDE_NOT_READY);
        f->store.err = ERR_NOT_FOUND;
        assert_int_equal(rcode_of(take(f, &askings[i])), RCODE_NOTAUTH);
    }
    assert_int_equal(counters(f)->unserved, 4);
}

/* ---- limits and ends */

static unsigned count_lines(const char *text, const char *part)
{
    unsigned cnt = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        cnt++;
    return cnt;
}

static void there_are_limits(void **state)
{
    struct fixture *f = *state;
    struct asking asking = {.kind = ANSWER_AXFR, .proto = ANSWER_TCP};
    for (unsigned i = 0; i < OUTGOING_STREAMS_MAX; i++) {
        asking.host = (uint8_t)(1 + i / OUTGOING_CLIENT_MAX);
        assert_int_equal(take(f, &asking)->answered, BY_STREAM);
        if (i == OUTGOING_CLIENT_MAX - 1)
            assert_int_equal(rcode_of(take(f, &asking)), RCODE_SERVFAIL);
    }
    assert_int_equal(f->store.held_cnt, OUTGOING_STREAMS_MAX);
    asking.host = 200;
    assert_int_equal(rcode_of(take(f, &asking)), RCODE_SERVFAIL);
    assert_int_equal(counters(f)->refused, 2);
    asking = (struct asking){ANSWER_IXFR, ANSWER_TCP, .serial = f->history.serial};
    expect_one_soa(take(f, &asking)); /* costs nothing */
    asking = (struct asking){ANSWER_IXFR, ANSWER_UDP, .serial = f->first_serial, .most_len = 4096};
    expect_changes(f, ask(f, &asking), &asking);
    const char *text = lines(f);
    assert_int_equal(count_lines(text, "notice: zone \"example.com\": transfer to 192.0.2.1 refused: too many of this "
                                       "client are running\n"), 1);
    assert_int_equal(count_lines(text, "notice: zone \"example.com\": transfer to 192.0.2.200 refused: too many are "
                                       "running\n"), 1);
    release(handoffs[0], IO_STREAM_DONE);
    asking = (struct asking){ANSWER_AXFR, ANSWER_TCP, .host = 200};
    assert_int_equal(take(f, &asking)->answered, BY_STREAM);
}

static void what_is_broken_off_is_told(void **state)
{
    struct fixture *f = *state;
    const enum io_stream_end ends[] = {IO_STREAM_FAILED, IO_STREAM_EXPIRED, IO_STREAM_CLOSED};
    for (unsigned i = 0; i < 3; i++) {
        struct asking asking = {i % 2 ? ANSWER_AXFR : ANSWER_IXFR, ANSWER_TCP, .serial = f->first_serial};
        release(ask(f, &asking), ends[i]);
    }
    const char *text = lines(f);
    assert_int_equal(counters(f)->failed, 3);
    assert_int_equal(counters(f)->axfr + counters(f)->ixfr, 0);
    assert_int_equal(f->store.held_cnt, 0);
    assert_int_equal(count_lines(text, " broken off, "), 3);
    assert_int_equal(count_lines(text, ": the client closed the connection\n"), 1);
}

struct seen {
    unsigned cnt;
    char text[200];
    uint64_t bytes;
};

static void see(void *arg, const struct outgoing_view *view)
{
    struct seen *seen = arg;
    char client[ADDR_TEXT_MAX];
    assert_true(name_equal(view->zone, test_apex));
    assert_true(view->since_mono_ms <= clock_mono_ms());
    seen->cnt++;
    seen->bytes += view->sent_bytes;
    snprintf(seen->text + strlen(seen->text), sizeof seen->text - strlen(seen->text), "%s to %s; ", view->kind,
             addr_to_text(client, view->client));
}

static void what_runs_is_seen(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {0}, later = {0};
    struct io_handoff *one = take(f, &(struct asking){ANSWER_AXFR, ANSWER_TCP, .host = 1});
    take(f, &(struct asking){ANSWER_IXFR, ANSWER_TCP, .serial = f->first_serial, .host = 2});
    outgoing_each(f->outgoing, see, &seen);
    assert_string_equal(seen.text, "AXFR to 192.0.2.1; IXFR, reading to 192.0.2.2; ");
    assert_int_equal(seen.bytes, 0);
    messages_clear(&messages);
    fill(one);
    wait_for(f, handoffs[1]);
    outgoing_each(f->outgoing, see, &later);
    assert_string_equal(later.text, "AXFR to 192.0.2.1; IXFR to 192.0.2.2; ");
    assert_int_equal(later.bytes, messages.at[0].len + 2);
}

/* Streams, jobs and what waits for a job: all are over. */
static void it_ends_whatever_runs(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 20; i++)
        take(f, &(struct asking){i % 4 ? ANSWER_IXFR : ANSWER_AXFR, i % 4 == 3 ? ANSWER_UDP : ANSWER_TCP,
                                 .serial = f->first_serial});
    assert_int_equal(f->store.held_cnt, 20);
    unsigned streamed = 0, forgotten = 0;
    outgoing_free(f->outgoing);
    f->outgoing = NULL;
    for (unsigned i = 0; i < handoff_cnt; i++) {
        streamed += handoffs[i]->answered == BY_STREAM;
        forgotten += handoffs[i]->answered == FORGOTTEN;
    }
    assert_int_equal(f->store.held_cnt, 0);
    assert_int_equal(streamed, 5);
    assert_int_equal(forgotten, 15);
    assert_int_equal(count_lines(lines(f), ": the workers stopped\n"), 5);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_axfr_is_the_zone),
        TEST(it_is_the_version_that_was_served_when_it_began),
        TEST(a_signed_one_is_signed),
        TEST(an_ixfr_is_the_changes),
        TEST(one_step_is_itself),
        TEST(who_has_it_gets_one_soa),
        TEST(without_history_it_is_the_zone),
        TEST(damage_is_told_and_the_zone_sent),
        TEST(large_changes),
        TEST(a_datagram_has_the_changes_or_one_soa),
        TEST(a_live_view_lacks_balance),
        TEST(what_is_not_served_is_servfail),
        TEST(there_are_limits),
        TEST(what_is_broken_off_is_told),
        TEST(what_runs_is_seen),
        TEST(it_ends_whatever_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
