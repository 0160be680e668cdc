/* The message's frame: what is read of a request before any zone is looked at, and what is written around an answer.
 * RFC 1035 4.1, 6891, 9619. [worker] */
#pragma once

#include "answer/answer.h"
#include "answer/query.h"

enum frame_verdict {
    FRAME_DONE,     /* the RCODE is known, the answer has no records */
    FRAME_RESOLVE,  /* ask the zones: a question of class IN (or ANY) and an ordinary type (or ANY) */
    /* no answer of ours, from here on */
    FRAME_DROP,     /* nor anybody's */
    FRAME_HAND_OFF, /* query->hand_off; header and question of the request are as they came, in place too */
};

/* Reads packet->in and begins the answer in packet->out: header and question stand there, query->out is behind them.
 * query->context is set. */
enum frame_verdict frame_read(struct query *query, const struct answer_packet *packet) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Takes all records out of the answer again: header and question stay. */
void frame_cut(struct query *query) ATTR_NONNULL_ALL;
/* Writes the OPT, the header and the TSIG; the answer is then query->out. */
void frame_finish(struct query *query) ATTR_NONNULL_ALL;
