#include "ctl/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/job.h"
#include "loop/pipe_server.h"

enum { WHY_MAX = 200, LOG_BURST = 5 };

static const struct pipe_server_limits limits = {
    .clients_max = 32, .request_ms = 10000, .crowded_ms = 500, .answer_ms = 10000};

struct ctl_server {
    struct pipe_server *pipe; /* NULL once closed */
    uv_loop_t *loop;
    ctl_command_fn *const *run;
    void *arg;
    unsigned ref_cnt;    /* the pipe server's, and one a reply */
    size_t unread_bytes; /* of all answers being written */
    struct log_rate log_rate;
};

struct conn {
    struct ctl_server *server;
    struct pipe_client *client;
    struct ctl_frame frame;
    struct ctl_reply *reply; /* not sent yet; NULL: none */
    size_t answer_len;
};

struct ctl_reply {
    struct ctl_server *server;
    struct conn *conn; /* NULL: the client is gone */
};

struct rendered {
    struct ctl_reply *reply;
    char *bytes; /* NULL: one copy too many */
};

struct render {
    struct job job; /* first: its address is ours */
    ctl_render_fn *fn;
    void (*free_arg)(void *arg);
    void *arg;
    size_t len;
    size_t cnt;
    struct rendered to[];
};

static void server_put(struct ctl_server *server)
{
    if (!--server->ref_cnt)
        free(server);
}

/* ==== answers ==== */

static const char too_many[] = "too many large answers wait to be read";

/* *bytes is taken. The sum of what nobody has read yet is bounded: past it, a short refusal goes out instead. */
static void conn_answer(struct conn *conn, char **bytes, size_t len)
{
    struct ctl_server *server = conn->server;
    if (server->unread_bytes && server->unread_bytes + len > CTL_ANSWER_MAX) {
        job_free(server->loop, *bytes, len);
        *bytes = ctl_answer_format(&len, CTL_STATUS_FAILED, too_many, NULL);
    }
    conn->answer_len = len;
    server->unread_bytes += len;
    pipe_client_write(conn->client, bytes, len); /* `conn` may have ended */
}

static void conn_refuse(struct conn *conn, const char *error)
{
    size_t len;
    char *bytes = ctl_answer_format(&len, CTL_STATUS_USAGE, error, NULL);
    conn_answer(conn, &bytes, len);
}

bool ctl_reply_wanted(const struct ctl_reply *reply)
{
    return reply->conn;
}

pid_t ctl_reply_who(const struct ctl_reply *reply, uid_t *uid)
{
    *uid = (uid_t)-1;
    return reply->conn ? pipe_client_pid(reply->conn->client, uid) : -1;
}

void ctl_reply_attach(struct ctl_reply *reply, int *fd)
{
    if (reply->conn)
        pipe_client_attach(reply->conn->client, fd);
    else
        close(*fd);
    *fd = -1;
}

static void reply_bytes(struct ctl_reply *reply, char **bytes, size_t len)
{
    struct ctl_server *server = reply->server;
    struct conn *conn = reply->conn;
    free(reply);
    if (conn) {
        conn->reply = NULL;
        conn_answer(conn, bytes, len);
    } else {
        job_free(server->loop, *bytes, len);
        *bytes = NULL;
    }
    server_put(server);
}

void ctl_reply_send(struct ctl_reply **reply, int status, const char *error, json_t *data)
{
    size_t len = 0;
    char *bytes = (*reply)->conn ? ctl_answer_format(&len, status, error, data) : NULL;
    json_decref(data);
    reply_bytes(*reply, &bytes, len);
    *reply = NULL;
}

/* Copies are made here too, as many as may wait to be read at a time. */
static void render_run(struct job *job)
{
    struct render *render = (struct render *)job;
    struct ctl_result result = {0};
    render->fn(render->arg, &result);
    render->to[0].bytes = ctl_answer_format(&render->len, result.status, result.error, result.data);
    for (size_t i = 1; i < render->cnt && (i + 1) * render->len <= CTL_ANSWER_MAX; i++)
        render->to[i].bytes = mem_dup(render->to[0].bytes, render->len);
    free(result.error);
    json_decref(result.data);
}

static void render_done(struct job *job)
{
    struct render *render = (struct render *)job;
    render->free_arg(render->arg);
    for (size_t i = 0; i < render->cnt; i++) {
        struct rendered *to = &render->to[i];
        if (to->bytes)
            reply_bytes(to->reply, &to->bytes, render->len);
        else
            ctl_reply_send(&to->reply, CTL_STATUS_FAILED, too_many, NULL);
    }
    free(render);
}

void ctl_replies_render(struct ctl_reply **replies, size_t cnt, ctl_render_fn *fn, void (*free_arg)(void *arg),
                        void *arg)
{
    if (!cnt) {
        free_arg(arg);
        return;
    }
    uv_loop_t *loop = replies[0]->server->loop;
    struct render *render = mem_zalloc(1, sizeof *render + cnt * sizeof *render->to);
    *render = (struct render){.fn = fn, .free_arg = free_arg, .arg = arg, .cnt = cnt};
    for (size_t i = 0; i < cnt; i++) {
        render->to[i].reply = replies[i];
        replies[i] = NULL;
    }
    job_run(loop, &render->job, render_run, render_done);
}

void ctl_reply_render(struct ctl_reply **reply, ctl_render_fn *fn, void (*free_arg)(void *arg), void *arg)
{
    ctl_replies_render(reply, 1, fn, free_arg, arg);
}

/* ==== requests ==== */

static void say(struct conn *conn, const char *what)
{
    uid_t uid;
    pid_t pid = pipe_client_pid(conn->client, &uid);
    if (log_rate_ok(&conn->server->log_rate, LOG_BURST))
        log_notice("control client dropped (process %ld, user %ld): %s", (long)pid, (long)uid, what);
}

static bool args_fit(const struct ctl_command *command, const struct ctl_request *request, char *why, size_t why_cap)
{
    if (request->arg_cnt >= command->args_least && request->arg_cnt <= command->args_most)
        return true;
    snprintf(why, why_cap, "%s arguments; usage: %s%s%s",
             request->arg_cnt < command->args_least ? "too few" : "too many", command->name, *command->usage ? " " : "",
             command->usage);
    return false;
}

static void conn_run(struct conn *conn, const struct ctl_request *request)
{
    char why[WHY_MAX];
    enum ctl_command_id id = ctl_command_find(request->command);
    if (id == CTL_COMMAND_CNT) {
        snprintf(why, sizeof why, "rondod %s has no command \"%.80s\"", RONDO_VERSION, request->command);
        conn_refuse(conn, why);
    } else if (!args_fit(&ctl_commands[id], request, why, sizeof why)) {
        conn_refuse(conn, why);
    } else {
        struct ctl_server *server = conn->server;
        struct ctl_reply *reply = mem_zalloc(1, sizeof *reply);
        *reply = (struct ctl_reply){server, conn};
        conn->reply = reply;
        server->ref_cnt++;
        pipe_client_hold(conn->client);
        server->run[id](server->arg, request, reply);
    }
}

static void conn_request(struct conn *conn)
{
    struct ctl_request request;
    char why[WHY_MAX];
    enum err err = ctl_request_parse(&request, &conn->frame, why, sizeof why);
    if (err) {
        /* Not `why`: it may quote the client. */
        say(conn, err == ERR_UNSUPPORTED ? "another version of the protocol" : "its request is malformed");
        conn_refuse(conn, why);
        return;
    }
    conn_run(conn, &request); /* `conn` may have ended */
    ctl_request_fini(&request);
}

static const char too_large[] = "the request is too large: it may have 4,096 bytes";
_Static_assert(CTL_REQUEST_MAX == 4096, "as it says");

static void conn_read(void *arg, const void *bytes, size_t len)
{
    struct conn *conn = arg;
    bool complete;
    enum err err = ctl_frame_feed(&conn->frame, bytes, len, &complete);
    if (err) {
        const char *why = err == ERR_LIMIT ? too_large : "bytes follow the request";
        say(conn, why);
        conn_refuse(conn, why);
    } else if (complete) {
        conn_request(conn);
    }
}

static void *conn_open(void *arg, struct pipe_client *client)
{
    struct conn *conn = mem_zalloc(1, sizeof *conn);
    conn->server = arg;
    conn->client = client;
    ctl_frame_init(&conn->frame, CTL_REQUEST_MAX);
    return conn;
}

static void conn_end(void *arg, enum pipe_end why)
{
    struct conn *conn = arg;
    if (why == PIPE_END_LATE)
        say(conn, conn->answer_len ? "it does not read its answer" : "no whole request in time");
    else if (why == PIPE_END_GONE && conn->frame.len && !conn->answer_len && !conn->reply)
        say(conn, "the request ends too early");
    if (conn->reply)
        conn->reply->conn = NULL;
    conn->server->unread_bytes -= conn->answer_len;
    ctl_frame_fini(&conn->frame);
    free(conn);
}

static void pipe_closed(void *arg)
{
    server_put(arg);
}

/* ==== life ==== */

/* The control plane does not check for want of memory (base/mem.h); neither should jansson's callers. */
static void *json_alloc(size_t size)
{
    return mem_realloc(NULL, size, 1);
}

enum err ctl_server_open(struct ctl_server **server, uv_loop_t *loop, const char *path,
                         ctl_command_fn *const run[CTL_COMMAND_CNT], void *arg, struct diag *diag)
{
    struct unix_socket sock;
    *server = NULL;
    enum err err = unix_socket_open(&sock, path, 0660, diag);
    if (err)
        return err;
    json_set_alloc_funcs(json_alloc, free);
    json_object_seed(0); /* before any other thread makes objects */
    struct ctl_server *made = mem_zalloc(1, sizeof *made);
    *made = (struct ctl_server){.loop = loop, .run = run, .arg = arg, .ref_cnt = 1};
    struct pipe_server_events events = {made, conn_open, conn_read, conn_end, pipe_closed};
    made->pipe = pipe_server_new(loop, &sock, &limits, &events);
    *server = made;
    return ERR_OK;
}

enum err ctl_server_give_to(const struct ctl_server *server, uid_t uid, gid_t gid, struct diag *diag)
{
    return unix_socket_give_to(pipe_server_socket(server->pipe), uid, gid, diag);
}

void ctl_server_close(struct ctl_server **server)
{
    struct pipe_server *pipe = (*server)->pipe;
    (*server)->pipe = NULL;
    *server = NULL;
    pipe_server_close(pipe);
}
