/* TSIG on both sides. The first byte of an input says whether the rest is a request, an answer, or a message to be
 * signed; whatever a server complains of must be a message that a client understands, and what is signed here verifies
 * here. Never an over-read: inputs are of exactly their size. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "dns/tsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOW = 1700000000, SECRET_LEN = 64, KINDS = 3 };

static struct tsig_key keys[TSIG_ALGORITHMS];
static struct tsig_keys *table;
static uint8_t out[2 * MSG_MAX_LEN];

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

/* The keys of tests/unit/dns/make-tsig-vectors.py, whose messages the corpus begins with. */
static void make_keys(void)
{
    uint8_t secret[SECRET_LEN], name[NAME_MAX_LEN];
    for (unsigned i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(i + 1);
    for (enum tsig_algorithm i = 0; i < TSIG_ALGORITHMS; i++) {
        char text[64];
        unsigned len;
        snprintf(text, sizeof text, "%s.key.example.", tsig_algorithm_text(i));
        require(!name_from_text(name, &len, text, strlen(text), NULL));
        tsig_key_init(&keys[i], name, i, secret, sizeof secret);
    }
    table = tsig_keys_new(keys, TSIG_ALGORITHMS);
}

/* Where the TSIG begins; 0: there is none to verify. */
static size_t find(const uint8_t *msg, size_t len)
{
    struct reader r = reader_over(msg, len);
    struct msg_edns edns;
    if (len > MSG_MAX_LEN || !reader_take(&r, MSG_HEADER_LEN))
        return 0;
    for (unsigned i = msg_qdcount(msg); i > 0; i--)
        if (!msg_skip_name(&r) || !reader_take(&r, 4))
            return 0;
    unsigned cnt = (unsigned)msg_ancount(msg) + msg_nscount(msg) + msg_arcount(msg);
    return msg_read_edns(&edns, &r, cnt, msg_arcount(msg)) || reader_left(&r) ? 0 : edns.tsig_at;
}

/* An answer of a header alone, signed as the request deserves. */
static void answer(struct tsig_state *server, const uint8_t *request, uint64_t now_sec)
{
    struct tsig_state client = *server;
    enum tsig_verdict told = server->error;
    struct writer w = writer_over(out, MSG_HEADER_LEN + tsig_room(server));
    uint8_t *header = writer_room(&w, MSG_HEADER_LEN);
    memset(header, 0, MSG_HEADER_LEN);
    memcpy(header, request, 2);
    require(tsig_sign(server, &w, now_sec) && writer_left(&w) == 0);
    if (!client.key)
        return;
    enum tsig_verdict verdict = tsig_verify_answer(&client, out, writer_len(&w), client.time_sec);
    require(verdict == (told == TSIG_BADSIG ? TSIG_BADSIG : TSIG_OK) && client.error == told);
}

static void read_request(const uint8_t *msg, size_t len)
{
    struct tsig_state s;
    size_t at = find(msg, len);
    if (!at || tsig_verify_request(&s, table, msg, len, at, 0) == TSIG_FORMERR)
        return;
    answer(&s, msg, s.time_sec);
    uint64_t then = s.time_sec;
    require(tsig_verify_request(&s, table, msg, len, at, then) != TSIG_FORMERR);
    answer(&s, msg, then);
}

/* As the first, and as a later one of a stream. */
static void read_answer(const uint8_t *msg, size_t len)
{
    for (unsigned first = 0; first < 2; first++) {
        struct tsig_state s;
        struct writer w = writer_over(out, sizeof out);
        memset(writer_room(&w, MSG_HEADER_LEN), 0, MSG_HEADER_LEN);
        tsig_start(&s, &keys[TSIG_HMAC_SHA256]);
        require(tsig_sign(&s, &w, NOW));
        if (!first)
            require(tsig_sign(&s, &w, NOW));
        enum tsig_verdict verdict = tsig_verify_answer(&s, msg, len, NOW);
        require(verdict != TSIG_OK); /* nobody can know the MAC of our request */
        require((verdict == TSIG_PENDING) == (!first && s.unsigned_cnt == 1));
        if (verdict == TSIG_PENDING)
            require(tsig_verify_answer(&s, msg, len, NOW) == TSIG_PENDING && !tsig_is_proven(&s));
    }
}

static void sign(const uint8_t *msg, size_t len)
{
    if (len < MSG_HEADER_LEN || len > MSG_MAX_LEN / 2 || msg_arcount(msg) == UINT16_MAX)
        return;
    enum tsig_algorithm algorithm = msg[0] % TSIG_ALGORITHMS;
    struct tsig_state s;
    struct writer w = writer_over(out, sizeof out);
    writer_put(&w, msg, len);
    tsig_start(&s, &keys[algorithm]);
    require(tsig_sign(&s, &w, NOW));
    require(tsig_verify_request(&s, table, out, writer_len(&w), len, NOW) == TSIG_OK);
    require(s.key && s.key->algorithm == algorithm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const kinds[KINDS])(const uint8_t *, size_t) = {read_request, read_answer, sign};
    if (!table)
        make_keys();
    if (len)
        kinds[data[0] % KINDS](data + 1, len - 1);
    return 0;
}
