#include "store/serial_mode.h"

#include <time.h>

#include "dns/serial.h"

static uint32_t later_of(uint32_t a, uint32_t b) { return serial_is_later(b, a) ? b : a; }

static uint32_t date_of(uint64_t now_sec)
{
    time_t time = (time_t)now_sec;
    struct tm tm;
    if (!gmtime_r(&time, &tm))
        return 0;
    return (uint32_t)(((tm.tm_year + 1900) * 100 + tm.tm_mon + 1) * 100 + tm.tm_mday) * 100;
}

/* What the mode makes of the time, or `serial` where it is not later. */
static uint32_t by_time(enum store_serial mode, uint32_t serial, uint64_t now_sec)
{
    if (mode == STORE_SERIAL_UNIXTIME)
        return later_of(serial, (uint32_t)now_sec);
    if (mode == STORE_SERIAL_DATE)
        return later_of(serial, date_of(now_sec));
    return serial;
}

uint32_t serial_after(enum store_serial mode, uint32_t published, const uint32_t *wanted, uint64_t now_sec)
{
    uint32_t next = published + 1;
    if (wanted && serial_is_later(*wanted, published))
        next = *wanted;
    uint32_t timed = by_time(mode, next, now_sec);
    return serial_is_later(timed, published) ? timed : next; /* not so far ahead that it is behind (RFC 1982 3.2) */
}

uint32_t serial_first(enum store_serial mode, uint32_t wanted, uint64_t now_sec)
{
    return by_time(mode, wanted, now_sec);
}
