/* LOC (RFC 1876 3): "d [m [s.fff]] N|S d [m [s.fff]] E|W altitude[m] [size[m] [horizontal[m] [vertical[m]]]]". */
#include <string.h>

#include "ldnsx/rdata_fields.h"
#include "ldnsx/word.h"

/* A decimal number with up to `places` digits behind the point, times 10^places; a unit letter may follow when `unit`
 * is one. */
static bool decimal(uint64_t *value, const char *p, const char *end, unsigned places, char unit)
{
    uint64_t n = 0;
    unsigned digits = 0, behind = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
        if (n < 1000000000000u)
            n = n * 10 + (unsigned)(*p - '0');
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9' && behind < places; p++, behind++)
            n = n * 10 + (unsigned)(*p - '0');
    digits += behind;
    for (; behind < places; behind++)
        n *= 10;
    if (unit && p < end && *p == unit)
        p++;
    *value = n;
    return digits && p == end;
}

static bool word_decimal(uint64_t *value, const struct word *word, unsigned places, char unit)
{
    return !(word->flags & WORD_QUOTED) && decimal(value, word->at, word->at + word->len, places, unit);
}

/* Thousandths of a second of arc, as LOC counts them from 2^31. `letters`: the positive direction, the negative one. */
static bool coordinate(struct rdata_text *t, uint32_t degrees_most, const char *letters)
{
    uint64_t parts[3] = {0, 0, 0}; /* degrees, minutes, thousandths of a second */
    static const uint64_t most[3] = {180, 59, 59999};
    const struct word *word = NULL;
    unsigned given = 0;

    for (;;) {
        if (!(word = rdata_word(t)))
            return false;
        char letter = *word->at;
        if (given && word->len == 1 && (letter == letters[0] || letter == letters[1])) {
            uint32_t arc = (uint32_t)(parts[0] * 3600000 + parts[1] * 60000 + parts[2]);
            if (arc > degrees_most * 3600000)
                break;
            writer_u32(t->out, letter == letters[0] ? UINT32_C(0x80000000) + arc : UINT32_C(0x80000000) - arc);
            return true;
        }
        if (given == 3 || !word_decimal(&parts[given], word, given == 2 ? 3 : 0, 0) ||
            memchr(word->at, '.', given < 2 ? word->len : 0))
            return rdata_fail(t, word, "bad coordinate");
        if (parts[given] > (given ? most[given] : degrees_most))
            break;
        given++;
    }
    return rdata_fail(t, word, "coordinate out of range");
}

/* Centimetres above 100 km below the WGS 84 spheroid. */
static bool altitude(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    uint64_t cm;
    if (!word)
        return false;
    bool below = *word->at == '-', sign = below || *word->at == '+';
    if (!decimal(&cm, word->at + sign, word->at + word->len, 2, 'm'))
        return rdata_fail(t, word, "bad altitude");
    if (cm > (below ? 10000000u : UINT32_MAX - 10000000u))
        return rdata_fail(t, word, "altitude out of range");
    writer_u32(t->out, (uint32_t)(below ? 10000000 - cm : 10000000 + cm));
    return true;
}

/* A size or precision as one digit and a power of ten, in centimetres. */
static bool precision(struct rdata_text *t, uint8_t *out)
{
    const struct word *word = rdata_word(t);
    uint64_t cm;
    unsigned power = 0;

    if (!word)
        return false;
    if (!word_decimal(&cm, word, 2, 'm'))
        return rdata_fail(t, word, "bad size or precision");
    if (cm / 100 > 90000000)
        return rdata_fail(t, word, "size or precision out of range");
    for (; cm >= 10; power++)
        cm /= 10;
    *out = (uint8_t)(cm << 4 | power);
    return true;
}

bool rdata_text_loc(struct rdata_text *t)
{
    uint8_t *head = writer_room(t->out, 4);
    uint8_t sizes[3] = {0x12, 0x16, 0x13}; /* 1 m, 10 km, 10 m */

    if (!coordinate(t, 90, "NS") || !coordinate(t, 180, "EW") || !altitude(t))
        return false;
    for (unsigned i = 0; i < 3 && t->at < t->end; i++)
        if (!precision(t, &sizes[i]))
            return false;
    if (head) {
        head[0] = 0; /* version */
        memcpy(head + 1, sizes, 3);
    }
    return true;
}
