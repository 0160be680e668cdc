/* The parameters of SVCB and HTTPS (RFC 9460 2.1, RFC 9461): wire → text. Not by ldns: 1.8.3 ends the process on some
 * valid ones, by an assertion about its own buffer. */
#include <arpa/inet.h>

#include "ldnsx/rdata_write_part.h"

enum { KEY_MANDATORY, KEY_ALPN, KEY_NO_DEFAULT_ALPN, KEY_PORT, KEY_IPV4HINT, KEY_ECH, KEY_IPV6HINT, KEY_DOHPATH };
static const char *const key_names[] = {"mandatory", "alpn", "no-default-alpn", "port",
                                        "ipv4hint",  "ech",  "ipv6hint",        "dohpath"};

static void put(struct writer *out, const char *text) { writer_put(out, text, strlen(text)); }

static void put_key(struct writer *out, unsigned key)
{
    if (key <= KEY_DOHPATH) {
        put(out, key_names[key]);
    } else {
        put(out, "key");
        rdata_write_number(out, key);
    }
}

/* Nothing in it means something to any reader of text. */
static bool is_plain(const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        uint8_t letter = bytes[i] | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(bytes[i] >= '0' && bytes[i] <= '9') &&
            (!bytes[i] || !strchr("-./_", bytes[i])))
            return false;
    }
    return true;
}

static bool put_mandatory(struct writer *out, struct reader *value)
{
    for (bool first = true; reader_left(value) && !value->failed; first = false) {
        put(out, first ? "" : ",");
        put_key(out, reader_u16(value));
    }
    return !value->failed;
}

/* What RFC 9460 A.1 wants escaped twice is not understood alike everywhere: false. */
static bool put_alpn(struct writer *out, struct reader *value)
{
    for (bool first = true; reader_left(value); first = false) {
        unsigned len = reader_u8(value);
        const uint8_t *id = reader_take(value, len);
        if (!id || !is_plain(id, len))
            return false;
        put(out, first ? "" : ",");
        writer_put(out, id, len);
    }
    return true;
}

static bool put_addresses(struct writer *out, struct reader *value, int family)
{
    for (bool first = true; reader_left(value); first = false) {
        char text[INET6_ADDRSTRLEN];
        const uint8_t *octets = reader_take(value, family == AF_INET ? 4 : 16);
        if (!octets || !inet_ntop(family, octets, text, sizeof text))
            return false;
        put(out, first ? "" : ",");
        put(out, text);
    }
    return true;
}

static bool put_text(struct writer *out, const uint8_t *bytes, unsigned len)
{
    if (is_plain(bytes, len))
        writer_put(out, bytes, len);
    else
        rdata_write_quoted(out, bytes, len);
    return true;
}

/* False: it has no text that all readers take. */
static bool put_value(struct writer *out, unsigned key, const uint8_t *bytes, unsigned len)
{
    struct reader value = reader_over(bytes, len);
    switch (key) {
    case KEY_MANDATORY: return put_mandatory(out, &value);
    case KEY_ALPN: return put_alpn(out, &value);
    case KEY_PORT: rdata_write_number(out, reader_u16(&value)); return !value.failed;
    case KEY_IPV4HINT: return put_addresses(out, &value, AF_INET);
    case KEY_ECH: rdata_write_base64(out, bytes, len); return true;
    case KEY_IPV6HINT: return put_addresses(out, &value, AF_INET6);
    default: return put_text(out, bytes, len);
    }
}

bool rdata_write_params(struct writer *out, struct reader *r)
{
    while (reader_left(r)) {
        unsigned key = reader_u16(r), len = reader_u16(r);
        const uint8_t *value = reader_take(r, len);
        if (!value || (!len && key != KEY_NO_DEFAULT_ALPN && key <= KEY_DOHPATH))
            return false;
        put(out, " ");
        put_key(out, key);
        if (!len)
            continue;
        put(out, "=");
        if (!put_value(out, key, value, len))
            return false;
    }
    return true;
}
