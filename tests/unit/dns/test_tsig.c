/* One message and its answer; tests/unit/dns/test_tsig_stream.c has more of them. */
#include "dns/tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/msg.h"
#include "dns/rr.h"
#include "tsig_rig.h"
#include "tsig_vectors.h"

enum { TAIL_LEN = 6 /* Original ID, Error, Other Len */, SHA256_LEN = 32 };

static struct tsig_keys *one_key(struct tsig_key *key, const char *name, enum tsig_algorithm algorithm)
{
    rig_key(key, name, algorithm);
    return tsig_keys_new(key, 1);
}

/* Our query, signed with the key at RIG_NOW. */
static void signed_query(struct message *m, struct tsig_state *client, const struct tsig_key *key)
{
    rig_query(m);
    tsig_start(client, key);
    rig_sign(m, client, RIG_NOW);
}

/* The same but for the owner of the TSIG, which dnspython compresses. */
static void assert_same_signature(const struct message *ours, const struct message *theirs)
{
    size_t our_at = rig_find(ours), their_at = rig_find(theirs);
    assert_int_equal(our_at, their_at);
    assert_memory_equal(ours->bytes, theirs->bytes, our_at);
    uint8_t name[NAME_MAX_LEN];
    struct reader our = reader_over(ours->bytes, ours->len), their = reader_over(theirs->bytes, theirs->len);
    reader_take(&our, our_at);
    reader_take(&their, their_at);
    assert_true(msg_read_name(name, &our) && msg_read_name(name, &their));
    assert_int_equal(reader_left(&our), reader_left(&their));
    assert_memory_equal(our.at, their.at, reader_left(&our));
}

/* dnspython's signatures are ours, on both sides. */
static void test_dnspython(void **state)
{
    (void)state;
    assert_int_equal(sizeof dnspython_pairs / sizeof *dnspython_pairs, TSIG_ALGORITHMS);
    for (size_t i = 0; i < TSIG_ALGORITHMS; i++) {
        struct message request, answer, ours;
        struct tsig_key key;
        struct tsig_state client, server;
        struct tsig_keys *keys = one_key(&key, "kEY.exAMPLE.", rig_algorithm(dnspython_pairs[i][0]));
        rig_from_hex(&request, dnspython_pairs[i][1]);
        rig_from_hex(&answer, dnspython_pairs[i][2]);

        signed_query(&ours, &client, &key);
        assert_same_signature(&ours, &request);
        assert_int_equal(rig_verify(&server, keys, &request, RIG_NOW), TSIG_OK);
        assert_ptr_equal(server.key, tsig_keys_find(keys, key.name));

        rig_answer(&ours);
        rig_sign(&ours, &server, RIG_NOW);
        assert_same_signature(&ours, &answer);
        struct tsig_state again = client;
        assert_int_equal(rig_verify_answer(&client, &answer, RIG_NOW), TSIG_OK);
        assert_int_equal(rig_verify_answer(&again, &ours, RIG_NOW), TSIG_OK);
        assert_true(tsig_is_proven(&client));
        tsig_keys_free(keys);
    }
}

/* A request of dig's is good, and then named's answer to it, as the state knows the request's MAC. The keys of
 * truncated algorithms go by the name of the whole one there. */
static void test_bind(void **state)
{
    (void)state;
    assert_int_equal(sizeof bind_pairs / sizeof *bind_pairs, TSIG_ALGORITHMS);
    for (size_t i = 0; i < TSIG_ALGORITHMS; i++) {
        struct message request, answer;
        struct tsig_key key;
        struct tsig_state server;
        char name[64];
        snprintf(name, sizeof name, "%s.key.example.", bind_pairs[i][0]);
        struct tsig_keys *keys = one_key(&key, name, rig_algorithm(bind_pairs[i][0]));
        rig_from_hex(&request, bind_pairs[i][1]);
        rig_from_hex(&answer, bind_pairs[i][2]);
        assert_int_equal(rig_verify(&server, keys, &request, 0), TSIG_BADTIME);
        uint64_t then = server.time_sec;
        assert_int_equal(rig_verify(&server, keys, &request, then), TSIG_OK);
        assert_int_equal(rig_verify_answer(&server, &answer, then), TSIG_OK);
        assert_int_equal(server.error, 0);
        tsig_keys_free(keys);
    }
}

/* What named finds fault with we do too, and understand what it says. */
static void test_bind_complaints(void **state)
{
    (void)state;
    static const enum tsig_verdict verdicts[] = {TSIG_BADSIG, TSIG_BADKEY, TSIG_BADTIME, TSIG_BADTRUNC};
    static const enum tsig_verdict of_answers[] = {TSIG_BADSIG, TSIG_BADSIG, TSIG_OK, TSIG_OK};
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "hmac-sha256.key.example.", TSIG_HMAC_SHA256);
    uint64_t named_sec = 0;
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        struct message request, answer;
        struct tsig_state server;
        rig_from_hex(&request, bind_complaints[i][1]);
        rig_from_hex(&answer, bind_complaints[i][2]);
        uint64_t now_sec = named_sec ? named_sec : RIG_NOW;
        enum tsig_verdict verdict = rig_verify(&server, keys, &request, now_sec);
        if (!named_sec) /* the first says what time it was */
            named_sec = server.time_sec;
        assert_int_equal(verdict, verdicts[i]);
        assert_int_equal(rig_verify_answer(&server, &answer, server.time_sec), of_answers[i]);
        assert_int_equal(server.error, verdicts[i]);
        if (verdict == TSIG_BADTIME)
            assert_in_range(server.server_time_sec, named_sec, named_sec + 60);
        else
            assert_int_equal(server.server_time_sec, 0);
    }
    tsig_keys_free(keys);
}

/* Letters of the key's and the algorithm's name may change their case, for they are compared and hashed without it. */
static bool is_a_letters_case(const struct message *m, size_t at, unsigned bit)
{
    size_t name_at = rig_find(m), name_end = name_at + 13;
    size_t algorithm_at = name_end + 10, algorithm_end = algorithm_at + 13;
    uint8_t c = m->bytes[at] | 0x20;
    bool within = (at >= name_at && at < name_end) || (at >= algorithm_at && at < algorithm_end);
    return bit == 5 && within && c >= 'a' && c <= 'z';
}

/* The ID on the wire is not what was signed (RFC 8945 4.3.2). */
static bool may_change(const struct message *m, size_t at, unsigned bit)
{
    return at < 2 || is_a_letters_case(m, at, bit);
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message request, answer;
    signed_query(&request, &client, &key);
    assert_int_equal(rig_verify(&server, keys, &request, RIG_NOW), TSIG_OK);
    rig_answer(&answer);
    rig_sign(&answer, &server, RIG_NOW);
    for (size_t i = 0; i < 8 * request.len; i++) {
        struct message m = request;
        m.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW) == TSIG_OK, may_change(&request, i / 8, i % 8));
    }
    for (size_t i = 0; i < 8 * answer.len; i++) {
        struct message m = answer;
        struct tsig_state s = client;
        m.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(rig_verify_answer(&s, &m, RIG_NOW) == TSIG_OK, may_change(&answer, i / 8, i % 8));
    }
    tsig_keys_free(keys);
}

/* Cut anywhere, or followed by a byte. */
static void test_every_length(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA1);
    struct tsig_state client, server, s;
    struct message request, answer;
    signed_query(&request, &client, &key);
    assert_int_equal(rig_verify(&server, keys, &request, RIG_NOW), TSIG_OK);
    size_t at = rig_find(&request);
    rig_answer(&answer);
    rig_sign(&answer, &server, RIG_NOW);
    for (size_t len = 0; len <= request.len + 1; len++) {
        struct message m = request;
        m.len = len;
        assert_int_equal(rig_verify(&s, keys, &m, RIG_NOW), len == request.len ? TSIG_OK : TSIG_FORMERR);
        if (len != request.len && len >= at) { /* the record alone, as if nobody had looked at the message's end */
            uint8_t *exact = malloc(len);
            memcpy(exact, m.bytes, len);
            assert_int_equal(tsig_verify_request(&s, keys, exact, len, at, RIG_NOW), TSIG_FORMERR);
            free(exact);
        }
    }
    for (size_t len = 0; len <= answer.len + 1; len++) {
        struct message m = answer;
        m.len = len;
        s = client;
        assert_int_equal(rig_verify_answer(&s, &m, RIG_NOW), len == answer.len ? TSIG_OK : TSIG_FORMERR);
    }
    tsig_keys_free(keys);
}

/* A forwarder changes the ID, and the case of names. */
static void test_forwarded(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA512);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    size_t at = rig_find(&m);
    be16_put(m.bytes, 0x1234);
    for (size_t i = at; i < at + 13; i++)
        if (m.bytes[i] >= 'a')
            m.bytes[i] ^= 0x20;
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_OK);
    rig_answer(&m);
    be16_put(m.bytes, 0x1234);
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(be16_get(m.bytes + m.len - TAIL_LEN), 0x1234); /* the answer's own ID */
    be16_put(m.bytes, 0x4711);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
    tsig_keys_free(keys);
}

/* What is no TSIG: each row changes one byte, counted from the record's begin or (negative) from the message's end. */
static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        int at;
        uint8_t to;
    } rows[] = {
        {13 + 3, 1},  /* class IN, NONE */
        {13 + 3, 254},
        {13 + 7, 1},  /* a TTL */
        {13 + 4, 128},
        {13 + 9, 60}, /* rdata shorter, longer */
        {13 + 9, 62},
        {23, 0xc0},   /* the algorithm's name compressed, broken, endless */
        {23, 0x40},
        {23, 63},
        {-1, 1},      /* Other Data that is not there */
        {-6 - 32 - 1, 33},
        {-6 - 32 - 2, 1},
        {0, 0xc0},    /* the owner points forwards or into the header */
        {0, 0x80},
    };
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tsig_state client, server;
        struct message m;
        signed_query(&m, &client, &key);
        size_t at = rig_find(&m);
        m.bytes[rows[i].at < 0 ? m.len + (size_t)rows[i].at : at + (size_t)rows[i].at] = rows[i].to;
        assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_FORMERR);
    }
    tsig_keys_free(keys);
}

/* RFC 8945 5.1: the last record of the additional section, and the only TSIG. */
static void test_place(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message m, good;
    signed_query(&good, &client, &key);
    size_t at = rig_find(&good);

    m = good; /* in the answer section */
    be16_put(m.bytes + 6, 1);
    be16_put(m.bytes + 10, 0);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_FORMERR);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_FORMERR);

    m = good; /* twice */
    memcpy(m.bytes + m.len, good.bytes + at, good.len - at);
    m.len += good.len - at;
    be16_put(m.bytes + 10, 2);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_FORMERR);

    m = good; /* before an OPT */
    memcpy(m.bytes + m.len, "\0\0\51\4\320\0\0\0\0\0\0", MSG_OPT_LEN);
    m.len += MSG_OPT_LEN;
    be16_put(m.bytes + 10, 2);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_FORMERR);

    rig_query(&m); /* behind an OPT: signed with it */
    memcpy(m.bytes + m.len, "\0\0\51\4\320\0\0\0\0\0\0", MSG_OPT_LEN);
    m.len += MSG_OPT_LEN;
    be16_put(m.bytes + 10, 1);
    tsig_start(&client, &key);
    rig_sign(&m, &client, RIG_NOW);
    assert_int_equal(be16_get(m.bytes + 10), 2);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_OK);
    tsig_keys_free(keys);
}

/* A compressed owner, wherever it points to; one that points at itself. */
static void test_compressed_owner(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "www.example.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    size_t at = rig_find(&m);
    memmove(m.bytes + at + 2, m.bytes + at + 13, m.len - at - 13);
    m.len -= 11;
    be16_put(m.bytes + at, 0xc000 | MSG_HEADER_LEN);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_OK);
    be16_put(m.bytes + at, (uint16_t)(0xc000 | at));
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_FORMERR);
    tsig_keys_free(keys);
}

static void test_time(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    static const struct {
        uint64_t now_sec;
        enum tsig_verdict verdict;
    } rows[] = {
        {RIG_NOW - TSIG_FUDGE_SEC, TSIG_OK},           {RIG_NOW + TSIG_FUDGE_SEC, TSIG_OK},
        {RIG_NOW - TSIG_FUDGE_SEC - 1, TSIG_BADTIME},  {RIG_NOW + TSIG_FUDGE_SEC + 1, TSIG_BADTIME},
        {0, TSIG_BADTIME},                             {UINT64_C(0xffffffffffff), TSIG_BADTIME},
        {RIG_NOW + (UINT64_C(1) << 32), TSIG_BADTIME},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tsig_state client, server;
        struct message m;
        signed_query(&m, &client, &key);
        assert_int_equal(rig_verify(&server, keys, &m, rows[i].now_sec), rows[i].verdict);
        rig_answer(&m);
        rig_sign(&m, &server, rows[i].now_sec);
        if (rows[i].verdict == TSIG_OK) {
            assert_int_equal(rig_verify_answer(&client, &m, rows[i].now_sec), TSIG_OK);
            continue;
        }
        /* Signed, with the client's times, so that it can verify it (RFC 8945 5.2.3), and ours beside them. */
        assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
        assert_int_equal(client.error, TSIG_BADTIME);
        assert_int_equal(client.server_time_sec, rows[i].now_sec);
        assert_int_equal(client.time_sec, RIG_NOW);
        assert_int_equal(client.fudge_sec, TSIG_FUDGE_SEC);
    }
    tsig_keys_free(keys);
}

/* An answer has a time as well. */
static void test_time_of_the_answer(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_OK);
    rig_answer(&m);
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW + TSIG_FUDGE_SEC + 1), TSIG_BADTIME);
    assert_int_equal(client.error, 0);
    tsig_keys_free(keys);
}

/* The MAC of `m`, which a signer of the key left whole, cut or lengthened to `mac_len`. */
static void set_mac_len(struct message *m, unsigned was, unsigned mac_len)
{
    size_t at = rig_find(m), mac_at = m->len - TAIL_LEN - was;
    uint8_t tail[TAIL_LEN];
    memcpy(tail, m->bytes + m->len - TAIL_LEN, TAIL_LEN);
    struct reader r = reader_over(m->bytes, m->len);
    reader_take(&r, at);
    assert_true(msg_skip_name(&r));
    uint8_t *rdata_len = m->bytes + reader_pos(&r) + 8;
    be16_put(rdata_len, (uint16_t)(be16_get(rdata_len) + mac_len - was));
    be16_put(m->bytes + mac_at - 2, (uint16_t)mac_len);
    memcpy(m->bytes + mac_at + mac_len, tail, TAIL_LEN);
    m->len = m->len + mac_len - was;
}

/* RFC 8945 5.2.2.1, 5.2.4: impossible lengths are FORMERR, possible ones that our policy does not take BADTRUNC. */
static void test_truncated(void **state)
{
    (void)state;
    static const uint8_t least[TSIG_ALGORITHMS] = {
        [TSIG_HMAC_MD5] = 10,         [TSIG_HMAC_SHA1] = 10,   [TSIG_HMAC_SHA224] = 14,
        [TSIG_HMAC_SHA256] = 16,      [TSIG_HMAC_SHA256_128] = 16, [TSIG_HMAC_SHA384] = 24,
        [TSIG_HMAC_SHA384_192] = 24,  [TSIG_HMAC_SHA512] = 32, [TSIG_HMAC_SHA512_256] = 32,
    };
    for (enum tsig_algorithm algorithm = 0; algorithm < TSIG_ALGORITHMS; algorithm++) {
        struct tsig_key key;
        struct tsig_keys *keys = one_key(&key, "key.example.", algorithm);
        unsigned whole = tsig_algorithm_mac_len(algorithm);
        for (unsigned len = 0; len <= whole + 1; len++) {
            struct tsig_state client, server;
            struct message m;
            signed_query(&m, &client, &key);
            set_mac_len(&m, whole, len);
            enum tsig_verdict wanted = len == whole ? TSIG_OK : len < least[algorithm] || len > whole ? TSIG_FORMERR
                                                                                                      : TSIG_BADTRUNC;
            assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), wanted);
            if (wanted != TSIG_BADTRUNC)
                continue;
            /* The answer is signed, over the MAC as it came, whole. */
            rig_answer(&m);
            rig_sign(&m, &server, RIG_NOW);
            client.mac_len = (uint8_t)len;
            assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_OK);
            assert_int_equal(client.error, TSIG_BADTRUNC);
        }
        tsig_keys_free(keys);
    }
}

/* A bad MAC is bad first, whatever its length and time. */
static void test_order_of_checks(void **state)
{
    (void)state;
    struct tsig_key key;
    struct tsig_keys *keys = one_key(&key, "key.example.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    set_mac_len(&m, SHA256_LEN, 20);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_BADTRUNC);
    assert_int_equal(rig_verify(&server, keys, &m, 1), TSIG_BADTIME);
    m.bytes[m.len - TAIL_LEN - 1] ^= 1;
    assert_int_equal(rig_verify(&server, keys, &m, 1), TSIG_BADSIG);
    assert_int_equal(rig_verify(&server, NULL, &m, 1), TSIG_BADKEY);
    set_mac_len(&m, 20, 1);
    assert_int_equal(rig_verify(&server, NULL, &m, 1), TSIG_BADKEY);
    assert_int_equal(rig_verify(&server, keys, &m, 1), TSIG_FORMERR);
    tsig_keys_free(keys);
}

/* Neither key nor MAC: the answer names them and has no MAC (RFC 8945 5.3.2), and nobody takes it for signed. */
static void test_unsigned_errors(void **state)
{
    (void)state;
    static const char badkey[] = "\3key\7example\0\0\372\0\377\0\0\0\0\0\35\13hmac-sha256\0"
                                 "\0\0\x65\x53\xf1\0\1\54\0\0\x47\x11\0\21\0";
    struct tsig_key key, other;
    rig_key(&key, "KEY.example.", TSIG_HMAC_SHA256);
    rig_key(&other, "key.example.org.", TSIG_HMAC_SHA256);
    struct tsig_keys *keys = tsig_keys_new(&other, 1);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), TSIG_BADKEY);
    assert_null(server.key);
    rig_answer(&m);
    size_t len = m.len;
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(m.len - len, sizeof badkey);
    assert_memory_equal(m.bytes + len, badkey, sizeof badkey);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_BADSIG);
    assert_int_equal(client.error, TSIG_BADKEY);
    tsig_keys_free(keys);
}

/* The key has one algorithm; a truncated one goes by the name of the whole too. */
static void test_algorithm(void **state)
{
    (void)state;
    for (enum tsig_algorithm ours = 0; ours < TSIG_ALGORITHMS; ours++) {
        struct tsig_key key;
        struct tsig_keys *keys = one_key(&key, "key.example.", ours);
        for (enum tsig_algorithm theirs = 0; theirs < TSIG_ALGORITHMS; theirs++) {
            struct tsig_key peers;
            struct tsig_state client, server;
            struct message m;
            rig_key(&peers, "key.example.", theirs);
            signed_query(&m, &client, &peers);
            bool is_whole = tsig_algorithm_mac_len(theirs) == hmac_len(tsig_algorithm_hash(theirs));
            bool taken = ours == theirs ||
                         (is_whole && tsig_algorithm_hash(ours) == tsig_algorithm_hash(theirs));
            assert_int_equal(rig_verify(&server, keys, &m, RIG_NOW), taken ? TSIG_OK : TSIG_BADKEY);
            if (!taken)
                continue;
            rig_answer(&m);
            rig_sign(&m, &server, RIG_NOW); /* by the name that the client gave it, as short as the key makes it */
            assert_int_equal(server.mac_len, tsig_algorithm_mac_len(ours));
            assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), ours == theirs ? TSIG_OK : TSIG_BADTRUNC);
        }
        tsig_keys_free(keys);
    }
}

static void test_answer_by_another_key(void **state)
{
    (void)state;
    struct tsig_key key, other;
    rig_key(&key, "key.example.", TSIG_HMAC_SHA256);
    rig_key(&other, "key.example.org.", TSIG_HMAC_SHA256);
    struct tsig_state client, server;
    struct message m;
    signed_query(&m, &client, &key);
    tsig_start(&server, &other);
    rig_answer(&m);
    rig_sign(&m, &server, RIG_NOW);
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_BADKEY);
    rig_answer(&m); /* nor without */
    assert_int_equal(rig_verify_answer(&client, &m, RIG_NOW), TSIG_MISSING);
}

static void test_no_room(void **state)
{
    (void)state;
    struct tsig_key key;
    rig_key(&key, "key.example.", TSIG_HMAC_SHA256);
    struct tsig_state client;
    struct message m, before;
    rig_query(&m);
    before = m;
    tsig_start(&client, &key);
    struct writer w = writer_over(m.bytes, m.len + tsig_room(&client) - 1);
    w.at += m.len;
    assert_false(tsig_sign(&client, &w, RIG_NOW));
    assert_int_equal(writer_len(&w), m.len);
    assert_memory_equal(m.bytes, before.bytes, m.len);
    w.end++;
    be16_put(m.bytes + 10, 65535);
    assert_false(tsig_sign(&client, &w, RIG_NOW));
    be16_put(m.bytes + 10, 0);
    assert_true(tsig_sign(&client, &w, RIG_NOW));
    assert_int_equal(writer_left(&w), 0);
}

static void test_key_table(void **state)
{
    (void)state;
    static const char *const names[] = {"b.", "a.", "xfr.example.", "Transfer.Example.", ".", "aa.", "\\000.a."};
    enum { CNT = sizeof names / sizeof *names };
    struct tsig_key keys[CNT];
    uint8_t name[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    for (unsigned i = 0; i < CNT; i++)
        rig_key(&keys[i], names[i], i % TSIG_ALGORITHMS);
    struct tsig_keys *table = tsig_keys_new(keys, CNT), *none = tsig_keys_new(keys, 0);
    assert_int_equal(tsig_keys_cnt(table), CNT);
    for (unsigned i = 0; i < CNT; i++) {
        rig_name(name, names[i]);
        name_to_lower(lower, name);
        const struct tsig_key *found = tsig_keys_find(table, lower);
        assert_non_null(found);
        assert_memory_equal(found, &keys[i], sizeof *found);
        assert_null(tsig_keys_find(none, lower));
    }
    rig_name(name, "c.");
    assert_null(tsig_keys_find(table, name));
    assert_null(tsig_keys_find(NULL, name));
    tsig_keys_free(table);
    tsig_keys_free(none);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dnspython),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_bind_complaints),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_compressed_owner),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_time_of_the_answer),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_order_of_checks),
        cmocka_unit_test(test_unsigned_errors),
        cmocka_unit_test(test_algorithm),
        cmocka_unit_test(test_answer_by_another_key),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_key_table),
    };
    return cmocka_run_group_tests(tests, rig_start, NULL);
}
