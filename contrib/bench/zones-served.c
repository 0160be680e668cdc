/* Waits until a server answers for all of many zones, and prints the time of that in microseconds of the monotonic
 * clock.
 *
 *   zones-served PORT ZONE COUNT SERIAL PATIENCE
 *
 * ZONE is a name with one "#", which stands for the numbers from 0 to COUNT - 1, five digits each. A zone is served
 * when the answer for its SOA is authoritative and has at least SERIAL, in plain arithmetic. The last zone is awaited
 * first, so that a server which is not ready yet is asked a thousand times a second and not as fast as it refuses; then
 * all of them are asked, 64 at a time, and those that are missing again. Status 1 when that took PATIENCE seconds: then
 * how many are served is what is printed. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
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

enum { HEADER_LEN = 12, MESSAGE_MAX = 512, TYPE_SOA = 6, IN_FLIGHT = 64, MOST = 65536, PAUSE_MS = 1, LOST_MS = 50 };

static char prefix[64], suffix[64];
static uint32_t count, serial;
static bool served[MOST];
static uint64_t give_up_us;
static int fd;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A question's ID is its zone's number. */
static void ask(uint32_t number)
{
    uint8_t wire[MESSAGE_MAX] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 0, 0, 1};
    char text[160];
    snprintf(text, sizeof text, "%s%05" PRIu32 "%s", prefix, number, suffix);
    size_t len = HEADER_LEN;
    for (const char *at = text; *at;) {
        size_t label = strcspn(at, ".");
        wire[len++] = (uint8_t)label;
        memcpy(wire + len, at, label);
        len += label;
        at += label + (at[label] == '.');
    }
    memcpy(wire + len, "\0\0\6\0\1", 5);
    if (send(fd, wire, len + 5, 0) < 0)
        return; /* nobody listens yet: it counts as lost */
}

static size_t skip_name(const uint8_t *wire, size_t len, size_t at)
{
    while (at < len && wire[at] && wire[at] < 0xc0)
        at += 1 + (size_t)wire[at];
    return at + (at < len && wire[at] ? 2 : 1);
}

/* Whether this answer says that the zone is served. */
static bool is_good(const uint8_t *wire, size_t len)
{
    if (len < HEADER_LEN || wire[3] & 15 || !(wire[2] & 4) || !(wire[6] | wire[7]))
        return false;
    size_t at = skip_name(wire, len, skip_name(wire, len, HEADER_LEN) + 4) + 10;
    at = skip_name(wire, len, skip_name(wire, len, at));
    return at + 4 <= len && get32(wire + at) >= serial;
}

/* Takes answers for at most `wait_ms` and no more than `most` of them; returns how many came. */
static unsigned take(unsigned most, int wait_ms)
{
    uint8_t wire[MESSAGE_MAX];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    unsigned taken = 0;
    while (taken < most && poll(&waiting, 1, wait_ms) > 0) {
        ssize_t n = recv(fd, wire, sizeof wire, MSG_DONTWAIT);
        if (n < 2)
            return taken; /* refused: nobody listens yet */
        uint32_t number = (uint32_t)wire[0] << 8 | wire[1];
        if (number < count)
            served[number] = served[number] || is_good(wire, (size_t)n);
        taken++;
    }
    return taken;
}

static void check_patience(void)
{
    if (now_us() < give_up_us)
        return;
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++)
        good += served[i];
    printf("%" PRIu32 "\n", good);
    exit(1);
}

static void wait_last(void)
{
    while (!served[count - 1]) {
        check_patience();
        ask(count - 1);
        take(1, LOST_MS);
        if (!served[count - 1])
            usleep(PAUSE_MS * 1000);
    }
}

/* Asks for all that are missing, once; true when none is any more. */
static bool ask_missing(void)
{
    unsigned in_flight = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (served[i])
            continue;
        ask(i);
        if (++in_flight == IN_FLIGHT)
            in_flight -= take(IN_FLIGHT / 2, LOST_MS);
        if (in_flight == IN_FLIGHT)
            in_flight = 0; /* these are lost */
    }
    take(in_flight, LOST_MS);
    for (uint32_t i = 0; i < count; i++)
        if (!served[i])
            return false;
    return true;
}

int main(int argc, char **argv)
{
    const char *mark = argc == 6 ? strchr(argv[2], '#') : NULL;
    if (!mark || strlen(argv[2]) >= sizeof prefix) {
        fprintf(stderr, "usage: zones-served PORT ZONE COUNT SERIAL PATIENCE (ZONE with one #)\n");
        return 2;
    }
    memcpy(prefix, argv[2], (size_t)(mark - argv[2]));
    strcpy(suffix, mark + 1);
    count = (uint32_t)argument_number(argv[3], 1, MOST);
    serial = (uint32_t)argument_number(argv[4], 0, UINT32_MAX);
    give_up_us = now_us() + argument_number(argv[5], 1, 86400) * 1000000;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htons((uint16_t)argument_number(argv[1], 1, 65535));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) {
        perror("zones-served");
        return 2;
    }
    wait_last();
    while (!ask_missing()) {
        check_patience();
        usleep(PAUSE_MS * 1000);
    }
    printf("%" PRIu64 "\n", now_us());
    return 0;
}
