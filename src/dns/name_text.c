/* Names as text: the other half of dns/name.h, kept apart from what the query path runs. */
#include "dns/name.h"

#include <string.h>

/* One byte of a label behind a backslash: \DDD or \X (RFC 1035 5.1). Returns the characters used, 0 when it is
 * neither. */
static size_t read_escape(uint8_t *c, const char *text, size_t len)
{
    if (len < 1)
        return 0;
    if (text[0] < '0' || text[0] > '9') {
        *c = (uint8_t)text[0];
        return 1;
    }
    unsigned value = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (i >= len || text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *c = (uint8_t)value;
    return value <= 255 ? 3 : 0;
}

/* Labels written so far; `label_at` is where the length byte of the open one stands. */
struct name_builder {
    uint8_t *out;
    unsigned len, label_at;
};

static enum err put_byte(struct name_builder *b, uint8_t c)
{
    if (b->len - b->label_at > NAME_LABEL_MAX || b->len >= NAME_MAX_LEN - 1)
        return ERR_RANGE;
    b->out[b->len++] = c;
    return ERR_OK;
}

static enum err end_label(struct name_builder *b)
{
    unsigned label_len = b->len - b->label_at - 1;
    if (!label_len)
        return ERR_SYNTAX;
    b->out[b->label_at] = (uint8_t)label_len;
    b->label_at = b->len++;
    return b->len > NAME_MAX_LEN ? ERR_RANGE : ERR_OK;
}

/* Ends a name whose last label is closed with `tail`, the root or an origin. */
static enum err end_name(struct name_builder *b, const uint8_t *tail, unsigned *len)
{
    unsigned tail_len = name_len(tail);
    if (b->label_at + tail_len > NAME_MAX_LEN)
        return ERR_RANGE;
    memcpy(b->out + b->label_at, tail, tail_len);
    *len = b->label_at + tail_len;
    return ERR_OK;
}

static const uint8_t root_name[1] = {0};

enum err name_from_text(uint8_t out[NAME_MAX_LEN], unsigned *len, const char *text, size_t text_len,
                        const uint8_t *origin)
{
    struct name_builder b = {out, 1, 0};
    if (text_len == 1 && text[0] == '.')
        return end_name(&b, root_name, len);
    if (text_len == 1 && text[0] == '@')
        return origin ? end_name(&b, origin, len) : ERR_SYNTAX;
    if (!text_len)
        return ERR_SYNTAX;
    bool dot = false;
    for (size_t i = 0; i < text_len;) {
        enum err e;
        uint8_t c = (uint8_t)text[i++];
        dot = c == '.';
        if (dot) {
            e = end_label(&b);
        } else {
            size_t used = 1;
            if (c == '\\') {
                used = read_escape(&c, text + i, text_len - i);
                i += used;
            }
            e = used ? put_byte(&b, c) : ERR_SYNTAX;
        }
        if (e)
            return e;
    }
    if (dot)
        return end_name(&b, root_name, len);
    enum err e = end_label(&b);
    return e ? e : end_name(&b, origin ? origin : root_name, len);
}

static char *put_text_byte(char *at, uint8_t c)
{
    if (c <= ' ' || c >= 0x7f) {
        *at++ = '\\';
        *at++ = (char)('0' + c / 100);
        *at++ = (char)('0' + c / 10 % 10);
        *at++ = (char)('0' + c % 10);
        return at;
    }
    if (strchr(".\\\"();@$", c))
        *at++ = '\\';
    *at++ = (char)c;
    return at;
}

char *name_to_text(char out[NAME_TEXT_MAX], const uint8_t *name)
{
    char *at = out;
    if (!*name)
        *at++ = '.';
    for (; *name; name += *name + 1u) {
        for (unsigned i = 1; i <= *name; i++)
            at = put_text_byte(at, name[i]);
        *at++ = '.';
    }
    *at = 0;
    return out;
}

char *name_to_text_bare(char out[NAME_TEXT_MAX], const uint8_t *name)
{
    name_to_text(out, name);
    size_t len = strlen(out);
    if (*name)
        out[len - 1] = 0;
    return out;
}
