/* The reader of one HTTP/1 response (RFC 9112), fed in pieces of any size. Bounded in everything: 16 KiB of status
 * line, headers, interim responses, chunk extensions and trailers together, 64 KiB of body. No I/O, no clock. Keeps a
 * body only when one is asked for. One owner.
 *
 * Strict, but where the RFC asks for patience: a bare LF ends a line (2.2), a header line may be folded (5.2). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/load_report.h"
#include "probe/probe.h"
#include "probe/reason.h"

enum {
    RESPONSE_HEAD_MAX = 16 * 1024,
    RESPONSE_BODY_MAX = 64 * 1024,
    RESPONSE_INTERIM_MAX = 8,
    RESPONSE_CHUNK_LINE_MAX = 1024, /* a size and its extensions */
    RESPONSE_KEPT_MAX = 80,         /* of a line: status line, or the two fields that say where the body ends */
};

enum response_progress {
    RESPONSE_MORE,
    RESPONSE_DONE, /* headers complete, and body as far as it was asked for */
    RESPONSE_BAD,  /* `reason` says why */
};

struct response {
    /* What is expected; borrowed. */
    const struct probe_status_range *expected;
    uint32_t expected_cnt;
    bool wants_body; /* ... of a response with an expected status */
    struct load_want load_want;
    /* What came. */
    bool is_expected;
    bool body_cut; /* there is more than RESPONSE_BODY_MAX */
    uint16_t status;
    struct reason reason;
    struct load_report load; /* of a header field */
    char *load_value;        /* owned: of the field that has it, once it came, with the colon before */
    uint8_t *body;           /* owned */
    uint32_t body_len, body_cap;
    /* Where the reader is. */
    uint8_t state;
    uint8_t interim_cnt;
    bool any;          /* a byte came */
    bool saw_cr;       /* of this line's end */
    bool in_name;      /* of a header line, before its colon */
    bool is_fold;      /* this line continues the last */
    bool last_matters; /* the last header line said where the body ends */
    bool is_load;      /* this header line, or the last, is the one of load_want */
    bool has_length, has_coding, is_chunked;
    uint16_t kept_len; /* bytes of `kept` */
    uint16_t load_len; /* of load_value */
    uint32_t line_len;
    uint32_t head_len; /* counts against RESPONSE_HEAD_MAX */
    uint64_t length;   /* of the body, or of this chunk: what is left */
    char kept[RESPONSE_KEPT_MAX];
};

void response_fini(struct response *response) ATTR_NONNULL_ALL;
/* A body is also read for `load_want`, which the caller searches it for. */
void response_init(struct response *response, const struct probe_status_range *expected, uint32_t expected_cnt,
                   bool wants_body, const struct load_want *load_want) ATTR_NONNULL_ALL;
/* After RESPONSE_DONE and RESPONSE_BAD nothing is read any more: the same comes back. */
enum response_progress response_feed(struct response *response, const uint8_t *bytes, size_t len)
    ATTR_NONNULL(1) ATTR_MUST_USE;
/* The server closed. Never RESPONSE_MORE. */
enum response_progress response_end(struct response *response) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The reason of a time-out now; `timeout_ms` is its number. */
struct reason response_late(const struct response *response, uint32_t timeout_ms) ATTR_NONNULL_ALL;
