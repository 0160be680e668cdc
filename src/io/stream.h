/* The part of a TCP connection that has to do with hand-offs: a request leaves its worker, and the connection waits
 * (CONN_HANDED: nothing is read); its answer comes back, one message or a source of many, and is written like other
 * answers are. What a source gives goes out CONN_OUT_LEN bytes in a turn; what the socket does not take of that is kept
 * in the connection, and the source not asked until it is gone: a slow reader holds no more than that. [io], the
 * connection's worker. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "io/conn.h"
#include "io/handoff.h"

/* Hands packets[i] of the scratch memory's last batch over, or, when there are too many, puts a refusal into the
 * stream, which is empty. */
void stream_hand_off(struct conn *conn, struct conn_scratch *scratch, unsigned i) ATTR_NONNULL_ALL;
/* Writes the next part of the answer that came back: nothing is kept in the connection, nor in the stream. When that
 * was the last, conn->handoff is NULL; a source that failed makes it CONN_DONE. */
void stream_write(struct conn *conn, struct conn_scratch *scratch) ATTR_NONNULL_ALL;
/* The connection is about to be closed: its hand-off ends, now or when it comes back. */
void stream_leave(struct conn *conn) ATTR_NONNULL_ALL;
/* It is back, and its connection has been closed meanwhile. */
void stream_end(struct io_handoff *handoff) ATTR_NONNULL_ALL;
/* When its source is to be ended, unless its client takes something before; UINT64_MAX: never, as it has none. */
uint64_t stream_deadline_ms(const struct conn *conn) ATTR_NONNULL_ALL;
