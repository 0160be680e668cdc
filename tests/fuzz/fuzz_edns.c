/* The options of an OPT: the input is their bytes. What is found must be what a reader finds that takes one option at a
 * time and shares no code; what is written must be read as it was; and whatever cookie comes, the one given back is
 * good. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answer/cookie.h"
#include "dns/edns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOW_SEC = 1559731985 }; /* of the cookie in the corpus */

static const struct cookie_secrets secrets = {
    .secrets = {{{0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf}},
                {{1}}},
    .cnt = 2,
};
static const struct addr client = {.bytes = {198, 51, 100, 100}, .family = ADDR_V4};

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

/* The value of the first option of a code, or NULL; `whole`: all options are. */
static const uint8_t *find(const uint8_t *data, size_t len, unsigned code, size_t *value_len, bool *whole)
{
    const uint8_t *found = NULL;
    size_t at = 0;
    while (len - at >= 4) {
        size_t this_len = (size_t)data[at + 2] << 8 | data[at + 3];
        if (len - at - 4 < this_len)
            break;
        if (!found && (unsigned)(data[at] << 8 | data[at + 1]) == code) {
            found = data + at + 4;
            *value_len = this_len;
        }
        at += 4 + this_len;
    }
    *whole = at == len;
    return found;
}

static bool ecs_is_right(const uint8_t *value, size_t len)
{
    if (len < 4 || value[0] || value[1] > 2 || value[3] || value[2] > (const int[]){0, 32, 128}[value[1]])
        return false;
    size_t bits = (len - 4) * 8;
    if (bits < value[2] || bits >= value[2] + 8u)
        return false;
    for (size_t bit = value[2]; bit < bits; bit++)
        if (value[4 + bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static bool cookie_is_right(size_t len)
{
    return len == 8 || (len >= 16 && len <= 40);
}

static void check_ecs(const struct edns_ecs *ecs, const uint8_t *value, size_t len)
{
    uint8_t out[32];
    require(ecs->family == value[1] && ecs->source_prefix == value[2] && !memcmp(ecs->address, value + 4, len - 4));
    for (size_t i = len - 4; i < sizeof ecs->address; i++)
        require(!ecs->address[i]);
    struct writer w = writer_over(out, edns_ecs_len(ecs));
    edns_put_ecs(&w, ecs, 0);
    require(!w.failed && writer_len(&w) == len + 4 && !memcmp(out + 4, value, len));
}

static void check_cookie(const uint8_t *value, unsigned len)
{
    uint8_t given[COOKIE_LEN];
    enum cookie_verdict verdict = cookie_check(&secrets, &client, value, len, NOW_SEC);
    require(len == COOKIE_LEN || verdict == COOKIE_CLIENT_ONLY);
    cookie_answer(given, verdict, &secrets, &client, value, NOW_SEC);
    require(!memcmp(given, value, COOKIE_CLIENT_LEN));
    require((verdict == COOKIE_VALID) == (len == COOKIE_LEN && !memcmp(given, value, len)));
    require(cookie_check(&secrets, &client, given, COOKIE_LEN, NOW_SEC) == COOKIE_VALID);
}

static void check_options(const struct edns_options *options, const uint8_t *data, size_t len)
{
    bool whole;
    size_t value_len = 0;
    require(!find(data, len, EDNS_NSID, &value_len, &whole) == !(options->present & EDNS_HAS_NSID) && whole);
    const uint8_t *value = find(data, len, EDNS_ECS, &value_len, &whole);
    require(!value == !(options->present & EDNS_HAS_ECS));
    if (value) {
        require(ecs_is_right(value, value_len));
        check_ecs(&options->ecs, value, value_len);
    }
    value = find(data, len, EDNS_COOKIE, &value_len, &whole);
    require(!value == !(options->present & EDNS_HAS_COOKIE));
    if (value) {
        require(cookie_is_right(value_len) && options->cookie == value && options->cookie_len == value_len);
        check_cookie(value, options->cookie_len);
    }
    /* of which not the first, but one without a value counts */
    value = find(data, len, EDNS_TCP_KEEPALIVE, &value_len, &whole);
    require(value || !(options->present & EDNS_HAS_KEEPALIVE));
    require(!value || value_len || options->present & EDNS_HAS_KEEPALIVE);
}

/* Something that is not whole, or the first ECS or COOKIE, must be to blame. */
static bool is_wrong(const uint8_t *data, size_t len)
{
    bool whole;
    size_t ecs_len = 0, cookie_len = 0;
    const uint8_t *ecs = find(data, len, EDNS_ECS, &ecs_len, &whole);
    const uint8_t *cookie = find(data, len, EDNS_COOKIE, &cookie_len, &whole);
    return !whole || (ecs && !ecs_is_right(ecs, ecs_len)) || (cookie && !cookie_is_right(cookie_len));
}

static bool are_many(const uint8_t *data, size_t len)
{
    unsigned cnt = 0;
    for (size_t at = 0; len - at >= 4 && len - at - 4 >= (size_t)(data[at + 2] << 8 | data[at + 3]); cnt++)
        at += 4 + (size_t)(data[at + 2] << 8 | data[at + 3]);
    return cnt > MSG_OPTIONS_MAX;
}

/* The same bytes in an OPT record: what msg_read_edns lets through is whole. */
static bool passes_in_a_message(const uint8_t *data, size_t len)
{
    uint8_t *record = malloc(MSG_OPT_LEN + len);
    struct writer w = writer_over(record, MSG_OPT_LEN + len);
    struct msg_edns edns;
    writer_put(&w, "\0\0\51\4\320\0\0\0\0", 9);
    writer_u16(&w, (uint16_t)len);
    writer_put(&w, data, len);
    struct reader r = reader_over(record, MSG_OPT_LEN + len);
    bool passes = !msg_read_edns(&edns, &r, 1, 1);
    require(!passes || (edns.options_len == len && (!len || !memcmp(edns.options, data, len))));
    free(record);
    return passes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > UINT16_MAX)
        return 0;
    const struct msg_edns edns = {.present = true, .options = data, .options_len = (uint16_t)len};
    struct edns_options options;
    enum err e = edns_read_options(&options, &edns);
    require((e != ERR_OK) == is_wrong(data, len));
    if (!passes_in_a_message(data, len))
        require(e == ERR_SYNTAX || are_many(data, len));
    if (!e)
        check_options(&options, data, len);
    return 0;
}
