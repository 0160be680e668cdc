/* Fetches a zone whole (AXFR) and does nothing with it but count: how fast a server gives it, not how fast somebody
 * takes it. Prints the records, messages and bytes that came, and the microseconds from the question to the first
 * message and to the last.
 *
 *   zone-reader [-t TIMES] PORT ZONE RECORDS
 *
 * It is the last message when that many records have come, the SOA counted twice. -t: so often, one after the other;
 * 0: until it is killed. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "argument.h"

enum { HEADER_LEN = 12, NAME_MAX_LEN = 255, BUFFER_BYTES = 1 << 20, TYPE_AXFR = 252, CLASS_IN = 1, ANCOUNT_AT = 6 };

static uint8_t buffer[BUFFER_BYTES];

static void fail(const char *what)
{
    fprintf(stderr, "zone-reader: %s\n", what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static int dial(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
        fail("no connection");
    return fd;
}

static void ask(int fd, const char *zone)
{
    uint8_t wire[2 + HEADER_LEN + NAME_MAX_LEN + 6] = {0, 0, 0x12, 0x34, 0, 0, 0, 1};
    size_t len = 2 + HEADER_LEN;
    while (*zone) {
        size_t label = strcspn(zone, ".");
        if (label == 0 || label > 63 || len + label + 2 > 2 + HEADER_LEN + NAME_MAX_LEN)
            fail("that is no name of a zone");
        wire[len++] = (uint8_t)label;
        memcpy(wire + len, zone, label);
        len += label;
        zone += label + (zone[label] == '.');
    }
    wire[len++] = 0;
    put16(wire + len, TYPE_AXFR);
    put16(wire + len + 2, CLASS_IN);
    len += 4;
    put16(wire, (unsigned)len - 2);
    if (write(fd, wire, len) != (ssize_t)len)
        fail("the question was not taken");
}

struct count {
    uint64_t records, messages, bytes, first_us, last_us;
};

/* Of what stands in the buffer whole messages are counted; returns how many bytes these are. */
static size_t count_messages(struct count *count, size_t have)
{
    size_t at = 0;
    while (have - at >= 2 + HEADER_LEN && have - at >= 2 + get16(buffer + at)) {
        if (buffer[at + 2 + 3] & 15)
            fail("refused");
        count->records += get16(buffer + at + 2 + ANCOUNT_AT);
        count->messages++;
        at += 2 + get16(buffer + at);
    }
    return at;
}

static struct count fetch(unsigned port, const char *zone, uint64_t records)
{
    struct count count = {0};
    int fd = dial(port);
    uint64_t began = now_us();
    ask(fd, zone);
    size_t have = 0;
    while (count.records < records) {
        ssize_t n = read(fd, buffer + have, sizeof buffer - have);
        if (n <= 0)
            fail("the transfer broke off");
        if (!count.bytes)
            count.first_us = now_us() - began;
        count.bytes += (uint64_t)n;
        have += (size_t)n;
        size_t done = count_messages(&count, have);
        memmove(buffer, buffer + done, have - done);
        have -= done;
    }
    count.last_us = now_us() - began;
    close(fd);
    return count;
}

int main(int argc, char **argv)
{
    uint64_t times = 1;
    int option;
    while ((option = getopt(argc, argv, "t:")) == 't')
        times = argument_number(optarg, 0, 1000000);
    if (option != -1 || argc - optind != 3) {
        fprintf(stderr, "usage: zone-reader [-t TIMES] PORT ZONE RECORDS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    unsigned port = (unsigned)argument_number(argv[optind], 1, 65535);
    uint64_t records = argument_number(argv[optind + 2], 2, UINT32_MAX);
    for (uint64_t i = 0; times == 0 || i < times; i++) {
        struct count count = fetch(port, argv[optind + 1], records);
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", count.records, count.messages,
               count.bytes, count.first_us, count.last_us);
        fflush(stdout);
    }
    return 0;
}
