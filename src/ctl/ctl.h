/* The control protocol between rondoctl and rondod, without sockets: frames of a 4-byte big-endian length and that many
 * bytes of JSON: 4 KiB for a request, 64 MiB for an answer at most.
 * Request: {"rondo": 1, "command": "reload", "args": ["…"]}. Answer: {"rondo": 1, "status": 0, "error":
 * "…" or absent, "data": {…}}; status is rondoctl's exit status (0 done, 1 failed, 2 usage). A request of another
 * protocol version gets status 2 and an error that names both. Members that are not named here are ignored, so that a
 * newer side can add some. What is too large for an answer is a file, whose descriptor comes along with the answer's
 * first byte: the zone's text of "dump". Fed by bytes as they come, for both sides and the fuzzer. One thread at a
 * time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"

/* Requests are parsed on the loop, where 64 KiB of "[]," take four milliseconds; a real one is well below a kilobyte,
 * but for one that names many zones. */
enum { CTL_VERSION = 1, CTL_REQUEST_MAX = 4 * 1024, CTL_ANSWER_MAX = 64 * 1024 * 1024 };
enum { CTL_STATUS_DONE = 0, CTL_STATUS_FAILED = 1, CTL_STATUS_USAGE = 2 };

/* Collects one frame. */
struct ctl_frame {
    char *bytes; /* owned; the length's four bytes, then the payload */
    size_t len, cap, most;
};
void ctl_frame_init(struct ctl_frame *frame, size_t most) ATTR_NONNULL_ALL;
void ctl_frame_fini(struct ctl_frame *frame) ATTR_NONNULL_ALL;
/* Takes bytes; ERR_LIMIT when the announced length is over `most`. ERR_OK and *complete when a whole frame is there;
 * bytes behind it are an ERR_SYNTAX (one request a connection). Memory grows with what came, not with what was
 * announced. After an error the frame takes nothing more (the error again). */
enum err ctl_frame_feed(struct ctl_frame *frame, const void *bytes, size_t len, bool *complete)
    ATTR_NONNULL_ALL ATTR_MUST_USE;

struct ctl_request {
    const char *command;
    const char **args;
    size_t arg_cnt;
    json_t *json; /* owns all of it */
};
void ctl_request_fini(struct ctl_request *request) ATTR_NONNULL_ALL;
/* Of a complete frame. ERR_SYNTAX (no JSON object of that shape), ERR_UNSUPPORTED (another version); `why` then says
 * what, for the answer, and there is nothing to fini. */
enum err ctl_request_parse(struct ctl_request *request, const struct ctl_frame *frame, char *why, size_t why_cap)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A frame as new bytes (free()); length to *len. Bytes that are no UTF-8 are escaped. */
char *ctl_request_format(size_t *len, const char *command, const char *const *args, size_t arg_cnt) ATTR_MUST_USE
    ATTR_NONNULL(1, 2);

struct ctl_answer {
    int status;
    const char *error; /* NULL: none */
    json_t *data;      /* borrowed from json; NULL: none */
    json_t *json;      /* owns all of it */
};
void ctl_answer_fini(struct ctl_answer *answer) ATTR_NONNULL_ALL;
/* As ctl_request_parse. An answer of another version that holds a status and an error is taken: it is how the other
 * side refuses us. */
enum err ctl_answer_parse(struct ctl_answer *answer, const struct ctl_frame *frame, char *why, size_t why_cap)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* `data` is borrowed, may be NULL; so may `error`. An answer over CTL_ANSWER_MAX becomes a short one that says so, with
 * CTL_STATUS_FAILED. */
char *ctl_answer_format(size_t *len, int status, const char *error, json_t *data) ATTR_MUST_USE ATTR_NONNULL(1);
