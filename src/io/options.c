#include <stddef.h>
#include <stdio.h>

#include "io/io.h"

#define KEY(key, type, flags, field) OPT_KEY(key, type, flags, io_options, field)

static const struct opt opts[] = {
    {KEY("listen", OPT_ADDR, OPT_LIST | OPT_RESTART, listen), .port_default = 53,
     .sample = "[ \"127.0.0.1@5300\", \"::1@5300\" ]",
     .help = "Addresses to answer on, each \"ADDRESS[@PORT]\", over UDP and TCP. Without it rondo listens on all IPv4 "
             "and IPv6 addresses, port 53."},
    {KEY("workers", OPT_INT, OPT_RESTART, workers), .least = 0, .most = 256, .text_default = "0",
     .help = "Worker threads for UDP (for each address) and for TCP; 0 means one for each CPU that the process may "
             "use."},
    {KEY("tcp_max", OPT_INT, OPT_RESTART, tcp_max), .least = 1, .most = 100000, .text_default = "1000",
     .unit = "connections",
     .help = "TCP connections open at a time, over all workers. When it is reached, a worker closes the one of its "
             "own that has been idle longest to make room for a new one. Each reserves 200 KiB of address space; "
             "memory is used only by those that need it."},
    {KEY("tcp_max_per_client", OPT_INT, OPT_RESTART, tcp_max_per_client), .least = 1, .most = 100000,
     .text_default = "100", .unit = "connections",
     .help = "TCP connections open at a time from one client: an IPv4 address, or a /64 of IPv6. A new one beyond that "
             "takes the place of the client's connection that has been idle longest, as with tcp_max."},
    {KEY("tcp_idle", OPT_DURATION, OPT_RESTART, tcp_idle_ms), .least = 100, .most = 600000, .text_default = "\"10s\"",
     .help = "A TCP connection is closed when for so long no request on it became complete and the client took no "
             "byte of an answer."},
};

static void check(void *filled, void (*say)(void *arg, const char *key, const char *text), void *arg)
{
    const struct io_options *o = filled;
    const struct addr *addrs = o->listen.items;
    for (size_t i = 1; i < o->listen.cnt; i++) {
        for (size_t j = 0; j < i; j++) {
            if (addr_cmp(&addrs[i], &addrs[j]) != 0)
                continue;
            char addr[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 16];
            snprintf(text, sizeof(text), "\"%s\" stands twice", addr_port_to_text(addr, &addrs[i]));
            say(arg, "listen", text);
            break;
        }
    }
}

const struct opt_table io_opt_table = {
    .path = "server",
    .size = sizeof(struct io_options),
    .where_offset = SIZE_MAX,
    .help = "The server as a whole: where it listens, as whom it runs, where its files are.",
    OPT_ROWS(opts),
    .check = check,
};
