/* The query path over zones that have everything. The first byte of an input chooses how it is asked; the rest is
 * the request, or spells one of labels and types that these zones have, which chance alone would not. Whatever it
 * is, the answer must be well-formed (helpers/decode.h reads it, and shares no code with what wrote it), within its
 * limits, and of the request's ID. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/handoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "dns/edns.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "dns/tsig.h"
#include "helpers/decode.h"
#include "helpers/world.h"
#include "pool/classes.h"
#include "zone/access.h"
#include "zone/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum how {
    HOW_TCP = 1,
    HOW_IN_PLACE = 2,
    HOW_SMALL_BUFFER = 4, /* the least there may be */
    HOW_IN_COMPANY = 8,   /* the same request fills a batch */
    HOW_SPELT = 16,       /* a byte a label */
    HOW_SIGNED = 32,      /* a TSIG is put to it, which the answer must have too */
    HOW_ASK_ALL = 64,     /* spelt, with every option that the server knows */
};

enum { REQUEST_MAX = 4096, BUFFER_LEAST = 512 };

static const char parent_text[] =
    "www A 192.0.2.1\nwww A 192.0.2.2\nwww A 192.0.2.3\nwww AAAA 2001:db8::1\nwww AAAA 2001:db8::2\nwww TXT hello\n"
    "alias CNAME www\n"
    "loop CNAME pool\npool CNAME loop\nself CNAME self\ngone CNAME nope\nout CNAME www.example.org.\n"
    "net CNAME www.net.\n"
    "c1 CNAME c2\nc2 CNAME c3\nc3 CNAME c4\nc4 CNAME c5\nc5 CNAME c6\nc6 CNAME c7\nc7 CNAME c8\nc8 CNAME c9\n"
    "c9 CNAME c10\nc10 CNAME c11\n"
    "c11 CNAME c12\nc12 CNAME c13\nc13 CNAME c14\nc14 CNAME c15\nc15 CNAME c16\nc16 CNAME c17\nc17 CNAME c18\n"
    "c18 A 192.0.2.4\n"
    "dn DNAME target\n*.target MX 10 mx.target\n*.target MX 20 a.mx.target\nx.target A 192.0.2.5\ngrow DNAME x.grow\n"
    "root DNAME .\n"
    "sub NS ns.sub\nsub NS ns.sib\nsub NS self.sub\nsub NS sub\nsub A 192.0.2.6\nns.sub A 192.0.2.7\n"
    "ns.sub AAAA 2001:db8::3\nns.sib A 192.0.2.8\n"
    "www.sub A 192.0.2.9\nsub DS 1 8 1 0000000000000000000000000000000000000000\ninto CNAME a.sub\n"
    "dn.sub DNAME target\n"
    "child NS ns.child\nns.child A 192.0.2.10\n*.wild A 192.0.2.11\n*.wild A 192.0.2.12\n*.wild TXT x\n"
    "*.wcname CNAME www\n*.wns NS *.wns\n"
    "*.wns MX 1 a.*.wns\na.*.ent A 192.0.2.13\nx.y.z SRV 1 2 3 www\nodd TYPE65280 \\# 3 010203\nboth NS both\n"
    "both DNAME target\nboth A 192.0.2.14\n"
    "minfo MINFO a.minfo b.a.minfo\nptr PTR ptr.ptr\nns00.many A 10.0.0.0\n";

static struct world world;
static struct tsig_key key;
static struct tsig_state client;

/* An rrset that fits into no UDP answer, and a cut whose glue doesn't. */
static void add_bulk(char *zone, size_t cap, size_t at)
{
    for (unsigned i = 0; i < 90; i++) {
        at += (size_t)snprintf(zone + at, cap - at, "big A 10.0.0.%u\nmany NS ns%02u.many\nmanysib NS ns%02u.sib\n",
            i, i, i);
        at += (size_t)snprintf(zone + at, cap - at, "ns%02u.many A 10.0.1.%u\nns%02u.sib A 10.0.2.%u\n", i, i, i, i);
    }
}

/* All that answers may have beside what zones hold, as long as it may be; and a limit that they are soon over, which
 * then sends half of them truncated. */
static void set_all(struct answer_settings *settings)
{
    settings->nsid_len = ANSWER_NSID_MAX;
    memset(settings->nsid, 'n', ANSWER_NSID_MAX);
    memset(settings->version, 'v', ANSWER_TEXT_MAX);
    memset(settings->identity, 'i', ANSWER_TEXT_MAX);
    settings->require_cookie = ANSWER_COOKIE_ATTACK;
    settings->cookie_secrets = (struct cookie_secrets){.cnt = COOKIE_SECRETS_MAX};
    limit_settings_init(&settings->limit,
                        &(struct limit_options){.rate = 10, .slip = 1, .leak = 2, .prefix4 = 24, .prefix6 = 56});
}

/* Addresses by client class, for subnets that everybody is trusted with. */
static void add_pool(void)
{
    static struct pool_directory pools;
    static struct answer_sites sites;
    static struct pool_table *volatile table; /* where a leak checker sees it, who does not look into the directory */
    static const uint8_t www[] = "\3www\7example";
    const struct pool_settings settings = {.policy = POOL_HASH, .answers = 2, .ttl_sec = 20, .hash_prefix4 = 24,
                                           .hash_prefix6 = 56};
    const struct prefix all[] = {{.family = ADDR_V4}, {.family = ADDR_V6}};
    const struct prefix_map_entry entries[] = {{{{0x80}, ADDR_V4, 1}, 1}, {{{0x80, 1}, ADDR_V4, 16}, 2},
                                               {{{0x20, 1}, ADDR_V6, 16}, 2}};
    struct pool_member members[4] = {0};
    pool_directory_init(&pools);
    uint32_t handle = pool_directory_take(&pools);
    const struct pool_class classes[] = {{1, pool_directory_take(&pools)}, {2, pool_directory_take(&pools)}};
    for (unsigned i = 0; i < 4; i++)
        members[i] = (struct pool_member){.address = {.bytes = {192, 0, 2, (uint8_t)i}, .family = ADDR_V4},
                                          .weight = 1, .tier = 1, .site = (uint16_t)(i % 3)};
    const struct pool_source source = {.settings = &settings, .family = ADDR_V4, .members = members, .cnt = 4,
                                       .classes = classes, .class_cnt = 2, .handle = handle};
    table = pool_classes_compile(&source, NULL);
    (void)!pool_directory_set(&pools, handle, 0, table);
    ((struct zone_node *)(uintptr_t)zone_version_find(world.zones[0]->current, www))->pool = handle;
    sites.map = prefix_map_new(entries, sizeof entries / sizeof *entries);
    world.shared.pools = &pools;
    world.settings.sites = &sites;
    world.settings.ecs_trusted = prefix_table_new(all, 2);
}

/* Anybody may transfer the zone, change it, and say that it has changed. */
static void open_zone(struct zone *zone)
{
    static const struct acl_entry any = {.view = ACL_FULL};
    struct acl *transfer = acl_new(&any, 1), *notify = acl_new(&any, 1), *update = acl_new(&any, 1);
    struct zone_access *access = zone_access_new(&transfer, &notify, &update);
    zone_access_set(zone, &access);
}

static void start(void)
{
    static char zone[65536];
    strcpy(zone, parent_text);
    add_bulk(zone, sizeof zone, strlen(zone));
    world_init(&world, 1232);
    world_add(&world, "example", zone);
    world_add(&world, "child.example", "www A 192.0.2.20\nsub NS ns.sub\nns.sub A 192.0.2.21\n* CNAME www\n");
    world_add(&world, "net", "@ DNAME example.\nwww CNAME www.example.\n");
    world_add(&world, "broken", NULL);
    tsig_key_init(&key, (const uint8_t *)"\1k", TSIG_HMAC_SHA256, (const uint8_t *)"secret", 6);
    world.settings.keys = tsig_keys_new(&key, 1);
    world.shared.limit = limit_new(LIMIT_LINE_BYTES);
    set_all(&world.settings);
    add_pool();
    open_zone(world.zones[1]);
    open_zone(world.zones[3]);
    world_start(&world);
}

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

static void put_opt(struct writer *w, uint16_t payload_len, bool ask_all)
{
    static const uint8_t options[] = "\0\3\0\0" "\0\12\0\10clients." "\0\10\0\24\0\2\200\0\40\1" "123456789abcde"
                                     "\0\13\0";
    writer_put(w, "\0\0\51", 3);
    writer_u16(w, payload_len);
    writer_u32(w, 0);
    writer_u16(w, ask_all ? sizeof options : 0);
    writer_put(w, options, ask_all ? sizeof options : 0);
}

/* A request out of: type, payload size, then the labels from the left; "example" ends it. */
static size_t spell(uint8_t request[REQUEST_MAX], const uint8_t *data, size_t len, bool ask_all)
{
    static const char *const labels[] = {"a", "x", "b", "*", "www", "ns", "sub", "dn", "grow", "root", "target", "mx",
        "wild", "wcname", "wns", "child",
        "net", "example", "both", "many", "manysib", "ent", "y", "z", "into",
        "alias", "loop", "c1", "c2", "c3", "big",
        "self", "sib", "broken", "nope",
        "a-label-of-sixty-three-bytes-is-the-longest-there-may-be-in-dns"};
    static const uint16_t types[] = {1, 2, 5, 6, 15, 28, 39, 43, 46, 47, 255, 16, 14, 33, 65280, 0};
    struct writer w = writer_over(request, REQUEST_MAX);
    uint8_t type = len > 0 ? data[0] : 0, payload = len > 1 ? data[1] : 0;
    for (unsigned i = 0; i < 6; i++)
        writer_u16(&w, i == 2 || (i == 5 && payload));
    for (size_t i = 2; i < len && writer_len(&w) < 12 + 236; i++) {
        const char *label = labels[data[i] % (sizeof labels / sizeof *labels)];
        if (writer_len(&w) + strlen(label) >= 12 + 245)
            break;
        writer_u8(&w, (uint8_t)strlen(label));
        writer_put(&w, label, strlen(label));
    }
    writer_put(&w, "\7example", 9);
    writer_u16(&w, types[type % (sizeof types / sizeof *types)]);
    writer_u16(&w, 1);
    if (payload)
        put_opt(&w, (uint16_t)(payload * 8), ask_all);
    return writer_len(&w);
}

/* Whether a TSIG put behind it will be read as one. */
static bool is_whole(const uint8_t *request, size_t len)
{
    struct reader r = reader_over(request, len);
    struct msg_edns edns;
    if (!reader_take(&r, MSG_HEADER_LEN))
        return false;
    for (unsigned i = msg_qdcount(request); i > 0 && !r.failed; i--) {
        msg_skip_name(&r);
        reader_take(&r, 4);
    }
    unsigned cnt = (unsigned)msg_ancount(request) + msg_nscount(request) + msg_arcount(request);
    return !r.failed && !msg_read_edns(&edns, &r, cnt, msg_arcount(request)) && !reader_left(&r) && !edns.tsig_at;
}

/* The request, signed where that is possible, into `out`. */
static size_t sign(uint8_t out[REQUEST_MAX], const uint8_t *data, size_t len)
{
    struct writer w = writer_over(out, REQUEST_MAX);
    memmove(out, data, len);
    w.at += len;
    tsig_start(&client, &key);
    if (is_whole(out, len) && tsig_sign(&client, &w, clock_wall_ms() / 1000))
        return writer_len(&w);
    return len;
}

/* The answer is signed, unless nobody looked for a signature, in a question with a pointer or behind too many records,
 * or the least of buffers has no room for it beside all options. */
static void check_signature(const struct answer_packet *packet)
{
    struct tsig_state s = client;
    unsigned rcode = packet->out[3] & MSG_RCODE_MASK;
    enum tsig_verdict verdict = tsig_verify_answer(&s, packet->out, packet->out_len, clock_wall_ms() / 1000);
    bool may_lack = rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP || packet->out_cap == BUFFER_LEAST;
    require(verdict == TSIG_OK || (verdict == TSIG_MISSING && may_lack));
}

/* What is handed off is the request as it came, and can be answered. */
static void check_hand_off(const struct answer_packet *packet, unsigned i, const uint8_t *request, size_t len)
{
    static uint8_t answer[65535];
    struct answer_hand_off *h = answer_take_hand_off(world.worker, i);
    require(h->request_len == len && !memcmp(h->request, request, len));
    require(packet->proto == ANSWER_TCP || h->kind != ANSWER_AXFR);
    size_t answer_len =
        answer_hand_off_reply(h, answer, sizeof answer, RCODE_SERVFAIL, EDNS_EDE_NOT_READY, clock_wall_ms() / 1000);
    require(answer_len && answer_len <= h->most_len && !decode_answer(NULL, 0, answer, answer_len));
    answer_hand_off_free(h);
}

static void check(const struct answer_packet *packet, const uint8_t *request, size_t len)
{
    if (packet->outcome == ANSWER_DROP) {
        bool is_notify = len >= 12 && msg_opcode(request) == OPCODE_NOTIFY; /* by UDP, over the rate limit */
        require(len < 12 || request[2] & 0x80 || (is_notify && packet->proto == ANSWER_UDP));
        return;
    }
    const uint8_t *answer = packet->out;
    const char *wrong = decode_answer(NULL, 0, answer, packet->out_len);
    if (wrong)
        fprintf(stderr, "%s\n", wrong);
    require(!wrong && len >= 12 && !memcmp(request, answer, 2) && packet->out_len <= packet->out_cap);
    require((answer[2] & 0x79) == (request[2] & 0x79)); /* opcode and RD */
    if (packet->proto == ANSWER_UDP)
        require(packet->out_len <= (be16_get(answer + 10) ? 1232 : 512));
    require(packet->proto == ANSWER_UDP || packet->out_cap < 65535 || !(answer[2] & 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t spelt[REQUEST_MAX];
    static uint8_t buffers[ANSWER_BATCH_MAX][65535];
    struct answer_packet packets[ANSWER_BATCH_MAX];
    if (!world.worker)
        start();
    if (len < 1 || len > REQUEST_MAX)
        return 0;
    uint8_t how = *data++;
    len--;
    if (how & HOW_SPELT) {
        len = spell(spelt, data, len, how & HOW_ASK_ALL);
        data = spelt;
    }
    if (how & HOW_SIGNED) {
        len = sign(spelt, data, len);
        data = spelt;
    }
    unsigned cnt = how & HOW_IN_COMPANY ? ANSWER_BATCH_MAX : 1;
    for (unsigned i = 0; i < cnt; i++) {
        bool in_place = how & HOW_IN_PLACE;
        uint32_t cap = how & HOW_SMALL_BUFFER ? BUFFER_LEAST : sizeof buffers[i];
        if (in_place && len > cap)
            cap = (uint32_t)len;
        if (in_place)
            memcpy(buffers[i], data, len);
        packets[i] = (struct answer_packet){.in = in_place ? buffers[i] : data, .in_len = (uint32_t)len,
            .out = buffers[i], .out_cap = cap,
                                            .proto = how & HOW_TCP ? ANSWER_TCP : ANSWER_UDP};
    }
    answer_batch(world.worker, packets, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        if (packets[i].outcome == ANSWER_HAND_OFF)
            check_hand_off(&packets[i], i, data, len);
        else
            check(&packets[i], data, len);
        if (how & HOW_SIGNED && client.phase == TSIG_FIRST && packets[i].outcome == ANSWER_SEND)
            check_signature(&packets[i]);
    }
    return 0;
}
