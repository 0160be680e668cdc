/* A server on a unix socket for few, short and possibly hostile clients: each sends one request and reads one answer.
 * Knows nothing of what they say.
 *
 * Bounds: one client is read from in a turn of the loop, and gets a piece of its answer, so that what they ask for does
 * not add up; at most `clients_max` at once, the rest waits in the socket's backlog; a deadline for the whole request
 * and one for reading the whole answer; when all places are taken, whoever has not sent a whole request within
 * `crowded_ms` of its arrival gives up its place. A client whose request is being worked on has no deadline. Lives on
 * the loop's thread; memory ends when the loop has run on after pipe_server_close. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/attr.h"
#include "loop/unix_socket.h"

struct pipe_server;
struct pipe_client;

enum pipe_end {
    PIPE_END_DONE,   /* the answer was written whole */
    PIPE_END_GONE,   /* the client closed before that */
    PIPE_END_LATE,   /* a deadline passed */
    PIPE_END_CLOSED, /* pipe_client_close or pipe_server_close */
};

struct pipe_server_events {
    void *arg;
    /* A client came; what it returns is its `conn` below. */
    void *(*open)(void *arg, struct pipe_client *client);
    /* Bytes of the request. May call the functions on the client below; `conn` may have ended when they return. */
    void (*read)(void *conn, const void *bytes, size_t len);
    /* The last call for this conn; the client must not be used any more. */
    void (*end)(void *conn, enum pipe_end why);
    /* After pipe_server_close: the server is about to be freed. */
    void (*closed)(void *arg);
};

struct pipe_server_limits {
    unsigned clients_max;
    uint64_t request_ms, crowded_ms, answer_ms;
};

/* Serves `sock` (taken; closed and its file removed by pipe_server_close). */
struct pipe_server *pipe_server_new(uv_loop_t *loop, struct unix_socket *sock, const struct pipe_server_limits *limits,
                                    const struct pipe_server_events *events) ATTR_NONNULL_ALL ATTR_MUST_USE;
const struct unix_socket *pipe_server_socket(const struct pipe_server *server) ATTR_NONNULL_ALL;
/* Ends every client (of answers nothing more is sent; a short one has been, see pipe_client_write) and the server;
 * `closed` is called from the loop. */
void pipe_server_close(struct pipe_server *server) ATTR_NONNULL_ALL;

/* The request is whole: nothing more is read, no deadline runs until pipe_client_write. */
void pipe_client_hold(struct pipe_client *client) ATTR_NONNULL_ALL;
/* The answer (*bytes is taken, becomes NULL), of which the first 32 KiB are sent at once; the client ends when it is
 * written. At most once; may end the client before it returns. */
void pipe_client_write(struct pipe_client *client, char **bytes, size_t len) ATTR_NONNULL_ALL;
/* The answer's first byte, once it is written, brings this descriptor (taken, becomes -1) along, for whoever looks for
 * one (SCM_RIGHTS, unix(7)). At most once, before pipe_client_write. */
void pipe_client_attach(struct pipe_client *client, int *fd) ATTR_NONNULL_ALL;
void pipe_client_close(struct pipe_client *client) ATTR_NONNULL_ALL;
/* Who it is, as the kernel says; -1: unknown. */
pid_t pipe_client_pid(const struct pipe_client *client, uid_t *uid) ATTR_NONNULL_ALL;
