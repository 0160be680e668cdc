#include "probe/reason.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "dns/rr.h"

static const struct {
    const char *text;
    enum reason_shown shown;
} reasons[] = {
#define X(name, shown, text) [REASON_##name] = {text, REASON_##shown},
    REASON_MAP(X)
#undef X
};

/* "Connection refused" → "connection refused"; an abbreviation in front ("RFS specific error") stays. */
static void system_text(char *out, size_t cap, uint32_t number)
{
    const char *text = strerrordesc_np((int)number);
    snprintf(out, cap, "%s", text ? text : "unknown system error");
    if (out[0] && !isupper((unsigned char)out[1]))
        out[0] = (char)tolower((unsigned char)out[0]);
}

static void value_text(char out[PROBE_REASON_MAX], enum reason_shown shown, uint32_t number)
{
    char duration[OPT_DURATION_TEXT_MAX];
    switch (shown) {
    case REASON_PLAIN:
        out[0] = '\0';
        break;
    case REASON_NUMBER:
        snprintf(out, PROBE_REASON_MAX, "%u", number);
        break;
    case REASON_DURATION:
        snprintf(out, PROBE_REASON_MAX, "%s", opt_duration_to_text(duration, number));
        break;
    case REASON_ERRNO:
        system_text(out, PROBE_REASON_MAX, number);
        break;
    case REASON_RCODE:
        snprintf(out, PROBE_REASON_MAX, "%s", rcode_text(number));
        break;
    }
}

static size_t append(char out[PROBE_REASON_MAX], size_t len, const char *text, size_t text_len)
{
    size_t left = PROBE_REASON_MAX - 1 - len, taken = text_len < left ? text_len : left;
    memcpy(out + len, text, taken);
    out[len + taken] = '\0';
    return len + taken;
}

char *reason_to_text(char out[PROBE_REASON_MAX], struct reason reason)
{
    char value[PROBE_REASON_MAX];
    unsigned code = reason.code < REASON_CNT ? reason.code : REASON_NONE;
    const char *text = reasons[code].text, *rest = text + strcspn(text, "%");
    value_text(value, reasons[code].shown, reason.number);
    size_t len = append(out, 0, text, (size_t)(rest - text));
    if (*rest) {
        len = append(out, len, value, strlen(value));
        append(out, len, rest + 1, strlen(rest + 1));
    }
    return out;
}
