/* A question to a name server, and what its answers are worth: the detail of a dns target and the reader of what comes.
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/msg.h"
#include "probe/pattern.h"

struct probe_spec;
struct probe_options;

enum {
    QUESTION_MAX = MSG_HEADER_LEN + NAME_MAX_LEN + 4,
    QUESTION_TEXT_MAX = 64 * 1024, /* of an answer's records as text; what is beyond is not looked at */
};

/* What is asked, and what is expected: a dns target's detail, but for a regular expression. */
struct question_detail {
    uint32_t rcodes; /* bit RCODE */
    uint16_t type;
    uint16_t query_len;
    uint8_t address[16]; /* an answer's record must be this one ... */
    uint8_t address_len; /* ... 0: need not */
    uint8_t pad[7];
    uint8_t query[]; /* the message, with ID 0 */
};

/* Of one check. */
struct question {
    uint8_t query[QUESTION_MAX];
    bool others; /* something came that was no answer to it */
};

enum question_outcome {
    QUESTION_OTHER, /* no answer to this question */
    QUESTION_MALFORMED,
    QUESTION_EXPECTED,
    QUESTION_WRONG_RCODE,
    QUESTION_NO_RECORD, /* the RCODE is expected, the records are not */
    QUESTION_NO_RECORD_CUT,
};

/* Its type; false: no query can be for it. */
bool question_may_ask(uint16_t type);
/* Whether `expect_answer` is an address. */
bool question_expects_address(const struct probe_options *options) ATTR_NONNULL_ALL;
/* The expected answer is an address of the other family than is asked for. */
bool question_expects_other_family(const struct probe_options *options) ATTR_NONNULL_ALL;
/* As struct kind's pack. The row's name must be one. */
uint8_t *question_pack(const struct probe_spec *spec, size_t *len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Begins one, with that ID. */
void question_begin(struct question *question, const struct question_detail *detail, uint16_t id) ATTR_NONNULL_ALL;
/* What a datagram is to it; `rcode` is set with all but QUESTION_OTHER. `pattern` (NULL: none) must match the text of
 * one record's data. */
enum question_outcome question_judge(const struct question *question, const struct question_detail *detail,
                                     const struct pattern *pattern, const uint8_t *bytes, size_t len,
                                     unsigned *rcode) ATTR_NONNULL(1, 2, 4, 6) ATTR_MUST_USE;
