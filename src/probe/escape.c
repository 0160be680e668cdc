#include "probe/escape.h"

#include "base/mem.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that the escape behind a "\" stands for, and its length; 0: it is none. */
static unsigned read_escape(uint8_t *byte, const char *text)
{
    switch (*text) {
    case 'r':
        *byte = '\r';
        return 1;
    case 'n':
        *byte = '\n';
        return 1;
    case 't':
        *byte = '\t';
        return 1;
    case '\\':
        *byte = '\\';
        return 1;
    case 'x':
        if (hex_value(text[1]) < 0 || hex_value(text[2]) < 0)
            return 0;
        *byte = (uint8_t)(hex_value(text[1]) << 4 | hex_value(text[2]));
        return 3;
    default:
        return 0;
    }
}

bool escape_read(uint8_t out[ESCAPE_MAX], size_t *len, const char *text)
{
    for (*len = 0; *text; text++) {
        uint8_t byte = (uint8_t)*text;
        if (*text == '\\') {
            unsigned taken = read_escape(&byte, text + 1);
            if (!taken)
                return false;
            text += taken;
        }
        if (*len == ESCAPE_MAX)
            return false;
        out[(*len)++] = byte;
    }
    return true;
}

uint8_t *escape_pack(const struct probe_spec *spec, size_t *len)
{
    uint8_t bytes[ESCAPE_MAX];
    *len = 0;
    if (!spec->options.send || !escape_read(bytes, len, spec->options.send) || !*len)
        return NULL;
    return mem_dup(bytes, *len);
}

const char *escape_problem(const char *text)
{
    uint8_t bytes[ESCAPE_MAX];
    size_t len;
    if (!text || escape_read(bytes, &len, text))
        return NULL;
    return len == ESCAPE_MAX ? "expected at most 1024 bytes"
                             : "expected text in which a \"\\\" begins \\r, \\n, \\t, \\\\ or \\xHH";
}
