/* What a question meets on its way, for people: the answer that a worker would give, and for the question's name and
 * each that an alias leads to, which zone has it and what was found there. By the query path's own functions, on the
 * control thread, where the current versions stay for the time of the call. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "answer/lookup.h"
#include "base/attr.h"
#include "dns/name.h"

enum { TRACE_LINKS_MAX = QUERY_LINKS_MAX + 1, TRACE_REPLY_MAX = 65535 };

/* Who asks: an address, or as much of one as a resolver tells whose word is taken (RFC 7871). */
struct trace_client {
    struct addr address; /* ADDR_NONE: nobody in particular, who is in no site */
    unsigned known;      /* bits; those behind are zero */
};

/* A name. What it points to is the store's. */
struct trace_link {
    uint8_t name[NAME_MAX_LEN];
    const struct zone *zone;            /* NULL: none of ours */
    const struct zone_version *version; /* NULL: not loaded */
    enum lookup_kind kind;
    const struct zone_node *node; /* NULL for LOOKUP_NONE */
};

struct trace {
    struct trace_link links[TRACE_LINKS_MAX];
    unsigned link_cnt;
    unsigned scope; /* bits of the client's address that the answer depends on */
    size_t reply_len;
    uint8_t reply[TRACE_REPLY_MAX]; /* the whole message, as by TCP */
};
void trace_free(struct trace *trace);
struct trace *trace_question(const struct answer_shared *shared, const uint8_t *name, uint16_t type,
                             const struct trace_client *client)
    ATTR_FREED_BY(trace_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
