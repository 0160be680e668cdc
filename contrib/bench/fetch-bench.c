/* What an incoming transfer costs by TCP over the loopback: a zone of NAMES names (default 1,000,000), an A record
 * each, is fetched from a process that has its messages (of at most BYTES bytes, default 65,535) ready, up to the
 * sorted records. Each round says how long that took, what of a core it was, and the longest turn of the loop.
 *
 *     fetch-bench [NAMES [BYTES]]
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "dns/msg.h"
#include "loop/job.h"
#include "loop/lag.h"
#include "sync/fetch.h"
#include "sync/stream_out.h"
#include "zone/version.h"

enum { ROUNDS = 5, DEADLINE_MS = 600 * 1000 };

static const uint8_t apex[] = "\7example\3com";
static const uint8_t soa_rdata[] = "\1n\0\1h\0\0\0\0\1\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20";

static void add(struct zone_records *records, const uint8_t *owner, uint16_t type, const void *rdata, unsigned len)
{
    struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 300, .type = type, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, NULL, 0);
}

static void add_names(struct zone_records *records, unsigned names)
{
    for (unsigned i = 0; i < names; i++) {
        uint8_t owner[40];
        int n = sprintf((char *)owner + 1, "h%06u", i);
        owner[0] = (uint8_t)n;
        memcpy(owner + 1 + n, apex, sizeof apex);
        add(records, owner, RR_A, &i, 4);
    }
}

/* ---- the primary */

/* All messages of the transfer, each with its length before it. */
struct messages {
    uint8_t *bytes;
    size_t len, cap;
};

static void make_messages(struct messages *m, const struct zone_version *version, size_t most)
{
    static uint8_t message[MSG_MAX_LEN];
    struct stream_out_request request = {.name = apex, .type = RR_AXFR};
    struct stream_out out;
    enum stream_out_state state = STREAM_OUT_MORE;
    stream_out_whole(&out, &request, version);
    while (state == STREAM_OUT_MORE) {
        size_t len;
        state = stream_out_next(&out, message, most, &len, 0);
        if (m->cap - m->len < len + 2) {
            m->cap = 2 * m->cap + len + 2;
            m->bytes = mem_realloc(m->bytes, m->cap, 1);
        }
        be16_put(m->bytes + m->len, (uint16_t)len);
        memcpy(m->bytes + m->len + 2, message, len);
        m->len += len ? len + 2 : 0;
    }
}

static void make_zone(struct messages *m, unsigned names, size_t most)
{
    struct hash_key key;
    hash_key_random(&key);
    struct zone *zone = zone_new(apex, &key);
    struct zone_records *records = zone_records_new(apex, &key);
    add(records, apex, RR_SOA, soa_rdata, sizeof soa_rdata - 1);
    add(records, apex, RR_NS, "\1n", 3);
    add_names(records, names);
    zone_records_sort(records);
    if (zone_publish(zone, zone_build(zone, records, NULL)))
        abort();
    zone_records_free(records);
    make_messages(m, zone->current, most);
    zone_free(zone);
}

static void serve(int fd, struct messages *m)
{
    uint8_t question[600];
    if (recv(fd, question, sizeof question, 0) < 4)
        abort();
    for (size_t at = 0; at < m->len; at += 2u + be16_get(m->bytes + at))
        memcpy(m->bytes + at + 2, question + 2, 2); /* the ID */
    for (size_t at = 0; at < m->len;) {
        ssize_t n = send(fd, m->bytes + at, m->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            abort();
        at += (size_t)n;
    }
    close(fd);
}

/* In a process of its own, which ends with ours. */
static void start_primary(struct addr *addr, unsigned names, size_t most)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) || listen(fd, 1) || getsockname(fd, (struct sockaddr *)&sa, &len))
        abort();
    addr_from_sockaddr(addr, (struct sockaddr *)&sa);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        abort();
    if (pid)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    struct messages m = {0};
    make_zone(&m, names, most);
    for (;;)
        serve(accept(fd, NULL, NULL), &m);
}

/* ---- the secondary */

static double cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

struct round {
    uint64_t record_cnt, ns;
    double cpu_ms;
};

static void on_fetched(void *arg, struct fetch_result *result)
{
    struct round *round = arg;
    if (result->outcome != FETCH_WHOLE) {
        fprintf(stderr, "%s\n", result->why ? result->why : "not the zone");
        exit(1);
    }
    round->record_cnt = result->record_cnt;
    round->ns = uv_hrtime() - round->ns;
    round->cpu_ms = cpu_ms() - round->cpu_ms;
}

/* The first one of all waits until the primary has its messages. */
static void fetch(const struct fetch_request *request, bool is_told)
{
    uv_loop_t loop;
    struct lag lag = {0};
    uv_loop_init(&loop);
    lag_start(&lag, &loop);
    struct round round = {.ns = uv_hrtime(), .cpu_ms = cpu_ms()};
    fetch_start(&loop, request, on_fetched, &round);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (is_told)
        printf("%7.1f ms, %5.2f million records/s; %7.1f ms of a core, %5.1f ns a record; longest turn %" PRIu64
               " us\n", (double)round.ns / 1e6, (double)round.record_cnt * 1e3 / (double)round.ns, round.cpu_ms,
               round.cpu_ms * 1e6 / (double)round.record_cnt, lag_longest_us(&lag));
    lag_stop(&lag);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    size_t most = argc > 2 ? strtoul(argv[2], NULL, 10) : MSG_MAX_LEN;
    struct hash_key key;
    if (!names || names > 100000000 || most < 512 || most > MSG_MAX_LEN) {
        fprintf(stderr, "usage: fetch-bench [NAMES [BYTES]]\n");
        return 2;
    }
    struct fetch_request request = {.apex = apex, .hash = &key, .idle_ms = DEADLINE_MS, .deadline_ms = DEADLINE_MS};
    start_primary(&request.primary, names, most);
    job_pool_size();
    hash_key_random(&key);
    for (unsigned i = 0; i <= ROUNDS; i++)
        fetch(&request, i);
    return 0;
}
