/* https: asks a web server by TLS and judges its certificate, the status and, where something is expected of it, the
 * body. tls: the handshake and the certificate alone. The connection is made like any; then libcurl has it. */
#include <string.h>

#include "probe/driver.h"
#include "probe/kind.h"
#include "probe/secure.h"

enum { HTTPS_PORT = 443 };

/* It becomes part of a URL, and is the name that a certificate is for. */
static void check_host(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    if (options->host && strpbrk(options->host, "~%"))
        say(arg, "host", "expected a host name, or an address, IPv6 in brackets, without a port");
}

static void check_options(const struct probe_options *options, kind_say_fn *say, void *arg)
{
    kind_http.check_options(options, say, arg);
    check_host(options, say, arg);
}

static const char *pattern(const struct probe_spec *spec, unsigned place)
{
    return kind_http.pattern(spec, place);
}

static void start(struct kind_run *run)
{
    run->secure_phase = SECURE_HANDSHAKE;
}

/* For the driver. */
static void connected(struct kind_run *run)
{
    run->want = KIND_WANT_READABLE;
}

static struct reason late(const struct kind_run *run, uint32_t timeout_ms)
{
    switch ((enum secure_phase)run->secure_phase) {
    case SECURE_HANDSHAKE:
        return (struct reason){REASON_NO_HANDSHAKE, timeout_ms};
    case SECURE_WAITING:
        break;
    case SECURE_HEAD:
        return (struct reason){REASON_HEAD_SLOW, timeout_ms};
    case SECURE_BODY:
        return (struct reason){REASON_BODY_SLOW, timeout_ms};
    }
    return (struct reason){REASON_NO_ANSWER, timeout_ms};
}

const struct kind kind_https = {
    .name = "https",
    .transport = KIND_STREAM,
    .port = HTTPS_PORT,
    .has_port = true,
    .asks_host = true,
    .driver = &driver_curl,
    .check_options = check_options,
    .pack = secure_pack,
    .pattern = pattern,
    .start = start,
    .connected = connected,
    .late = late,
};

const struct kind kind_tls = {
    .name = "tls",
    .transport = KIND_STREAM,
    .port = HTTPS_PORT,
    .has_port = true,
    .asks_host = true,
    .driver = &driver_curl,
    .check_options = check_options,
    .pack = secure_pack,
    .start = start,
    .connected = connected,
    .late = late,
};
