#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ctl/text.h"

enum { HEADER_LEN = 4, FIRST_CAP = 1024 };

/* ==== frames ==== */

void ctl_frame_init(struct ctl_frame *frame, size_t most)
{
    *frame = (struct ctl_frame){.most = most};
}

void ctl_frame_fini(struct ctl_frame *frame)
{
    free(frame->bytes);
    *frame = (struct ctl_frame){0};
}

/* Bytes of header and payload together, as far as they are known. */
static size_t frame_want(const struct ctl_frame *frame)
{
    return frame->len < HEADER_LEN ? HEADER_LEN : HEADER_LEN + (size_t)be32_get((const uint8_t *)frame->bytes);
}

static void frame_append(struct ctl_frame *frame, const char *bytes, size_t len)
{
    if (frame->len + len > frame->cap) {
        size_t cap = frame->cap ? frame->cap : FIRST_CAP;
        while (cap < frame->len + len)
            cap *= 2;
        frame->bytes = mem_realloc(frame->bytes, cap, 1);
        frame->cap = cap;
    }
    memcpy(frame->bytes + frame->len, bytes, len);
    frame->len += len;
}

enum err ctl_frame_feed(struct ctl_frame *frame, const void *bytes, size_t len, bool *complete)
{
    const char *at = bytes;
    *complete = false;
    /* First up to the end of the header, then up to the end of what it announces. */
    for (int part = 0; part < 2; part++) {
        size_t want = frame_want(frame);
        if (want - HEADER_LEN > frame->most)
            return ERR_LIMIT;
        size_t take = want - frame->len < len ? want - frame->len : len;
        if (take)
            frame_append(frame, at, take);
        at += take;
        len -= take;
    }
    if (frame->len >= HEADER_LEN && frame_want(frame) - HEADER_LEN > frame->most)
        return ERR_LIMIT;
    *complete = frame->len >= HEADER_LEN && frame->len == frame_want(frame);
    return len ? ERR_SYNTAX : ERR_OK;
}

/* ==== parsing ==== */

static void tell(char *why, size_t why_cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void tell(char *why, size_t why_cap, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, why_cap, fmt, args);
    va_end(args);
}

/* The object in a frame; NULL: there is none, or it names no version. */
static json_t *object_load(const struct ctl_frame *frame, json_int_t *version, char *why, size_t why_cap)
{
    json_error_t error;
    json_t *json = json_loadb(frame->bytes + HEADER_LEN, frame->len - HEADER_LEN, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        tell(why, why_cap, "not JSON: %s", error.text);
        return NULL;
    }
    json_t *named = json_object_get(json, "rondo");
    if (!json_is_integer(named)) {
        tell(why, why_cap, "not a message of rondo's control protocol");
        json_decref(json);
        return NULL;
    }
    *version = json_integer_value(named);
    return json;
}

static enum err version_check(json_int_t version, char *why, size_t why_cap)
{
    if (version == CTL_VERSION)
        return ERR_OK;
    tell(why, why_cap,
         "the other side speaks version %" JSON_INTEGER_FORMAT " of the control protocol, this one version %d", version,
         CTL_VERSION);
    return ERR_UNSUPPORTED;
}

void ctl_request_fini(struct ctl_request *request)
{
    free(request->args);
    json_decref(request->json);
    *request = (struct ctl_request){0};
}

static enum err args_fill(struct ctl_request *request, const json_t *args, char *why, size_t why_cap)
{
    if (args && !json_is_array(args)) {
        tell(why, why_cap, "\"args\" is no array");
        return ERR_SYNTAX;
    }
    request->args = mem_zalloc(json_array_size(args) + 1, sizeof *request->args);
    for (; request->arg_cnt < json_array_size(args); request->arg_cnt++) {
        const char *text = json_string_value(json_array_get(args, request->arg_cnt));
        if (!text) {
            tell(why, why_cap, "an argument is no string");
            return ERR_SYNTAX;
        }
        request->args[request->arg_cnt] = text;
    }
    return ERR_OK;
}

enum err ctl_request_parse(struct ctl_request *request, const struct ctl_frame *frame, char *why, size_t why_cap)
{
    json_int_t version;
    *request = (struct ctl_request){.json = object_load(frame, &version, why, why_cap)};
    if (!request->json)
        return ERR_SYNTAX;
    enum err err = version_check(version, why, why_cap);
    if (err)
        goto fail;
    request->command = json_string_value(json_object_get(request->json, "command"));
    if (!request->command) {
        tell(why, why_cap, "no \"command\"");
        err = ERR_SYNTAX;
        goto fail;
    }
    err = args_fill(request, json_object_get(request->json, "args"), why, why_cap);
    if (!err)
        return ERR_OK;
fail:
    ctl_request_fini(request);
    return err;
}

void ctl_answer_fini(struct ctl_answer *answer)
{
    json_decref(answer->json);
    *answer = (struct ctl_answer){0};
}

enum err ctl_answer_parse(struct ctl_answer *answer, const struct ctl_frame *frame, char *why, size_t why_cap)
{
    json_int_t version;
    *answer = (struct ctl_answer){.json = object_load(frame, &version, why, why_cap)};
    if (!answer->json)
        return ERR_SYNTAX;
    json_t *status = json_object_get(answer->json, "status");
    answer->error = json_string_value(json_object_get(answer->json, "error"));
    answer->data = json_object_get(answer->json, "data");
    bool refusal = json_is_integer(status) && json_integer_value(status) != CTL_STATUS_DONE && answer->error;
    enum err err = refusal ? ERR_OK : version_check(version, why, why_cap);
    if (!err && (!json_is_integer(status) || json_integer_value(status) < CTL_STATUS_DONE ||
                 json_integer_value(status) > CTL_STATUS_USAGE)) {
        tell(why, why_cap, "an answer without a status");
        err = ERR_SYNTAX;
    }
    if (err) {
        ctl_answer_fini(answer);
        return err;
    }
    answer->status = (int)json_integer_value(status);
    return ERR_OK;
}

/* ==== formatting ==== */

static int frame_take_dump(const char *bytes, size_t len, void *arg)
{
    struct ctl_frame *frame = arg;
    if (frame->len + len > frame->most + HEADER_LEN)
        return -1;
    frame_append(frame, bytes, len);
    return 0;
}

/* More would be noise: nothing that is told is known so well. */
enum { REAL_DIGITS = 9 };

/* `json` (taken) as a frame; NULL when it is over `most`. */
static char *frame_format(size_t *len, json_t *json, size_t most)
{
    struct ctl_frame frame;
    ctl_frame_init(&frame, most);
    frame_append(&frame, "\0\0\0", HEADER_LEN);
    int failed = json_dump_callback(json, frame_take_dump, &frame, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
    json_decref(json);
    if (failed) {
        ctl_frame_fini(&frame);
        return NULL;
    }
    be32_put((uint8_t *)frame.bytes, (uint32_t)(frame.len - HEADER_LEN));
    *len = frame.len;
    return frame.bytes;
}

char *ctl_request_format(size_t *len, const char *command, const char *const *args, size_t arg_cnt)
{
    json_t *list = json_array();
    for (size_t i = 0; i < arg_cnt; i++)
        json_array_append_new(list, ctl_json_text(args[i]));
    json_t *json = json_pack("{si so so}", "rondo", CTL_VERSION, "command", ctl_json_text(command), "args", list);
    return frame_format(len, json, UINT32_MAX); /* too large a request is for the other side to refuse */
}

static json_t *answer_make(int status, const char *error)
{
    json_t *json = json_pack("{si si}", "rondo", CTL_VERSION, "status", status);
    if (error)
        json_object_set_new(json, "error", ctl_json_text(error));
    return json;
}

char *ctl_answer_format(size_t *len, int status, const char *error, json_t *data)
{
    json_t *json = answer_make(status, error);
    if (data)
        json_object_set(json, "data", data);
    char *bytes = frame_format(len, json, CTL_ANSWER_MAX);
    return bytes ? bytes : frame_format(len, answer_make(CTL_STATUS_FAILED, "the answer is too large"), CTL_ANSWER_MAX);
}
