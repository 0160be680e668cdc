/* What a transfer costs without a network: a zone of NAMES names (default 1,000,000) is written as messages of 65,535
 * bytes and of 16,384, which are read back. KIND is what each name has: "a" an A record, "aaaa" that, "ns" two
 * servers in the zone, "mx" two in another zone.
 *
 *     transfer-bench [NAMES [KIND]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "dns/msg.h"
#include "sync/stream_in.h"
#include "sync/stream_out.h"
#include "zone/version.h"

enum { ROUNDS = 5, ID = 4711 };

static const uint8_t apex[] = "\7example\3com";
static const uint8_t soa_rdata[] = "\1n\0\1h\0\0\0\0\1\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20";

static unsigned name_of(uint8_t *out, unsigned i)
{
    int n = sprintf((char *)out + 1, "h%06u", i);
    out[0] = (uint8_t)n;
    memcpy(out + 1 + n, apex, sizeof apex);
    return 1u + (unsigned)n + (unsigned)sizeof apex;
}

static void add(struct zone_records *records, const uint8_t *owner, uint16_t type, const void *rdata, unsigned len)
{
    struct rr rr = {.owner = owner, .rdata = rdata, .ttl = 300, .type = type, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, NULL, 0);
}

static void add_name(struct zone_records *records, const char *kind, unsigned i)
{
    uint8_t owner[40], rdata[80] = {0};
    unsigned len = name_of(owner, i);
    be32_put(rdata, i);
    if (!strcmp(kind, "a")) {
        add(records, owner, RR_A, rdata, 4);
    } else if (!strcmp(kind, "aaaa")) {
        add(records, owner, RR_AAAA, rdata, 16);
    } else {
        for (unsigned k = 0; k < 2; k++) {
            bool mx = !strcmp(kind, "mx");
            unsigned at = mx ? 2 : 0;
            rdata[at] = 3;
            memcpy(rdata + at + 1, k ? "ns1" : "ns2", 3);
            if (mx)
                memcpy(rdata + at + 4, "\10provider\3net", 14);
            else
                memcpy(rdata + at + 4, owner, len);
            add(records, owner, mx ? RR_MX : RR_NS, rdata, at + 4 + (mx ? 14 : len));
        }
    }
}

static const struct zone_version *make_version(struct zone *zone, const struct hash_key *key, const char *kind,
                                               unsigned names)
{
    struct zone_records *records = zone_records_new(apex, key);
    add(records, apex, RR_SOA, soa_rdata, sizeof soa_rdata - 1);
    add(records, apex, RR_NS, "\1n", 3);
    for (unsigned i = 0; i < names; i++)
        add_name(records, kind, i);
    zone_records_sort(records);
    struct zone_version *version = zone_build(zone, records, NULL);
    if (zone_publish(zone, version))
        abort();
    zone_records_free(records);
    return version;
}

/* What this thread took of a core, whoever else works on it. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void print(const char *what, uint64_t ns, uint64_t rr_cnt)
{
    double each = (double)ns / (double)rr_cnt;
    printf("  %s %6.1f ns a record, %5.2f million records/s", what, each, 1000 / each);
}

static void count(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t from, uint32_t to)
{
    (void)kind, (void)from, (void)to;
    *(uint64_t *)arg += rr->rdata_len;
}

/* Each message is read where it was written, as one comes from a socket. */
static void transfer(const struct zone_version *version, size_t cap)
{
    static uint8_t message[MSG_MAX_LEN];
    struct stream_out_request request = {.name = apex, .type = RR_AXFR, .id = ID};
    struct stream_out out;
    struct stream_in in;
    uint64_t rdata_bytes = 0, out_ns = 0, in_ns = 0;
    struct stream_in_asked asked = {.name = apex, .type = RR_AXFR, .id = ID, .fn = count, .arg = &rdata_bytes};
    size_t len, bytes = 0;
    stream_out_whole(&out, &request, version);
    stream_in_init(&in, &asked);
    while (in.state == STREAM_IN_MORE) {
        uint64_t begin = cpu_ns();
        if (stream_out_next(&out, message, cap, &len, 0) == STREAM_OUT_FAILED)
            abort();
        uint64_t written = cpu_ns();
        if (stream_in_feed(&in, message, len, 0) == STREAM_IN_FAILED)
            abort();
        out_ns += written - begin;
        in_ns += cpu_ns() - written;
        bytes += len + 2;
    }
    printf("messages of %5zu: %5.1f bytes a record", cap, (double)bytes / (double)out.rr_cnt);
    print("out", out_ns, out.rr_cnt);
    print("in", in_ns, in.rr_cnt);
    putchar('\n');
}

int main(int argc, char **argv)
{
    unsigned names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    const char *kind = argc > 2 ? argv[2] : "a";
    if (!names || names > 100000000) {
        fprintf(stderr, "usage: transfer-bench [NAMES [a|aaaa|ns|mx]]\n");
        return 2;
    }
    struct hash_key key;
    hash_key_random(&key);
    struct zone *zone = zone_new(apex, &key);
    const struct zone_version *version = make_version(zone, &key, kind, names);
    for (unsigned i = 0; i < ROUNDS; i++) {
        transfer(version, MSG_MAX_LEN);
        transfer(version, 16384);
    }
    zone_free(zone);
    return 0;
}
