/* One TCP connection: bytes in, messages out of them (RFC 1035 4.2.2, RFC 7766), answers, bytes out. Knows no
 * epoll, no list and no clock: its worker (io/tcp.c) says when the socket is ready and is told what to wait for.
 * [io], one worker at a time.
 *
 * What is complete in a read is answered at once and in one write, or as few as answers of CONN_OUT_LEN bytes in all
 * take. Only what is left over is kept in the connection's own buffers: the beginning of a message, and answers that
 * the socket did not take. While there are such answers nothing is read, nor while a request is handed off and its
 * answer, a transfer say, not written (io/stream.h): answers keep their requests' order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"

enum {
    CONN_MESSAGE_MAX = 2 + 65535,
    /* A message fits in whatever part of it came, so there is always room to read. */
    CONN_IN_LEN = CONN_MESSAGE_MAX,
    /* What is written at once, all of which may have to be kept: the longest answer, and as much again. */
    CONN_OUT_LEN = 2 * CONN_MESSAGE_MAX,
    /* What one connection may write before others have their turn, looked at between two batches: one read can ask for
     * 100 MB of answers. */
    CONN_TURN_LEN = 4 * CONN_OUT_LEN,
};

enum conn_state {
    CONN_READING, /* wait until it can be read */
    CONN_WRITING, /* wait until it can be written; at once, when it only has had its turn */
    CONN_HANDED,  /* wait for the answer to what was handed off: conn_resume; nothing but its end is looked for */
    CONN_DONE,    /* close it */
};

struct handoffs;
struct handoff_queue;
struct io_counters;
struct io_handoff;

struct conn {
    struct conn *older, *newer; /* its worker's list */
    uint64_t active_ms;         /* its worker's: when it last made progress */
    uint8_t *in, *out;          /* CONN_IN_LEN, CONN_OUT_LEN bytes; pages are touched as needed */
    int fd;
    uint32_t slot;
    uint32_t in_len;           /* kept input */
    uint32_t out_at, out_len;  /* kept output: bytes out_at up to out_len */
    uint32_t in_peak, out_peak; /* most bytes kept so far */
    uint32_t queued;            /* while writing: bytes in the kernel's queue when last looked at */
    enum conn_state state;
    bool progress; /* a request became complete or the client took bytes; its worker reads and clears it */
    bool is_busy;  /* its worker's: in which of its lists it is */
    struct io_handoff *handoff; /* NULL: none is being answered; CONN_HANDED: not ours now */
    struct addr client;
};

/* All connections' memory, by slot. */
struct conn_store {
    struct conn *conns;
    uint8_t *mem;
    size_t cnt;
};
void conn_store_fini(struct conn_store *store) ATTR_NONNULL_ALL;
/* Reserves address space for `cnt` connections. ERR_IO (errno says why) when the system refuses. [control] */
enum err conn_store_init(struct conn_store *store, size_t cnt) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* What the connections of one worker share. */
struct conn_scratch {
    struct answer_worker *answers;
    struct answer_packet packets[ANSWER_BATCH_MAX];
    uint8_t *in;     /* what is read when nothing was kept */
    uint8_t *out;    /* room for 32 answers of any size */
    uint8_t *stream; /* CONN_OUT_LEN bytes: answers with their length fields, to be written at once */
    uint32_t stream_len;
    uint32_t turn_len;   /* bytes written in the current connection's turn */
    uint16_t idle_100ms; /* its worker's: what answers may tell, see struct answer_packet */
    /* Where requests are handed off, and where to have the answers; nothing is, where no zone's access allows it. */
    struct handoffs *handoffs;
    struct handoff_queue *inbox;
    struct io_counters *counters;
};
void conn_scratch_fini(struct conn_scratch *scratch) ATTR_NONNULL_ALL;
enum err conn_scratch_init(struct conn_scratch *scratch, const struct answer_shared *shared)
    ATTR_NONNULL_ALL ATTR_MUST_USE;

/* `fd` (non-blocking) is taken over. */
void conn_open(struct conn_store *store, uint32_t slot, int fd, const struct addr *client) ATTR_NONNULL_ALL;
/* Closes the socket and gives memory back when much was used. With answers held back it is reset, and the kernel's
 * share of them is forgotten too: otherwise the kernel would go on for minutes to offer them to who takes none, in
 * memory that no limit of ours counts. */
void conn_close(struct conn *conn) ATTR_NONNULL_ALL;
/* True when the client took bytes since this was asked last or bytes were sent last: the kernel tells that there is
 * room only when half of what it holds is gone, for which a slow client may need longer than the idle timeout. */
bool conn_is_draining(struct conn *conn) ATTR_NONNULL_ALL;
/* The socket can be read (or was closed, or failed). Reads once. Online RCU reader. */
void conn_read(struct conn *conn, struct conn_scratch *scratch) ATTR_NONNULL_ALL;
/* The socket can be written: sends what was kept, then goes on with the requests that had to wait. Online RCU
 * reader. */
void conn_write(struct conn *conn, struct conn_scratch *scratch) ATTR_NONNULL_ALL;
/* conn->handoff is back, and begins to be written. Online RCU reader. */
void conn_resume(struct conn *conn, struct conn_scratch *scratch) ATTR_NONNULL_ALL;
/* For io/stream.c: writes what is in the stream; what the socket does not take is kept, and the connection CONN_WRITING
 * then. Nothing else is kept. */
void conn_flush(struct conn *conn, struct conn_scratch *scratch) ATTR_NONNULL_ALL;
