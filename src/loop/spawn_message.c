#include "loop/spawn_message.h"

#include <string.h>

#include "base/buf.h"

/* ---- writing */

static size_t done(const struct writer *w) { return w->failed ? 0 : writer_len(w); }

static struct writer begin(uint8_t *out, size_t cap, enum spawn_type type, uint32_t id)
{
    struct writer w = writer_over(out, cap);
    writer_u8(&w, (uint8_t)type);
    writer_u32(&w, id);
    return w;
}

static void put_text(struct writer *w, const char *text) { writer_put(w, text, strlen(text) + 1); }

static void put_list(struct writer *w, const char *const *list, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        put_text(w, list[i]);
}

size_t spawn_message_become(uint8_t *out, size_t cap, const char *user)
{
    struct writer w = begin(out, cap, SPAWN_BECOME, 0);
    put_text(&w, user);
    return done(&w);
}

size_t spawn_message_run(uint8_t *out, size_t cap, uint32_t id, const struct spawn_request *request)
{
    struct writer w = begin(out, cap, SPAWN_RUN, id);
    if (!request->arg_cnt || request->arg_cnt > SPAWN_ARGUMENTS_MAX || request->variable_cnt > SPAWN_VARIABLES_MAX)
        return 0;
    writer_u32(&w, request->timeout_ms);
    writer_u8(&w, request->hung_before);
    writer_u16(&w, (uint16_t)request->arg_cnt);
    writer_u16(&w, (uint16_t)request->variable_cnt);
    put_list(&w, request->argv, request->arg_cnt);
    put_list(&w, request->variables, request->variable_cnt);
    return done(&w);
}

size_t spawn_message_stop(uint8_t *out, size_t cap, uint32_t id)
{
    struct writer w = begin(out, cap, SPAWN_STOP, id);
    return done(&w);
}

size_t spawn_message_hello(uint8_t *out, size_t cap, uint32_t signal)
{
    struct writer w = begin(out, cap, SPAWN_HELLO, 0);
    writer_u32(&w, signal);
    return done(&w);
}

size_t spawn_message_ended(uint8_t *out, size_t cap, uint32_t id, const struct spawn_result *result)
{
    struct writer w = begin(out, cap, SPAWN_ENDED, id);
    writer_u8(&w, (uint8_t)result->how);
    writer_u32(&w, result->number);
    writer_u32(&w, result->duration_us);
    put_text(&w, result->line);
    return done(&w);
}

/* ---- reading */

static const char *take_text(struct reader *r)
{
    size_t left = reader_left(r);
    const char *text = (const char *)r->at;
    const void *end = left ? memchr(text, 0, left) : NULL;
    if (!end) {
        r->failed = true;
        return "";
    }
    (void)reader_take(r, (size_t)((const char *)end - text) + 1);
    return text;
}

static void read_run(struct spawn_message *m, struct reader *r)
{
    m->run.timeout_ms = reader_u32(r);
    m->run.hung_before = reader_u8(r) != 0;
    m->run.arg_cnt = reader_u16(r);
    m->run.variable_cnt = reader_u16(r);
    if (!m->run.arg_cnt || m->run.arg_cnt > SPAWN_ARGUMENTS_MAX || m->run.variable_cnt > SPAWN_VARIABLES_MAX)
        r->failed = true;
    m->run.strings = (const char *)r->at;
    for (size_t i = 0; i < m->run.arg_cnt + m->run.variable_cnt && !r->failed; i++)
        (void)take_text(r);
}

static void read_ended(struct spawn_message *m, struct reader *r)
{
    uint8_t how = reader_u8(r);
    m->result.how = (enum spawn_how)how;
    m->result.number = reader_u32(r);
    m->result.duration_us = reader_u32(r);
    const char *line = take_text(r);
    if (how > SPAWN_LOST || strlen(line) >= SPAWN_LINE_MAX)
        r->failed = true;
    else
        memcpy(m->result.line, line, strlen(line) + 1);
}

enum err spawn_message_read(struct spawn_message *message, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    *message = (struct spawn_message){.type = (enum spawn_type)reader_u8(&r), .id = reader_u32(&r)};
    switch (message->type) {
    case SPAWN_BECOME:
        message->user = take_text(&r);
        break;
    case SPAWN_RUN:
        read_run(message, &r);
        break;
    case SPAWN_STOP:
        break;
    case SPAWN_HELLO:
        message->signal = reader_u32(&r);
        break;
    case SPAWN_ENDED:
        read_ended(message, &r);
        break;
    default:
        r.failed = true;
    }
    return r.failed || reader_left(&r) ? ERR_SYNTAX : ERR_OK;
}

static const char *list(const char **out, const char *text, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++, text += strlen(text) + 1)
        out[i] = text;
    out[cnt] = NULL;
    return text;
}

void spawn_message_lists(const struct spawn_message *message, const char **argv, const char **variables)
{
    list(variables, list(argv, message->run.strings, message->run.arg_cnt), message->run.variable_cnt);
}
