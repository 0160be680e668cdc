/* Signed zones: which signatures and proofs stand in an answer. The zones of RFC 4035 appendix A and RFC 5155 appendix
 * A, answered as their appendices B have it, and what those leave out. Signatures here are zeros: nobody checks them
 * (tests/functional/test_signed.py does). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"
#include "zone/changeset.h"
#include "zone/version.h"

static char text[1 << 18], brief[1 << 16], zone_buffer[1 << 18];
static uint8_t out[65535];

#define BYTES8 "AAAAAAAAAAA"
#define TAIL " 13 2 60 20300101000000 20200101000000 1 example. " \
    BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 BYTES8 "AAAAAAAAA==\n"
#define SIG(owner, type) owner " RRSIG " type TAIL
#define APEX "@ 3600 DNSKEY 257 3 13 AA==\n" SIG("@ 3600", "DNSKEY") SIG("@ 3600", "SOA") SIG("@ 3600", "NS")
#define NSEC(owner, next, types) owner " 300 NSEC " next ".example. " types " RRSIG NSEC\n" SIG(owner " 300", "NSEC")
#define NSEC3(owner, next, types) \
    owner " 300 NSEC3 1 1 12 aabbccdd " next " " types "\n" SIG(owner " 300", "NSEC3")

static const char nsec_zone[] = APEX
    "@ MX 1 xx\n" SIG("@", "MX") NSEC("@", "a", "NS SOA MX DNSKEY")
    "a NS ns1.a\na NS ns2.a\na DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B\n" SIG("a", "DS")
    NSEC("a", "ai", "NS DS") "ns1.a A 192.0.2.5\nns2.a A 192.0.2.6\n"
    "ai A 192.0.2.9\nai HINFO KLH-10 ITS\nai AAAA 2001:db8::f00:baa9\n" SIG("ai", "A") SIG("ai", "HINFO")
    SIG("ai", "AAAA") NSEC("ai", "b", "A HINFO AAAA")
    "b NS ns1.b\nb NS ns2.b\n" NSEC("b", "ns1", "NS") "ns1.b A 192.0.2.7\nns2.b A 192.0.2.8\n"
    "ns1 A 192.0.2.1\n" SIG("ns1", "A") NSEC("ns1", "ns2", "A")
    "ns2 A 192.0.2.2\n" SIG("ns2", "A") NSEC("ns2", "*.w", "A")
    "*.w MX 1 ai\n" SIG("*.w", "MX") NSEC("*.w", "x.w", "MX")
    "x.w MX 1 xx\n" SIG("x.w", "MX") NSEC("x.w", "x.y.w", "MX")
    "x.y.w MX 1 xx\n" SIG("x.y.w", "MX") NSEC("x.y.w", "xx", "MX")
    "xx A 192.0.2.10\nxx HINFO KLH-10 TOPS-20\nxx AAAA 2001:db8::f00:baaa\n" SIG("xx", "A") SIG("xx", "HINFO")
    SIG("xx", "AAAA") "xx NSEC @ A HINFO AAAA RRSIG NSEC\n" SIG("xx", "NSEC");

/* Its chain has one more than the names of the zone: the 2t7b… that is a name, too. */
static const char nsec3_zone[] = APEX
    "@ NSEC3PARAM 1 0 12 aabbccdd\n@ MX 1 xx\n" SIG("@", "NSEC3PARAM") SIG("@", "MX")
    NSEC3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "2t7b4g4vsa5smi47k61mv5bv1a22bojr", "NS SOA MX DNSKEY NSEC3PARAM RRSIG")
    "2t7b4g4vsa5smi47k61mv5bv1a22bojr A 192.0.2.127\n" SIG("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "A")
    NSEC3("2t7b4g4vsa5smi47k61mv5bv1a22bojr", "2vptu5timamqttgl4luu9kg21e0aor3s", "A RRSIG")
    NSEC3("2vptu5timamqttgl4luu9kg21e0aor3s", "35mthgpgcu1qg68fab165klnsnk3dpvl", "MX RRSIG")
    NSEC3("35mthgpgcu1qg68fab165klnsnk3dpvl", "b4um86eghhds6nea196smvmlo4ors995", "NS DS RRSIG")
    NSEC3("b4um86eghhds6nea196smvmlo4ors995", "gjeqe526plbf1g8mklp59enfd789njgi", "MX RRSIG")
    NSEC3("gjeqe526plbf1g8mklp59enfd789njgi", "ji6neoaepv8b5o6k4ev33abha8ht9fgc", "A HINFO AAAA RRSIG")
    NSEC3("ji6neoaepv8b5o6k4ev33abha8ht9fgc", "k8udemvp1j2f7eg6jebps17vp3n8i58h", "")
    NSEC3("k8udemvp1j2f7eg6jebps17vp3n8i58h", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi", "")
    NSEC3("kohar7mbb8dc2ce8a9qvl8hon4k53uhi", "q04jkcevqvmu85r014c7dkba38o0ji5r", "A RRSIG")
    NSEC3("q04jkcevqvmu85r014c7dkba38o0ji5r", "r53bq7cc2uvmubfu5ocmm6pers9tk9en", "A RRSIG")
    NSEC3("r53bq7cc2uvmubfu5ocmm6pers9tk9en", "t644ebqk9bibcna874givr6joj62mlhv", "MX RRSIG")
    NSEC3("t644ebqk9bibcna874givr6joj62mlhv", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "A HINFO AAAA RRSIG")
    "a NS ns1.a\na NS ns2.a\na DS 58470 5 1 3079F1593EBAD6DC121E202A8B766A6A4837206C\n" SIG("a", "DS")
    "ns1.a A 192.0.2.5\nns2.a A 192.0.2.6\nai A 192.0.2.9\n" SIG("ai", "A")
    "c NS ns1.c\nns1.c A 192.0.2.7\nd.e.f.g NS ns1\n"
    "ns1 A 192.0.2.1\n" SIG("ns1", "A") "ns2 A 192.0.2.2\n" SIG("ns2", "A") "*.w MX 1 ai\n" SIG("*.w", "MX")
    "x.w MX 1 xx\n" SIG("x.w", "MX") "x.y.w MX 1 xx\n" SIG("x.y.w", "MX") "xx A 192.0.2.10\n" SIG("xx", "A");

/* The answer a line a record: section, owner, type, and what an RRSIG covers. */
static void shorten(void)
{
    char *to = brief, *line = text, *next;
    for (; (next = strchr(line, '\n')) != NULL; line = next + 1) {
        char section[4], owner[300], rdata[8];
        unsigned ttl, type, covered;
        *next = 0;
        if (sscanf(line, "%3s %299s %u %u %4s", section, owner, &ttl, &type, rdata) == 5 && strcmp(section, "qu")) {
            to += sprintf(to, "%s %s %u", section, owner, type);
            if (type == RR_RRSIG && sscanf(rdata, "%4x", &covered) == 1)
                to += sprintf(to, " %u", covered);
            to += sprintf(to, "\n");
        } else if (strncmp(line, "qu ", 3) && strncmp(line, "opt ", 4)) {
            to += sprintf(to, "%s\n", line);
        }
        *next = '\n';
    }
    *to = 0;
}

static size_t ask(struct world *world, const struct ask *ask, enum answer_proto proto)
{
    uint8_t in[512];
    size_t len = world_ask(in, ask);
    len = world_answer(world, out, sizeof out, in, len, proto);
    const char *wrong = decode_answer(text, sizeof text, out, len);
    if (wrong)
        fail_msg("%s type %u: %s", ask->name, ask->type, wrong);
    shorten();
    return len;
}

static size_t ask_do(struct world *world, const char *name, uint16_t type)
{
    return ask(world, &(struct ask){.name = name, .type = type, .payload = 4096, .dnssec_ok = true}, ANSWER_UDP);
}

struct row {
    const char *name;
    uint16_t type;
    const char *answer;
};

static void run(struct world *world, const struct row *rows, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        ask_do(world, rows[i].name, rows[i].type);
        if (strcmp(brief, rows[i].answer))
            fail_msg("%s type %u\n--- got\n%s--- expected\n%s", rows[i].name, rows[i].type, brief, rows[i].answer);
    }
}
#define RUN(world, rows) run(world, rows, sizeof(rows) / sizeof *(rows))

static void begin(struct world *world, const char *zone)
{
    world_init(world, 4096);
    world_add(world, "example", zone);
    world_start(world);
}

#define SOA "ns example. 6\nns example. 46 6\n"
#define PUT(section, owner, type) section " " owner " " #type "\n" section " " owner " 46 " #type "\n"
#define N(owner) PUT("ns", owner, 47)
#define N3(hash) PUT("ns", hash ".example.", 50)

/* RFC 4035 B.1 to B.8, and more of each kind. */
static void test_nsec(void **state)
{
    (void)state;
    struct world world;
    static const struct row rows[] = {
        {"x.w.example", RR_MX, "noerror aa\n" PUT("an", "x.w.example.", 15)},
        {"X.w.Example", RR_MX, "noerror aa\n" PUT("an", "X.w.Example.", 15)},
        {"ml.example", RR_A, "nxdomain aa\n" SOA N("b.example.") N("example.")},
        {"a.b.c.ml.example", RR_A, "nxdomain aa\n" SOA N("b.example.") N("example.")},
        {"aaa.example", RR_A, "nxdomain aa\n" SOA N("a.example.") N("example.")},
        {"0.example", RR_A, "nxdomain aa\n" SOA N("example.")}, /* one record proves both */
        {"zz.example", RR_A, "nxdomain aa\n" SOA N("xx.example.") N("example.")},
        {"x.y.x.w.example", RR_MX, "nxdomain aa\n" SOA N("x.w.example.")},
        {"ns1.example", RR_MX, "noerror aa\n" SOA N("ns1.example.")},
        {"y.w.example", RR_A, "noerror aa\n" SOA N("x.w.example.")}, /* empty non-terminals */
        {"w.example", RR_A, "noerror aa\n" SOA N("ns2.example.")},
        {"mc.a.example", RR_MX, "noerror\nns a.example. 2\nns a.example. 2\n" PUT("ns", "a.example.", 43)
            "ar ns1.a.example. 1\nar ns2.a.example. 1\n"},
        {"mc.b.example", RR_MX, "noerror\nns b.example. 2\nns b.example. 2\n" N("b.example.")
            "ar ns1.b.example. 1\nar ns2.b.example. 1\n"},
        {"a.z.w.example", RR_MX, "noerror aa\n" PUT("an", "a.z.w.example.", 15) N("x.y.w.example.")},
        {"a.z.w.example", RR_AAAA, "noerror aa\n" SOA N("*.w.example.") N("x.y.w.example.")},
        {"*.w.example", RR_MX, "noerror aa\n" PUT("an", "*.w.example.", 15)},
        {"*.w.example", RR_A, "noerror aa\n" SOA N("*.w.example.")},
        {"example", RR_DS, "noerror aa\n" SOA N("example.")},
        {"a.example", RR_DS, "noerror aa\n" PUT("an", "a.example.", 43)},
        {"b.example", RR_DS, "noerror aa\n" SOA N("b.example.")},
        {"ns1.b.example", RR_DS, "noerror\nns b.example. 2\nns b.example. 2\n" N("b.example.")
            "ar ns1.b.example. 1\nar ns2.b.example. 1\n"},
        {"example", RR_DNSKEY, "noerror aa\n" PUT("an", "example.", 48)},
        {"ns1.example", RR_NSEC, "noerror aa\n" PUT("an", "ns1.example.", 47)},
        {"ns1.example", RR_RRSIG, "noerror aa\nan ns1.example. 46 1\nan ns1.example. 46 47\n"},
        {"ns1.example", RR_ANY, "noerror aa\n" PUT("an", "ns1.example.", 1)},
        {"0.w.example", RR_ANY, "noerror aa\n" PUT("an", "0.w.example.", 15) N("*.w.example.")},
    };
    begin(&world, nsec_zone);
    RUN(&world, rows);
    world_fini(&world);
}

/* RFC 5155 B.1 to B.6, and more of each kind. d.e.f.g is a delegation whose ancestors the opt-out span hides. */
static void test_nsec3(void **state)
{
    (void)state;
    struct world world;
    static const struct row rows[] = {
        {"a.c.x.w.example", RR_A, "nxdomain aa\n" SOA N3("b4um86eghhds6nea196smvmlo4ors995")
            N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom") N3("35mthgpgcu1qg68fab165klnsnk3dpvl")},
        {"ns1.example", RR_MX, "noerror aa\n" SOA N3("2t7b4g4vsa5smi47k61mv5bv1a22bojr")},
        {"y.w.example", RR_A, "noerror aa\n" SOA N3("ji6neoaepv8b5o6k4ev33abha8ht9fgc")},
        {"mc.a.example", RR_MX, "noerror\nns a.example. 2\nns a.example. 2\n" PUT("ns", "a.example.", 43)
            "ar ns1.a.example. 1\nar ns2.a.example. 1\n"},
        {"mc.c.example", RR_MX, "noerror\nns c.example. 2\n" N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("35mthgpgcu1qg68fab165klnsnk3dpvl") "ar ns1.c.example. 1\n"},
        {"a.z.w.example", RR_MX, "noerror aa\n" PUT("an", "a.z.w.example.", 15)
            N3("q04jkcevqvmu85r014c7dkba38o0ji5r")},
        {"a.z.w.example", RR_AAAA, "noerror aa\n" SOA N3("k8udemvp1j2f7eg6jebps17vp3n8i58h")
            N3("q04jkcevqvmu85r014c7dkba38o0ji5r") N3("r53bq7cc2uvmubfu5ocmm6pers9tk9en")},
        {"example", RR_DS, "noerror aa\n" SOA N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")},
        {"a.example", RR_DS, "noerror aa\n" PUT("an", "a.example.", 43)},
        {"c.example", RR_DS, "noerror aa\n" SOA N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("35mthgpgcu1qg68fab165klnsnk3dpvl")},
        {"*.w.example", RR_A, "noerror aa\n" SOA N3("r53bq7cc2uvmubfu5ocmm6pers9tk9en")},
        /* The closest encloser that can be proved is the apex, however deep the cut. */
        {"d.e.f.g.example", RR_DS, "noerror aa\n" SOA N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("b4um86eghhds6nea196smvmlo4ors995")},
        {"x.d.e.f.g.example", RR_A, "noerror\nns d.e.f.g.example. 2\n" N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("b4um86eghhds6nea196smvmlo4ors995") PUT("ar", "ns1.example.", 1)},
        {"f.g.example", RR_A, "noerror aa\n" SOA N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("b4um86eghhds6nea196smvmlo4ors995")},
        {"x.f.g.example", RR_A, "nxdomain aa\n" SOA N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom")
            N3("b4um86eghhds6nea196smvmlo4ors995") N3("gjeqe526plbf1g8mklp59enfd789njgi")},
        /* Owners of NSEC3 are no names (RFC 5155 7.2.8), but 2t7b… is one besides. */
        {"k8udemvp1j2f7eg6jebps17vp3n8i58h.example", RR_NSEC3, "nxdomain aa\n" SOA
            N3("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom") N3("2vptu5timamqttgl4luu9kg21e0aor3s")
            N3("gjeqe526plbf1g8mklp59enfd789njgi")},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", RR_A, "noerror aa\n"
            PUT("an", "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.", 1)},
        {"2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", RR_MX, "noerror aa\n" SOA N3("kohar7mbb8dc2ce8a9qvl8hon4k53uhi")},
    };
    begin(&world, nsec3_zone);
    RUN(&world, rows);
    world_fini(&world);
}

/* Nothing of it for those who do not ask with DO, but what they ask for. */
static void test_without_do(void **state)
{
    (void)state;
    struct world world;
    static const struct {
        const char *name;
        uint16_t type;
        const char *answer;
    } rows[] = {
        {"x.w.example", RR_MX, "noerror aa\nan x.w.example. 15\n"},
        {"ml.example", RR_A, "nxdomain aa\nns example. 6\n"},
        {"a.z.w.example", RR_MX, "noerror aa\nan a.z.w.example. 15\n"},
        {"mc.b.example", RR_MX, "noerror\nns b.example. 2\nns b.example. 2\n"
            "ar ns1.b.example. 1\nar ns2.b.example. 1\n"},
        {"mc.a.example", RR_MX, "noerror\nns a.example. 2\nns a.example. 2\n"
            "ar ns1.a.example. 1\nar ns2.a.example. 1\n"},
        {"ns1.example", RR_NSEC, "noerror aa\nan ns1.example. 47\n"},
        {"ns1.example", RR_RRSIG, "noerror aa\nan ns1.example. 46 1\nan ns1.example. 46 47\n"},
    };
    begin(&world, nsec_zone);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (uint16_t payload = 0; payload <= 1232; payload += 1232) {
            ask(&world, &(struct ask){.name = rows[i].name, .type = rows[i].type, .payload = payload}, ANSWER_UDP);
            assert_string_equal(brief, rows[i].answer);
        }
    world_fini(&world);
}

/* Every link has its signatures, every wildcard on the way its proof, each once, behind the answers; zones that are not
 * signed have none. */
static void test_chains(void **state)
{
    (void)state;
    static const char chains[] = APEX NSEC("@", "dn", "NS SOA DNSKEY")
        "dn DNAME example.\n" SIG("dn", "DNAME") NSEC("dn", "here", "DNAME")
        "here CNAME www\n" SIG("here", "CNAME") NSEC("here", "lost", "CNAME")
        "lost CNAME nope\n" SIG("lost", "CNAME") NSEC("lost", "*.to", "CNAME")
        "*.to CNAME x.two\n" SIG("*.to", "CNAME") NSEC("*.to", "*.two", "CNAME")
        "*.two CNAME here\n" SIG("*.two", "CNAME") NSEC("*.two", "*.wext", "CNAME")
        "*.wext CNAME www.plain.\n" SIG("*.wext", "CNAME") NSEC("*.wext", "*.wlost", "CNAME")
        "*.wlost CNAME nope\n" SIG("*.wlost", "CNAME") NSEC("*.wlost", "*.wref", "CNAME")
        "*.wref CNAME a.sub.plain.\n" SIG("*.wref", "CNAME") NSEC("*.wref", "www", "CNAME")
        "www A 192.0.2.1\n" SIG("www", "A") "www 300 NSEC @ A RRSIG NSEC\n" SIG("www 300", "NSEC");
    static const struct row rows[] = {
        {"here.example", RR_A, "noerror aa\n" PUT("an", "here.example.", 5) PUT("an", "www.example.", 1)},
        {"here.example", RR_CNAME, "noerror aa\n" PUT("an", "here.example.", 5)},
        {"lost.example", RR_A, "nxdomain aa\n" PUT("an", "lost.example.", 5) SOA N("lost.example.") N("example.")},
        {"here.example", RR_MX, "noerror aa\n" PUT("an", "here.example.", 5) SOA N("www.example.")},
        {"x.to.example", RR_A, "noerror aa\n" PUT("an", "x.to.example.", 5) PUT("an", "x.two.example.", 5)
            PUT("an", "here.example.", 5) PUT("an", "www.example.", 1) N("*.to.example.") N("*.two.example.")},
        {"x.wlost.example", RR_A, "nxdomain aa\n" PUT("an", "x.wlost.example.", 5) SOA N("*.wlost.example.")
            N("lost.example.") N("example.")},
        {"x.wext.example", RR_A, "noerror aa\n" PUT("an", "x.wext.example.", 5) "an www.plain. 1\n"
            N("*.wext.example.")},
        {"x.wext.example", RR_MX, "noerror aa\n" PUT("an", "x.wext.example.", 5) "ns plain. 6\n" N("*.wext.example.")},
        {"x.wref.example", RR_A, "noerror aa\n" PUT("an", "x.wref.example.", 5) "ns sub.plain. 2\n"
            N("*.wref.example.") "ar ns.sub.plain. 1\n"},
        {"www.dn.example", RR_A, "noerror aa\n" PUT("an", "dn.example.", 39) "an www.dn.example. 5\n"
            PUT("an", "www.example.", 1)},
        {"x.to.dn.example", RR_CNAME, "noerror aa\n" PUT("an", "dn.example.", 39) "an x.to.dn.example. 5\n"},
        {"back.plain", RR_A, "noerror aa\nan back.plain. 5\n" PUT("an", "x.to.example.", 5)
            PUT("an", "x.two.example.", 5) PUT("an", "here.example.", 5) PUT("an", "www.example.", 1)
            N("*.to.example.") N("*.two.example.")},
    };
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", chains);
    world_add(&world, "plain", "www A 192.0.2.2\nsub NS ns.sub\nns.sub A 192.0.2.3\nback CNAME x.to.example.\n");
    world_start(&world);
    RUN(&world, rows);
    world_fini(&world);
}

/* As many wildcards as there may be links, each with its own proof: all of them stand there. */
static void test_longest_chain(void **state)
{
    (void)state;
    enum { LINKS = 16 };
    size_t at = (size_t)sprintf(zone_buffer, APEX NSEC("@", "*.w00", "NS SOA DNSKEY"));
    for (unsigned i = 0; i < LINKS; i++)
        at += (size_t)sprintf(zone_buffer + at, "*.w%02u CNAME x.w%02u\n*.w%02u NSEC %s%02u CNAME RRSIG NSEC\n"
            "*.w%02u RRSIG CNAME" TAIL
            "*.w%02u RRSIG NSEC" TAIL,
            i, i + 1, i, i + 1 < LINKS ? "*.w" : "y", i + 1, i, i);
    sprintf(zone_buffer + at, "y16 A 192.0.2.1\ny16 NSEC @ A RRSIG NSEC\n" SIG("y16", "NSEC") SIG("y16", "A"));
    struct world world;
    begin(&world, zone_buffer);
    size_t len = ask(&world, &(struct ask){.name = "x.w00.example", .type = RR_A, .payload = 4096, .dnssec_ok = true},
        ANSWER_TCP);
    assert_true(len > 0);
    assert_memory_equal(brief, "nxdomain aa\n", 12);
    unsigned proofs = 0, links = 0;
    for (char *p = brief; (p = strstr(p, ". 47\n")) != NULL; p++)
        proofs++;
    for (char *p = brief; (p = strstr(p, ". 5\n")) != NULL; p++)
        links++;
    assert_int_equal(links, LINKS);
    /* x.w16 and its wildcard are denied by one more that covers both and one that is there already. */
    assert_int_equal(proofs, LINKS + 1);
    world_fini(&world);
}

/* Signatures that bring a chain near to where pointers end: it stops there, and the resolver goes on by itself. */
static void test_chain_of_large_signatures(void **state)
{
    (void)state;
    enum { LINKS = 10, SIGNATURE_CHARS = 2000 };
    static char large[SIGNATURE_CHARS + 1];
    memset(large, 'A', SIGNATURE_CHARS);
    size_t at = (size_t)sprintf(zone_buffer, APEX NSEC("@", "c0", "NS SOA DNSKEY"));
    for (unsigned i = 0; i < LINKS; i++)
        at += (size_t)sprintf(zone_buffer + at, "c%u CNAME c%u\n"
            "c%u RRSIG CNAME 13 2 60 20300101000000 20200101000000 1 example. %s\n", i, i + 1, i, large);
    sprintf(zone_buffer + at, "c%u MX 1 a.mail\nc%u MX 2 b.mail\n", LINKS, LINKS);
    struct world world;
    begin(&world, zone_buffer);
    ask(&world, &(struct ask){.name = "c0.example", .type = RR_MX, .payload = 4096, .dnssec_ok = true}, ANSWER_TCP);
    assert_memory_equal(brief, "noerror aa\n", 11);
    assert_non_null(strstr(brief, "an c5.example. 46 5\n"));
    assert_null(strstr(brief, "an c7.example. 5\n"));
    assert_null(strstr(brief, " 15\n"));
    ask(&world, &(struct ask){.name = "c6.example", .type = RR_MX, .payload = 4096, .dnssec_ok = true}, ANSWER_TCP);
    assert_non_null(strstr(brief, "an c10.example. 15\n"));
    world_fini(&world);
}

/* RFC 4035 3.1.4.1: with the child served beside it, the parent has the DS, and the proof that there is none. */
static void test_ds_where_the_child_is_served_too(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a.example", RR_DS, "noerror aa\n" PUT("an", "a.example.", 43)},
        {"b.example", RR_DS, "noerror aa\n" SOA N("b.example.")},
        {"b.example", RR_A, "noerror aa\nns b.example. 6\n"},
        {"x.b.example", RR_DS, "nxdomain aa\nns b.example. 6\n"},
    };
    struct world world;
    world_init(&world, 4096);
    world_add(&world, "example", nsec_zone);
    world_add(&world, "a.example", "");
    world_add(&world, "b.example", "");
    world_start(&world);
    RUN(&world, rows);
    world_fini(&world);
}

static void assert_line(const char *line)
{
    if (!strstr(text, line))
        fail_msg("no \"%s\" in\n%s", line, text);
}

/* RFC 4034 3: a signature has the TTL of what it covers, be that lowered in a negative answer (RFC 2308 5). */
static void test_ttl(void **state)
{
    (void)state;
    struct world world;
    begin(&world, nsec_zone);
    ask_do(&world, "ml.example", RR_A);
    assert_line("ns example. 300 6 ");
    assert_line("ns example. 300 46 0006");
    assert_line("ns b.example. 300 47 ");
    assert_line("ns b.example. 300 46 002f");
    ask_do(&world, "example", RR_SOA);
    assert_line("an example. 3600 6 ");
    assert_line("an example. 3600 46 0006");
    world_fini(&world);
}

/* Signatures and proofs are required: what does not fit is TC, and never half there. */
static void test_every_payload(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
    } cases[] = {{"ml.example", RR_A}, {"a.z.w.example", RR_MX}, {"a.c.x.w.example", RR_A}, {"mc.c.example", RR_A},
        {"mc.a.example", RR_A}, {"a.z.w.example", RR_AAAA}, {"xx.example", RR_A}};
    unsigned truncated = 0;
    for (unsigned zone = 0; zone < 2; zone++) {
        struct world world;
        begin(&world, zone ? nsec3_zone : nsec_zone);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct ask query = {.name = cases[i].name, .type = cases[i].type, .payload = 4096, .dnssec_ok = true};
            size_t whole = ask(&world, &query, ANSWER_TCP);
            for (uint16_t payload = 512; payload < 1000; payload++) {
                query.payload = payload;
                assert_true(ask(&world, &query, ANSWER_UDP) <= payload);
                bool tc = strstr(brief, " tc\n") != NULL;
                assert_int_equal(tc, whole > payload);
                truncated += tc;
            }
        }
        world_fini(&world);
    }
    assert_true(truncated > 100);
}

/* Owners of proofs share what they can with the name asked for: every length of common end, deep names, any case. */
static void test_owners_at_every_depth(void **state)
{
    (void)state;
    enum { DEPTH = 100 };
    size_t at = (size_t)sprintf(zone_buffer, APEX "@ NSEC z A\n" SIG("@", "NSEC"));
    char *suffix = malloc(2 * DEPTH + 1);
    assert_non_null(suffix);
    for (unsigned d = 1; d <= DEPTH; d++) {
        for (unsigned i = 0; i < d; i++)
            memcpy(suffix + 2 * i, "b.", 2);
        suffix[2 * d - 1] = 0;
        at += (size_t)sprintf(zone_buffer + at, "%s A 192.0.2.1\n%s NSEC %s%s A RRSIG NSEC\n"
            "%s RRSIG NSEC" TAIL,
            suffix, suffix, d < DEPTH ? "b." : "", d < DEPTH ? suffix : "@", suffix);
    }
    struct world world;
    begin(&world, zone_buffer);
    size_t first_len = 0;
    for (unsigned d = 1; d < DEPTH; d++) {
        char name[300] = "c.", line[600];
        for (unsigned i = 0; i < d; i++)
            strcat(name, i & 1 ? "B." : "b.");
        strcat(name, "EXAMPLE");
        size_t len = ask_do(&world, name, RR_A);
        assert_memory_equal(brief, "nxdomain aa\n", 12);
        /* Before c.b.….b comes the deepest name below b.….b; before *.b.….b, b.….b itself. */
        sprintf(line, "ns %.*s%s. 60 47 ", (int)(2 * (DEPTH - d)), suffix, name + 2);
        assert_line(line);
        sprintf(line, "ns %s. 60 47 ", name + 2);
        assert_line(line);
        /* Only what is not common is written; by two bytes a label grow the question and the next name in NSEC, the
         * first owner shrinks, and four owners are pointers. */
        first_len = first_len ? first_len : len;
        assert_int_equal(len, first_len + 2 * (d - 1));
    }
    free(suffix);
    world_fini(&world);
}

/* Names of one label, of which only the root is common to those of the zone. */
static void test_the_root_zone(void **state)
{
    (void)state;
    static const char root[] = "@ DNSKEY 257 3 13 AA==\n@ NSEC b. NS SOA RRSIG NSEC DNSKEY\nb A 192.0.2.1\n"
        "b NSEC d. A RRSIG NSEC\nd A 192.0.2.2\nd NSEC . A RRSIG NSEC\n"
        "@ RRSIG NSEC 13 0 60 20300101000000 20200101000000 1 . AA==\n"
        "b RRSIG NSEC 13 1 60 20300101000000 20200101000000 1 . AA==\n"
        "d RRSIG NSEC 13 1 60 20300101000000 20200101000000 1 . AA==\n"
        "@ 3600 RRSIG SOA 13 0 60 20300101000000 20200101000000 1 . AA==\n";
    static const struct row rows[] = {
        {"c", RR_A, "nxdomain aa\nns . 6\nns . 46 6\n" N("b.") N(".")},
        {"x.e", RR_A, "nxdomain aa\nns . 6\nns . 46 6\n" N("d.") N(".")},
        {".", RR_A, "noerror aa\nns . 6\nns . 46 6\n" N(".")},
    };
    struct world world;
    world_init(&world, 4096);
    world_add(&world, ".", root);
    world_start(&world);
    RUN(&world, rows);
    world_fini(&world);
}

/* More iterations than are made (zone/signed.h): signatures are there, proofs are not. */
static void test_a_chain_that_is_not_used(void **state)
{
    (void)state;
    static const char zone[] = APEX "@ NSEC3PARAM 1 0 501 -\nwww A 192.0.2.1\n" SIG("www", "A")
        "sub NS ns1.sub\nns1.sub A 192.0.2.2\n*.w MX 1 www\n" SIG("*.w", "MX") "x.ent A 192.0.2.3\n";
    static const struct row rows[] = {
        {"www.example", RR_A, "noerror aa\n" PUT("an", "www.example.", 1)},
        {"nothing.example", RR_A, "nxdomain aa\n" SOA},
        {"www.example", RR_AAAA, "noerror aa\n" SOA},
        {"ent.example", RR_A, "noerror aa\n" SOA},
        {"a.w.example", RR_A, "noerror aa\n" SOA},
        {"a.w.example", RR_MX, "noerror aa\n" PUT("an", "a.w.example.", 15)},
        {"a.sub.example", RR_A, "noerror\nns sub.example. 2\nar ns1.sub.example. 1\n"},
    };
    struct world world;
    begin(&world, zone);
    RUN(&world, rows);
    world_fini(&world);
}

/* Nobody should sign signatures (RFC 4035 2.2); where it was done, those stand in the answer once. */
static void test_signed_signatures(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"www.example", RR_RRSIG, "noerror aa\nan www.example. 46 1\nan www.example. 46 46\n"
            "an www.example. 46 47\n"},
        {"a.w.example", RR_RRSIG, "noerror aa\nan a.w.example. 46 46\n" N("example.")},
        {"www.example", RR_A, "noerror aa\n" PUT("an", "www.example.", 1)},
    };
    struct world world;
    begin(&world, APEX NSEC("@", "www", "NS SOA DNSKEY") "www A 192.0.2.1\n" SIG("www", "A") SIG("www", "RRSIG")
        NSEC("www", "@", "A") SIG("*.w", "RRSIG"));
    RUN(&world, rows);
    world_fini(&world);
}

/* An RRSIG record with rdata of `len` bytes of zeros comes to a name, as no zone file would have it. */
static void add_short_signature(struct world *world, const char *owner_text, uint16_t len)
{
    uint8_t owner[NAME_MAX_LEN];
    static const uint8_t zeros[2], root[1];
    unsigned owner_len;
    struct zone *zone = world->zones[0];
    struct changeset changes = {.removed = zone_records_new(zone->name, zone->key),
                                .added = zone_records_new(zone->name, zone->key)};
    struct rr rr = {.owner = owner, .type = RR_RRSIG, .ttl = 60, .rdata = zeros, .rdata_len = len};
    struct zone_version *version;
    assert_int_equal(name_from_text(owner, &owner_len, owner_text, strlen(owner_text), root), ERR_OK);
    zone_records_add(changes.added, &rr, NULL, 0);
    zone_records_sort(changes.removed);
    zone_records_sort(changes.added);
    assert_int_equal(zone_apply(&version, zone->current, &changes, NULL), ERR_OK);
    zone_version_put(zone_publish(zone, version));
    zone_records_free(changes.removed);
    zone_records_free(changes.added);
}

/* Rdata that ends before the type covered does (not from text, but a transfer may bring it) covers nothing, hides no
 * other signature, and is not read beyond its end. */
static void test_short_signatures(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"www.example", RR_A, "noerror aa\n" PUT("an", "www.example.", 1)},
        {"bare.example", RR_A, "noerror aa\nan bare.example. 1\n"},
    };
    struct world world;
    begin(&world, APEX NSEC("@", "@", "NS SOA DNSKEY") "www A 192.0.2.1\n" SIG("www", "A") "bare A 192.0.2.2\n");
    for (uint16_t len = 0; len < 2; len++) {
        add_short_signature(&world, "www.example", len);
        add_short_signature(&world, "bare.example", len);
    }
    RUN(&world, rows);
    world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nsec),
        cmocka_unit_test(test_nsec3),
        cmocka_unit_test(test_without_do),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_longest_chain),
        cmocka_unit_test(test_chain_of_large_signatures),
        cmocka_unit_test(test_ds_where_the_child_is_served_too),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_every_payload),
        cmocka_unit_test(test_owners_at_every_depth),
        cmocka_unit_test(test_the_root_zone),
        cmocka_unit_test(test_a_chain_that_is_not_used),
        cmocka_unit_test(test_signed_signatures),
        cmocka_unit_test(test_short_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
