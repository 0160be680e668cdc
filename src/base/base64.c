#include "base/base64.h"

#include <stdbool.h>
#include <string.h>

enum { QUARTET = 4, TRIPLET = 3 };

static int value_of(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* Four characters, the last `padding` of them "=" → 3 − padding bytes in the upper bits of 24; false: not such text. */
static bool decode_quartet(uint32_t *bits, const char *text, unsigned padding)
{
    *bits = 0;
    for (unsigned i = 0; i < QUARTET - padding; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        *bits |= (uint32_t)value << (18 - 6 * i);
    }
    return !(*bits & ((UINT32_C(1) << 8 * padding) - 1)); /* RFC 4648 3.5 */
}

enum err base64_decode(uint8_t *out, size_t *out_len, size_t cap, const char *text, size_t len)
{
    *out_len = 0;
    if (len % QUARTET)
        return ERR_SYNTAX;
    for (; len > 0; text += QUARTET, len -= QUARTET) {
        unsigned padding = len > QUARTET || text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
        uint32_t bits;
        if (!decode_quartet(&bits, text, padding))
            return ERR_SYNTAX;
        for (unsigned i = 0; i < TRIPLET - padding; i++) {
            if (*out_len == cap)
                return ERR_RANGE;
            out[(*out_len)++] = (uint8_t)(bits >> (16 - 8 * i));
        }
    }
    return ERR_OK;
}
