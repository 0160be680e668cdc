/* A client of the control socket inside the test's own thread: it turns the loop until the answer is there. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "ctl/ctl.h"

enum { TALK_PATIENCE_MS = 20000 };

static inline uint64_t talk_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* Connected (it may wait in the backlog), blocking. */
static inline int talk_connect(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* Sends all of it, turning the loop when the buffer is full; false when the server closed. */
static inline bool talk_send(uv_loop_t *loop, int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    for (uint64_t end_ms = talk_now_ms() + TALK_PATIENCE_MS; len;) {
        ssize_t sent = send(fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
            continue;
        }
        if (sent < 0 && errno != EAGAIN)
            return false;
        assert_true(talk_now_ms() < end_ms);
        uv_run(loop, UV_RUN_NOWAIT);
    }
    return true;
}

static inline void talk_request(uv_loop_t *loop, int fd, const char *command, const char *arg)
{
    size_t len;
    char *bytes = ctl_request_format(&len, command, &arg, arg ? 1 : 0);
    assert_true(talk_send(loop, fd, bytes, len));
    free(bytes);
}

/* Reads to the end of the connection and closes it; ERR_CLOSED when no whole answer came. */
static inline enum err talk_answer(uv_loop_t *loop, int fd, struct ctl_answer *answer)
{
    struct ctl_frame frame;
    char bytes[64 * 1024], why[200]; /* large answers must be read within the server's ten seconds, by TSan too */
    bool complete = false, ended = false;
    ctl_frame_init(&frame, CTL_ANSWER_MAX);
    for (uint64_t end_ms = talk_now_ms() + TALK_PATIENCE_MS; !ended;) {
        uv_run(loop, UV_RUN_NOWAIT);
        ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0)
            assert_int_equal(ctl_frame_feed(&frame, bytes, (size_t)len, &complete), ERR_OK);
        else
            ended = len == 0 || errno != EAGAIN;
        if (len < 0 && !ended) {
            assert_true(talk_now_ms() < end_ms);
            usleep(200);
        }
    }
    close(fd);
    enum err err = complete ? ctl_answer_parse(answer, &frame, why, sizeof why) : ERR_CLOSED;
    ctl_frame_fini(&frame);
    return err;
}

static inline int talk(uv_loop_t *loop, const char *path, const char *command, const char *arg,
                       struct ctl_answer *answer)
{
    int fd = talk_connect(path);
    talk_request(loop, fd, command, arg);
    assert_int_equal(talk_answer(loop, fd, answer), ERR_OK);
    return answer->status;
}

/* Turns the loop until `*flag`. */
static inline void talk_until(uv_loop_t *loop, const bool *flag)
{
    for (uint64_t end_ms = talk_now_ms() + TALK_PATIENCE_MS; !*flag;) {
        assert_true(talk_now_ms() < end_ms);
        uv_run(loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}
