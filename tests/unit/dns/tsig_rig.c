#include "tsig_rig.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/msg.h"
#include "dns/rr.h"

static uint8_t secret[64];

int rig_start(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)(i + 1);
    return 0;
}

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

void rig_name(uint8_t out[NAME_MAX_LEN], const char *text)
{
    unsigned len;
    if (name_from_text(out, &len, text, strlen(text), NULL))
        die(text);
}

void rig_from_hex(struct message *m, const char *digits)
{
    m->len = strlen(digits) / 2;
    if (m->len > sizeof m->bytes)
        die("too long a message");
    for (size_t i = 0; i < m->len; i++) {
        unsigned byte;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
            die(digits);
        m->bytes[i] = (uint8_t)byte;
    }
}

enum tsig_algorithm rig_algorithm(const char *text)
{
    for (enum tsig_algorithm i = 0; i < TSIG_ALGORITHMS; i++)
        if (!strcmp(tsig_algorithm_text(i), text))
            return i;
    die(text);
    return TSIG_ALGORITHMS;
}

void rig_key(struct tsig_key *key, const char *name, enum tsig_algorithm algorithm)
{
    uint8_t wire[NAME_MAX_LEN];
    rig_name(wire, name);
    tsig_key_init(key, wire, algorithm, secret, sizeof secret);
}

void rig_sha256(uint8_t *mac, unsigned len, const struct message *parts, size_t cnt)
{
    uint8_t whole[HMAC_LEN_MAX];
    uint8_t *all = malloc(cnt * RIG_MESSAGE_MAX);
    size_t at = 0;
    for (size_t i = 0; i < cnt; at += parts[i++].len)
        memcpy(all + at, parts[i].bytes, parts[i].len);
    if (!HMAC(EVP_sha256(), secret, sizeof secret, all, at, whole, NULL))
        die("HMAC");
    memcpy(mac, whole, len);
    free(all);
}

void rig_query(struct message *m)
{
    rig_from_hex(m, "4711000000010000000000000377777707" "6578616d706c650000010001");
}

void rig_answer(struct message *m)
{
    rig_from_hex(m, "4711800000010001000000000377777707" "6578616d706c650000010001c00c000100010000003c0004c0000201");
}

void rig_sign(struct message *m, struct tsig_state *state, uint64_t now_sec)
{
    struct writer w = writer_over(m->bytes, sizeof m->bytes);
    w.at += m->len;
    unsigned room = tsig_room(state);
    if (!tsig_sign(state, &w, now_sec) || writer_len(&w) != m->len + room)
        die("a signature that takes another room");
    m->len = writer_len(&w);
}

size_t rig_find(const struct message *m)
{
    struct reader r = reader_over(m->bytes, m->len);
    struct msg_edns edns;
    if (!reader_take(&r, MSG_HEADER_LEN))
        return SIZE_MAX;
    for (unsigned i = msg_qdcount(m->bytes); i > 0; i--)
        if (!msg_skip_name(&r) || !reader_take(&r, 4))
            return SIZE_MAX;
    unsigned cnt = (unsigned)msg_ancount(m->bytes) + msg_nscount(m->bytes) + msg_arcount(m->bytes);
    if (msg_read_edns(&edns, &r, cnt, msg_arcount(m->bytes)) || reader_left(&r))
        return SIZE_MAX;
    return edns.tsig_at;
}

enum tsig_verdict rig_verify(struct tsig_state *state, const struct tsig_keys *keys, const struct message *m,
                             uint64_t now_sec)
{
    size_t at = rig_find(m);
    if (at == 0 || at == SIZE_MAX)
        return at ? TSIG_FORMERR : TSIG_MISSING;
    uint8_t *exact = malloc(m->len);
    memcpy(exact, m->bytes, m->len);
    enum tsig_verdict verdict = tsig_verify_request(state, keys, exact, m->len, at, now_sec);
    free(exact);
    return verdict;
}

enum tsig_verdict rig_verify_answer(struct tsig_state *state, const struct message *m, uint64_t now_sec)
{
    uint8_t *exact = malloc(m->len ? m->len : 1);
    memcpy(exact, m->bytes, m->len);
    enum tsig_verdict verdict = tsig_verify_answer(state, exact, m->len, now_sec);
    free(exact);
    return verdict;
}
