#include "probe/echo.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

/* Where things stand. The identifier is made of the random bits too: where it counts, it is ours alone. */
enum { TYPE_AT = 0, CODE_AT = 1, CHECKSUM_AT = 2, ID_AT = 4, SEQUENCE_AT = 6, RANDOM_AT = 8, NAME_AT = 16 };
enum { REQUEST_V4 = 8, REPLY_V4 = 0, REQUEST_V6 = 128, REPLY_V6 = 129 };

/* Whoever looks at packets shall know what this is. */
static const char name[ECHO_LEN - NAME_AT + 1] = "rondo ping probe";

uint16_t echo_checksum(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += be16_get(bytes + i);
    if (len & 1)
        sum += (uint32_t)bytes[len - 1] << 8;
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return (uint16_t)~sum;
}

void echo_next(struct echo *echo, enum addr_family family, uint64_t random, uint64_t now_us)
{
    uint8_t *request = echo->request;
    assert(echo->sent_cnt < ECHO_COUNT_MAX);
    memset(request, 0, ECHO_LEN);
    request[TYPE_AT] = family == ADDR_V4 ? REQUEST_V4 : REQUEST_V6;
    be16_put(request + ID_AT, (uint16_t)(random >> 48));
    be16_put(request + SEQUENCE_AT, (uint16_t)echo->sent_cnt);
    memcpy(request + RANDOM_AT, &random, sizeof random);
    memcpy(request + NAME_AT, name, ECHO_LEN - NAME_AT);
    if (family == ADDR_V4)
        be16_put(request + CHECKSUM_AT, echo_checksum(request, ECHO_LEN));
    echo->sent_us[echo->sent_cnt++] = now_us ? now_us : 1;
}

bool echo_take(struct echo *echo, enum addr_family family, uint64_t random, uint64_t now_us, const uint8_t *message,
               size_t len)
{
    if (len != ECHO_LEN || message[TYPE_AT] != (family == ADDR_V4 ? REPLY_V4 : REPLY_V6) || message[CODE_AT] ||
        memcmp(message + RANDOM_AT, &random, sizeof random))
        return false;
    uint16_t sequence = be16_get(message + SEQUENCE_AT);
    if (sequence >= echo->sent_cnt || !echo->sent_us[sequence])
        return false;
    echo->time_us += now_us > echo->sent_us[sequence] ? now_us - echo->sent_us[sequence] : 0;
    echo->sent_us[sequence] = 0;
    echo->answered_cnt++;
    return true;
}
