#include "dns/tsig.h"

#include <string.h>

#include "dns/msg.h"
#include "dns/rr.h"

enum {
    RECORD_HEAD_LEN = 10, /* type, class, TTL, length of the rdata */
    RDATA_FIXED_LEN = 16, /* Time Signed, Fudge, MAC Size, Original ID, Error, Other Len */
    TIME_LEN = 6,
    MAC_LEAST_LEN = 10, /* RFC 8945 5.2.2.1 */
};

/* A TSIG as it was read, or is to be written. What is pointed to is borrowed. */
struct record {
    size_t at;
    uint64_t time_sec;
    uint16_t fudge_sec, original_id, error;
    uint16_t mac_len, other_len;
    const uint8_t *algorithm, *mac, *other;
};

static uint64_t be48_get(const uint8_t *p)
{
    return (uint64_t)be16_get(p) << 32 | be32_get(p + 2);
}

static void be48_put(uint8_t *p, uint64_t v)
{
    be16_put(p, (uint16_t)(v >> 32));
    be32_put(p + 2, (uint32_t)v);
}

/* RFC 8945 4.2, but for the owner, which may be compressed as BIND takes it (the algorithm's name, in the rdata, may
 * not). Only what has the right form is worth more work. */
static bool read_record(struct record *record, const uint8_t *msg, size_t len, size_t at)
{
    struct reader r = reader_over(msg, len);
    if (at < MSG_HEADER_LEN || !reader_take(&r, at) || !msg_skip_name(&r))
        return false;
    uint16_t type = reader_u16(&r), class = reader_u16(&r);
    uint32_t ttl = reader_u32(&r);
    if (type != RR_TSIG || class != RR_CLASS_ANY || ttl || reader_u16(&r) != reader_left(&r))
        return false;
    unsigned algorithm_len = name_check(r.at, reader_left(&r));
    record->at = at;
    record->algorithm = reader_take(&r, algorithm_len);
    record->time_sec = (uint64_t)reader_u16(&r) << 32;
    record->time_sec |= reader_u32(&r);
    record->fudge_sec = reader_u16(&r);
    record->mac = reader_take(&r, record->mac_len = reader_u16(&r));
    record->original_id = reader_u16(&r);
    record->error = reader_u16(&r);
    record->other = reader_take(&r, record->other_len = reader_u16(&r));
    return algorithm_len && !r.failed && !reader_left(&r);
}

/* The owner, lower-cased; its length, 0: malformed. */
static unsigned read_owner(uint8_t out[NAME_MAX_LEN], const uint8_t *msg, size_t len, size_t at)
{
    uint8_t name[NAME_MAX_LEN];
    struct reader r = reader_over(msg, len);
    reader_take(&r, at);
    return msg_read_name(name, &r) ? name_to_lower(out, name) : 0;
}

/* ---- what is hashed */

static void add_u16(struct hmac *hmac, unsigned value)
{
    uint8_t bytes[2];
    be16_put(bytes, (uint16_t)value);
    hmac_add(hmac, bytes, sizeof bytes);
}

/* Begins a code with the MAC before it (4.3.1). */
static void begin(struct tsig_state *state)
{
    struct hmac *hmac = &state->hmac;
    hmac_begin(hmac, &state->key->hmac);
    if (state->phase == TSIG_REQUEST)
        return;
    add_u16(hmac, state->mac_len);
    hmac_add(hmac, state->mac, state->mac_len);
}

/* The message as it was before its TSIG came to it, with the ID that it had when it was signed (4.3.2). */
static void add_message(struct hmac *hmac, const uint8_t *msg, size_t len, unsigned id, unsigned additional_cnt)
{
    uint8_t header[MSG_HEADER_LEN];
    memcpy(header, msg, sizeof header);
    be16_put(header, (uint16_t)id);
    be16_put(header + 10, (uint16_t)additional_cnt);
    hmac_add(hmac, header, sizeof header);
    hmac_add(hmac, msg + MSG_HEADER_LEN, len - MSG_HEADER_LEN);
}

/* The TSIG's own fields (4.3.3): within a stream only its times (5.3.1). */
static void add_variables(struct tsig_state *state, const struct record *record)
{
    struct hmac *hmac = &state->hmac;
    uint8_t class_and_ttl[6] = {0}, times[TIME_LEN + 2];
    be16_put(class_and_ttl, RR_CLASS_ANY);
    be48_put(times, record->time_sec);
    be16_put(times + TIME_LEN, record->fudge_sec);
    if (state->phase != TSIG_NEXT) {
        hmac_add(hmac, state->name, state->name_len);
        hmac_add(hmac, class_and_ttl, sizeof class_and_ttl);
        hmac_add(hmac, state->algorithm, state->algorithm_len);
    }
    hmac_add(hmac, times, sizeof times);
    if (state->phase != TSIG_NEXT) {
        add_u16(hmac, record->error);
        add_u16(hmac, record->other_len);
        if (record->other_len)
            hmac_add(hmac, record->other, record->other_len);
    }
}

/* ---- what is judged */

/* Can a MAC be so long (5.2.2.1)? At least 10 bytes and half of the hash, at most what the algorithm gives. */
static bool mac_len_is_possible(const struct tsig_state *state, unsigned len)
{
    enum tsig_algorithm algorithm = state->key->algorithm;
    unsigned most = hmac_len(tsig_algorithm_hash(algorithm)), least = (most + 1) / 2;
    if (least < MAC_LEAST_LEN)
        least = MAC_LEAST_LEN;
    if (name_equal(state->algorithm, tsig_algorithm_name(algorithm)))
        most = tsig_algorithm_mac_len(algorithm); /* else it goes by the name of the whole algorithm */
    return len >= least && len <= most;
}

static bool is_at(uint64_t time_sec, uint64_t fudge_sec, uint64_t now_sec)
{
    return (now_sec > time_sec ? now_sec - time_sec : time_sec - now_sec) <= fudge_sec;
}

/* The MAC, then the time, then the MAC's length (5.2): the order tells nobody more than he can know who has the secret.
 * A code has been begun. */
static enum tsig_verdict judge(struct tsig_state *state, const struct record *record, const uint8_t *msg,
                               uint64_t now_sec)
{
    uint8_t mac[HMAC_LEN_MAX];
    add_message(&state->hmac, msg, record->at, record->original_id, msg_arcount(msg) - 1u);
    add_variables(state, record);
    hmac_end(&state->hmac, mac);
    if (!hmac_equal(mac, record->mac, record->mac_len))
        return TSIG_BADSIG;
    memcpy(state->mac, mac, sizeof mac);
    state->mac_len = (uint8_t)record->mac_len;
    if (!is_at(record->time_sec, record->fudge_sec, now_sec))
        return TSIG_BADTIME;
    return record->mac_len < tsig_algorithm_mac_len(state->key->algorithm) ? TSIG_BADTRUNC : TSIG_OK;
}

static void take_times(struct tsig_state *state, const struct record *record)
{
    state->time_sec = record->time_sec;
    state->fudge_sec = record->fudge_sec;
}

/* What a length says to be there is left as it is. */
static void clear(struct tsig_state *state)
{
    state->key = NULL;
    state->time_sec = state->server_time_sec = 0;
    state->error = state->fudge_sec = 0;
    state->phase = TSIG_REQUEST;
    state->unsigned_cnt = state->mac_len = 0;
    state->name_len = state->algorithm_len = 0;
}

/* ---- the server's side */

static const struct tsig_key *find_key(const struct tsig_keys *keys, const struct tsig_state *state)
{
    const struct tsig_key *key = tsig_keys_find(keys, state->name);
    return key && tsig_key_goes_by(key, state->algorithm) ? key : NULL;
}

enum tsig_verdict tsig_verify_request(struct tsig_state *state, const struct tsig_keys *keys, const uint8_t *msg,
                                      size_t len, size_t at, uint64_t now_sec)
{
    struct record record;
    clear(state);
    if (!read_record(&record, msg, len, at))
        return TSIG_FORMERR;
    state->name_len = (uint8_t)read_owner(state->name, msg, len, at);
    if (!state->name_len)
        return TSIG_FORMERR;
    state->algorithm_len = (uint8_t)name_to_lower(state->algorithm, record.algorithm);
    take_times(state, &record);
    state->key = find_key(keys, state);
    enum tsig_verdict verdict = TSIG_BADKEY;
    if (state->key) {
        if (!mac_len_is_possible(state, record.mac_len))
            return TSIG_FORMERR;
        begin(state);
        verdict = judge(state, &record, msg, now_sec);
    }
    state->error = (uint16_t)verdict;
    state->phase = TSIG_FIRST;
    return verdict;
}

/* A code that was begun has been ended: nothing in the state points to the key but this. */
void tsig_own_key(struct tsig_state *state, struct tsig_key *copy)
{
    *copy = *state->key;
    state->key = copy;
}

/* ---- both */

/* Bytes of the MAC that we send: none where the other side has not shown that it has the key (5.3.2). */
static unsigned mac_len_of(const struct tsig_state *state)
{
    if (state->error == TSIG_BADKEY || state->error == TSIG_BADSIG)
        return 0;
    return tsig_algorithm_mac_len(state->key->algorithm);
}

/* What we say in it. `other` has room for TSIG_OTHER_MOST bytes. */
static void compose(struct record *record, const struct tsig_state *state, const uint8_t *msg, uint64_t now_sec,
                    uint8_t *other)
{
    *record = (struct record){
        .time_sec = now_sec,
        .fudge_sec = TSIG_FUDGE_SEC,
        .original_id = msg_id(msg),
        .error = state->error,
        .mac_len = (uint16_t)mac_len_of(state),
        .other = other,
    };
    if (state->error == TSIG_BADTIME) {
        /* 5.2.3: the client's times, so that it finds no fault with them in turn, and ours for it to see. */
        record->time_sec = state->time_sec;
        record->fudge_sec = state->fudge_sec;
        record->other_len = TIME_LEN;
        be48_put(other, now_sec);
    }
}

/* Into as many bytes as tsig_room says. */
static void put_record(uint8_t *p, const struct tsig_state *state, const struct record *record)
{
    memcpy(p, state->name, state->name_len);
    p += state->name_len;
    be16_put(p, RR_TSIG);
    be16_put(p + 2, RR_CLASS_ANY);
    be32_put(p + 4, 0);
    be16_put(p + 8, (uint16_t)(state->algorithm_len + RDATA_FIXED_LEN + record->mac_len + record->other_len));
    p += RECORD_HEAD_LEN;
    memcpy(p, state->algorithm, state->algorithm_len);
    p += state->algorithm_len;
    be48_put(p, record->time_sec);
    be16_put(p + 6, record->fudge_sec);
    be16_put(p + 8, record->mac_len);
    memcpy(p + 10, state->mac, record->mac_len);
    p += 10 + record->mac_len;
    be16_put(p, record->original_id);
    be16_put(p + 2, record->error);
    be16_put(p + 4, record->other_len);
    memcpy(p + 6, record->other, record->other_len);
}

unsigned tsig_room(const struct tsig_state *state)
{
    return state->name_len + RECORD_HEAD_LEN + state->algorithm_len + RDATA_FIXED_LEN + mac_len_of(state) +
           (state->error == TSIG_BADTIME ? TIME_LEN : 0);
}

bool tsig_sign(struct tsig_state *state, struct writer *w, uint64_t now_sec)
{
    uint8_t *msg = w->begin, other[TSIG_OTHER_MOST];
    unsigned additional_cnt = msg_arcount(msg), room = tsig_room(state);
    size_t len = writer_len(w);
    struct record record;
    if (w->failed || writer_left(w) < room || additional_cnt == UINT16_MAX)
        return false;
    compose(&record, state, msg, now_sec, other);
    if (record.mac_len) {
        begin(state);
        add_message(&state->hmac, msg, len, record.original_id, additional_cnt);
        add_variables(state, &record);
        hmac_end(&state->hmac, state->mac);
        state->mac_len = (uint8_t)record.mac_len;
    }
    put_record(writer_room(w, room), state, &record);
    be16_put(msg + 10, (uint16_t)(additional_cnt + 1));
    state->phase = state->phase == TSIG_REQUEST ? TSIG_FIRST : TSIG_NEXT;
    return true;
}

/* ---- the client's side */

void tsig_start(struct tsig_state *state, const struct tsig_key *key)
{
    clear(state);
    state->key = key;
    state->name_len = (uint8_t)name_to_lower(state->name, key->name);
    state->algorithm_len = (uint8_t)name_to_lower(state->algorithm, tsig_algorithm_name(key->algorithm));
}

/* Where the TSIG of an answer begins, 0 when there is none. False: no well-formed message, or a TSIG that is not the
 * last record of the additional section (5.1). (msg_read_edns takes fewer records than a transfer's messages have.) */
static bool find_record(size_t *at, const uint8_t *msg, size_t len)
{
    enum { TYPE_AND_CLASS_LEN = 4, RDLENGTH_AT = 8 };
    struct reader r = reader_over(msg, len);
    *at = 0;
    if (len > MSG_MAX_LEN || !reader_take(&r, MSG_HEADER_LEN))
        return false;
    for (unsigned i = msg_qdcount(msg); i > 0; i--)
        if (!msg_skip_name(&r) || !reader_take(&r, TYPE_AND_CLASS_LEN))
            return false;
    for (unsigned i = (unsigned)msg_ancount(msg) + msg_nscount(msg) + msg_arcount(msg); i > 0; i--) {
        size_t record_at = reader_pos(&r);
        const uint8_t *head = msg_skip_name(&r) ? reader_take(&r, RECORD_HEAD_LEN) : NULL;
        if (!head || !reader_take(&r, be16_get(head + RDLENGTH_AT)))
            return false;
        if (be16_get(head) != RR_TSIG)
            continue;
        if (i > 1 || !msg_arcount(msg))
            return false;
        *at = record_at;
    }
    return !reader_left(&r);
}

/* Hashed where the next TSIG will cover it: as it came, for it had none. */
static enum tsig_verdict take_unsigned(struct tsig_state *state, const uint8_t *msg, size_t len)
{
    if (state->phase != TSIG_NEXT || state->unsigned_cnt == TSIG_UNSIGNED_MOST)
        return TSIG_MISSING;
    if (!state->unsigned_cnt++)
        begin(state);
    hmac_add(&state->hmac, msg, len);
    return TSIG_PENDING;
}

/* Is it made with the key and algorithm of the request? */
static bool is_ours(const struct tsig_state *state, const struct record *record, const uint8_t *owner)
{
    return name_equal(owner, state->name) && name_equal(record->algorithm, state->algorithm);
}

enum tsig_verdict tsig_verify_answer(struct tsig_state *state, const uint8_t *msg, size_t len, uint64_t now_sec)
{
    struct record record;
    uint8_t owner[NAME_MAX_LEN];
    size_t at;
    state->error = 0;
    state->server_time_sec = 0;
    if (!find_record(&at, msg, len))
        return TSIG_FORMERR;
    if (!at)
        return take_unsigned(state, msg, len);
    if (!read_record(&record, msg, len, at) || !read_owner(owner, msg, len, at))
        return TSIG_FORMERR;
    take_times(state, &record);
    state->error = record.error;
    if (!is_ours(state, &record, owner))
        return TSIG_BADKEY;
    if (!record.mac_len && record.error)
        return TSIG_BADSIG; /* a complaint that the server cannot sign (5.3.2) */
    if (!mac_len_is_possible(state, record.mac_len))
        return TSIG_FORMERR;
    if (!state->unsigned_cnt)
        begin(state);
    enum tsig_verdict verdict = judge(state, &record, msg, now_sec);
    if (verdict)
        return verdict;
    if (record.error == TSIG_BADTIME && record.other_len == TIME_LEN)
        state->server_time_sec = be48_get(record.other);
    state->unsigned_cnt = 0;
    state->phase = TSIG_NEXT;
    return TSIG_OK;
}
