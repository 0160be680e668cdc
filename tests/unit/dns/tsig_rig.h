/* Messages to sign and verify, and keys, for the tests of TSIG. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/tsig.h"

enum { RIG_NOW = 1700000000, RIG_MESSAGE_MAX = 2048 };

struct message {
    size_t len;
    uint8_t bytes[RIG_MESSAGE_MAX];
};

int rig_start(void **state);

/* From text: a name in wire form; digits; an algorithm. What is wrong ends the process. */
void rig_name(uint8_t out[NAME_MAX_LEN], const char *text);
void rig_from_hex(struct message *m, const char *digits);
enum tsig_algorithm rig_algorithm(const char *text);
/* A key of the secret 1, 2, … 64. */
void rig_key(struct tsig_key *key, const char *name, enum tsig_algorithm algorithm);
/* The first `len` bytes of the HMAC-SHA256 under that secret over the parts, by libcrypto's own HMAC. */
void rig_sha256(uint8_t *mac, unsigned len, const struct message *parts, size_t cnt);

/* "www.example. A", without EDNS; and an answer to it. */
void rig_query(struct message *m);
void rig_answer(struct message *m);
/* `m` signed at `now_sec`. */
void rig_sign(struct message *m, struct tsig_state *state, uint64_t now_sec);

/* Where the TSIG begins: 0 for none, SIZE_MAX for no well-formed message. */
size_t rig_find(const struct message *m);
/* As a server does it, from memory of just that length: TSIG_MISSING when there is no TSIG. */
enum tsig_verdict rig_verify(struct tsig_state *state, const struct tsig_keys *keys, const struct message *m,
                             uint64_t now_sec);
/* As a client does it, the same way. */
enum tsig_verdict rig_verify_answer(struct tsig_state *state, const struct message *m, uint64_t now_sec);
