/* The control protocol on a unix socket: reads requests, finds the command, and gives its handler a reply that it may
 * use now or much later. Clients are slow, hostile or broken: at most 32 at once, 10 s for a whole request and for
 * reading an answer (half a second when all places are taken), CTL_ANSWER_MAX bytes of unread answers in all, one
 * rate-limited log line; see loop/pipe_server.h. [control] */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"

struct ctl_server;

/* The right to answer one request, once. Stays valid when the client leaves and when the server closes: the answer is
 * then thrown away. */
struct ctl_reply;
/* Does a command; whoever holds the reply at the end must send it. The request is borrowed during the call. */
typedef void ctl_command_fn(void *arg, const struct ctl_request *request, struct ctl_reply *reply);

/* Answers. *reply is taken and becomes NULL; `data` (may be NULL) is taken. */
void ctl_reply_send(struct ctl_reply **reply, int status, const char *error, json_t *data) ATTR_NONNULL(1);
/* The answer brings this descriptor (taken, becomes -1) along, for the client to read: what is too large for an answer.
 * Once, before it is sent. */
void ctl_reply_attach(struct ctl_reply *reply, int *fd) ATTR_NONNULL_ALL;
/* The client still waits. */
bool ctl_reply_wanted(const struct ctl_reply *reply) ATTR_NONNULL_ALL;

/* What a large answer holds, filled off the loop. */
struct ctl_result {
    int status;
    char *error;  /* owned; NULL: none */
    json_t *data; /* owned; NULL: none */
};
typedef void ctl_render_fn(void *arg, struct ctl_result *result);
/* Who asked, as the kernel says; -1: unknown, or the client has left. */
pid_t ctl_reply_who(const struct ctl_reply *reply, uid_t *uid) ATTR_NONNULL_ALL;
/* Makes the answer in libuv's pool by `render` (which must touch nothing but `arg`) and sends it; `free_arg` is called
 * at the end, on the loop. *reply is taken. */
void ctl_reply_render(struct ctl_reply **reply, ctl_render_fn *render, void (*free_arg)(void *arg), void *arg)
    ATTR_NONNULL(1, 2, 3);
/* The same answer, made once, for `cnt` replies, each of which is taken. */
void ctl_replies_render(struct ctl_reply **replies, size_t cnt, ctl_render_fn *render, void (*free_arg)(void *arg),
                        void *arg) ATTR_NONNULL(1, 3, 4);

/* Listens at `path`, mode 0660; errors as unix_socket_open. `run` has a handler for each command, called with `arg`. */
enum err ctl_server_open(struct ctl_server **server, uv_loop_t *loop, const char *path,
                         ctl_command_fn *const run[CTL_COMMAND_CNT], void *arg, struct diag *diag)
    ATTR_NONNULL(1, 2, 3, 4, 6) ATTR_MUST_USE;
enum err ctl_server_give_to(const struct ctl_server *server, uid_t uid, gid_t gid, struct diag *diag)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Removes the socket, ends all clients; no handler is called from here on. Memory is freed by the loop, once every
 * reply has been sent. */
void ctl_server_close(struct ctl_server **server) ATTR_NONNULL_ALL;
