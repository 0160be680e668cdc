/* Requests that mean harm, as bytes, one of a kind: what a zone "example.com" with an A record at www must answer to
 * each (tests/unit/answer/test_hostile.c) and what that may cost (tests/helpers/hostile-loop.c). The corpora of the
 * fuzzers began with them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"

enum { HOSTILE_MAX = 65535, HOSTILE_ID = 0xbeef };

struct hostile {
    const char *what;
    const uint8_t *bytes;
    size_t len;
    /* The RCODE ("formerr", as helpers/decode.h has it), NULL: silence. Behind a question mark when the answer has no
     * question: "?formerr". */
    const char *answer;
    enum answer_proto proto;
};

/* All of them; `*cnt` how many. They stay as they are. */
const struct hostile *hostile_all(size_t *cnt);
