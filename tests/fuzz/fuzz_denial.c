/* Proofs of signed zones. Two toy zones of the same names, one with an NSEC chain and one with NSEC3 and opt-out, made
 * here; the input spells a question out of their labels and bytes of its own. Whatever is asked, the answer must prove
 * what it says, judged by RFC 4035 5.4 and 5155 8 from the records in it alone, as a resolver would: that the name does
 * not exist and no wildcard makes it, that it lacks the type, that a wildcard's answer was due, that a delegation has
 * no DS. No record stands twice in authority, each proof is signed, and nothing of it is there for who did not ask. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/nsec3.h"
#include "dns/rr.h"
#include "helpers/decode.h"
#include "helpers/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* ---- the zones */

enum kind {
    PLAIN,
    ENT,       /* an empty non-terminal: no NSEC */
    INSECURE,  /* a delegation without DS: no NSEC3 */
    UNSIGNED,  /* only above such: no NSEC, no NSEC3 */
    GLUE,      /* no chain at all */
};

static const struct toy {
    const char *name, *records; /* with "=" for the owner */
    const char *types;
    enum kind kind;
} toys[] = {
    {"@", "", "NS SOA DNSKEY", PLAIN},
    {"www", "= A 192.0.2.1\n= AAAA ::1\n", "A AAAA", PLAIN},
    {"a", "= A 192.0.2.1\n", "A", PLAIN},
    {"b.a", "= TXT x\n", "TXT", PLAIN},
    {"x.y.z", "= TXT x\n", "TXT", PLAIN},
    {"y.z", NULL, "", ENT},
    {"z", NULL, "", ENT},
    {"*.wild", "= A 192.0.2.2\n", "A", PLAIN},
    {"wild", NULL, "", ENT},
    {"a.wild", "= TXT x\n", "TXT", PLAIN},
    {"*.*.wild", "= TXT x\n", "TXT", PLAIN},
    {"b.*.went", "= TXT x\n", "TXT", PLAIN},
    {"*.went", NULL, "", ENT},
    {"went", NULL, "", ENT},
    {"*.walias", "= CNAME x.wild\n", "CNAME", PLAIN},
    {"walias", NULL, "", ENT},
    {"*.wgone", "= CNAME a.b.www\n", "CNAME", PLAIN},
    {"wgone", NULL, "", ENT},
    {"*.wloop", "= CNAME a.wloop\n", "CNAME", PLAIN},
    {"wloop", NULL, "", ENT},
    {"alias", "= CNAME www\n", "CNAME", PLAIN},
    {"gone", "= CNAME nope\n", "CNAME", PLAIN},
    {"other", "= CNAME x.walias.hash.\n", "CNAME", PLAIN},
    {"dn", "= DNAME wild\n", "DNAME", PLAIN},
    {"sub", "= NS ns.sub\n", "NS", INSECURE},
    {"ns.sub", "= A 192.0.2.3\n", "", GLUE},
    {"sec", "= NS www\n= DS 1 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n", "NS DS", PLAIN},
    {"cut.u.v", "= NS www\n", "NS", INSECURE},
    {"u.v", NULL, "", UNSIGNED},
    {"v", NULL, "", UNSIGNED},
    {"into", "= CNAME a.sub\n", "CNAME", PLAIN},
};
enum { TOYS = sizeof toys / sizeof *toys };

static struct world world;
static struct nsec3_hasher *hasher;
static const struct nsec3_params params = {.algorithm = NSEC3_SHA1, .salt_len = 2, .iterations = 1, .salt = {0xab, 1}};

/* A place in a chain, sorted by what stands in `key`. */
struct place {
    const struct toy *toy;
    uint8_t key[NAME_MAX_LEN];
};

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

static void wire_of(uint8_t name[NAME_MAX_LEN], const char *text, const uint8_t *origin)
{
    unsigned len;
    require(name_from_text(name, &len, text, strlen(text), origin) == ERR_OK);
    name_to_lower(name, name);
}

static void hash_of(uint8_t hash[NSEC3_HASH_LEN], const uint8_t *name)
{
    uint8_t lower[NAME_MAX_LEN];
    nsec3_hash(hash, hasher, lower, name_to_lower(lower, name), &params);
}

static int by_name(const void *a, const void *b)
{
    return name_cmp(((const struct place *)a)->key, ((const struct place *)b)->key);
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct place *)a)->key, ((const struct place *)b)->key, NSEC3_HASH_LEN);
}

static const char *label_of(char out[NSEC3_LABEL_LEN + 1], const struct place *place)
{
    uint8_t label[1 + NSEC3_LABEL_LEN];
    nsec3_label_write(label, place->key);
    memcpy(out, label + 1, NSEC3_LABEL_LEN);
    out[NSEC3_LABEL_LEN] = 0;
    return out;
}

static size_t put_signature(char *to, const char *owner, const char *type, const char *apex)
{
    uint8_t name[NAME_MAX_LEN], origin[NAME_MAX_LEN];
    wire_of(origin, apex, NULL);
    wire_of(name, owner, origin);
    unsigned labels = name_depth(name) - (name[1] == '*' && name[0] == 1);
    return (size_t)sprintf(to, "%s RRSIG %s 13 %u 60 20300101000000 20200101000000 1 %s. AA==\n", owner, type, labels,
                           apex);
}

static size_t put_toy(char *to, const struct toy *toy, const char *apex)
{
    char types[64], *rest = types, *begin = to;
    for (const char *p = toy->records; p && *p; p++)
        to += *p == '=' ? sprintf(to, "%s", toy->name) : sprintf(to, "%c", *p);
    strcpy(types, toy->types);
    for (char *type; (type = strsep(&rest, " ")) != NULL;)
        if (*type && (strcmp(type, "NS") || !strcmp(toy->name, "@")))
            to += put_signature(to, toy->name, type, apex);
    return (size_t)(to - begin);
}

static size_t put_nsec(char *to, const char *apex)
{
    struct place places[TOYS];
    unsigned cnt = 0;
    char *begin = to;
    uint8_t origin[NAME_MAX_LEN];
    wire_of(origin, apex, NULL);
    for (unsigned i = 0; i < TOYS; i++)
        if (toys[i].kind == PLAIN || toys[i].kind == INSECURE) {
            wire_of(places[cnt].key, toys[i].name, origin);
            places[cnt++].toy = &toys[i];
        }
    qsort(places, cnt, sizeof *places, by_name);
    for (unsigned i = 0; i < cnt; i++) {
        const struct toy *toy = places[i].toy, *next = places[(i + 1) % cnt].toy;
        to += sprintf(to, "%s NSEC %s %s RRSIG NSEC\n", toy->name, next->name, toy->types);
        to += put_signature(to, toy->name, "NSEC", apex);
    }
    return (size_t)(to - begin);
}

static size_t put_nsec3(char *to, const char *apex)
{
    struct place places[TOYS];
    unsigned cnt = 0;
    char *begin = to, owner[NSEC3_LABEL_LEN + 1], next[NSEC3_LABEL_LEN + 1];
    uint8_t origin[NAME_MAX_LEN], name[NAME_MAX_LEN];
    wire_of(origin, apex, NULL);
    for (unsigned i = 0; i < TOYS; i++)
        if (toys[i].kind == PLAIN || toys[i].kind == ENT) {
            wire_of(name, toys[i].name, origin);
            hash_of(places[cnt].key, name);
            places[cnt++].toy = &toys[i];
        }
    qsort(places, cnt, sizeof *places, by_hash);
    to += sprintf(to, "@ NSEC3PARAM 1 0 1 ab01\n");
    for (unsigned i = 0; i < cnt; i++) {
        label_of(owner, &places[i]);
        to += sprintf(to, "%s NSEC3 1 1 1 ab01 %s %s\n", owner, label_of(next, &places[(i + 1) % cnt]),
            places[i].toy->types);
        to += put_signature(to, owner, "NSEC3", apex);
    }
    return (size_t)(to - begin);
}

static void add_zone(const char *apex, size_t (*put_chain)(char *to, const char *apex))
{
    static char zone[1 << 16];
    size_t at = (size_t)sprintf(zone, "@ DNSKEY 257 3 13 AA==\n");
    for (unsigned i = 0; i < TOYS; i++)
        at += put_toy(zone + at, &toys[i], apex);
    put_chain(zone + at, apex);
    world_add(&world, apex, zone);
}

static void start(void)
{
    hasher = nsec3_hasher_new();
    require(hasher);
    world_init(&world, 4096);
    add_zone("plain", put_nsec);
    add_zone("hash", put_nsec3);
    world_start(&world);
    for (size_t i = 0; i < world.zone_cnt; i++)
        require(world.zones[i]->current->is_signed);
}

/* ---- an answer's records */

struct record {
    char section;
    uint8_t owner[NAME_MAX_LEN];
    uint16_t type, covered;
    uint8_t labels; /* of an RRSIG */
    uint8_t rdata[512];
    unsigned rdata_len;
};
enum { RECORDS_MAX = 200 };

struct reply {
    char rcode[16];
    bool aa, tc;
    struct record records[RECORDS_MAX];
    unsigned cnt;
    uint8_t apex[NAME_MAX_LEN];
};

static void read_record(struct record *rec, const char *line)
{
    static char rdata[4096];
    char section[4], owner[1100];
    unsigned ttl, type;
    rdata[0] = 0;
    require(sscanf(line, "%3s %1099s %u %u %4095[^\n]", section, owner, &ttl, &type, rdata) >= 4);
    *rec = (struct record){.section = section[1] == 'n' ? 'a' : section[1], .type = (uint16_t)type};
    wire_of(rec->owner, owner, NULL);
    if (type == RR_CNAME) {
        wire_of(rec->rdata, rdata, NULL);
        return;
    }
    for (const char *p = rdata; type >= RR_DS && sscanf(p, "%2hhx", &rec->rdata[rec->rdata_len]) == 1; p += 2)
        require(++rec->rdata_len < sizeof rec->rdata);
    if (type == RR_RRSIG) {
        rec->covered = be16_get(rec->rdata);
        rec->labels = rec->rdata[3];
    }
}

static void read_reply(struct reply *reply, char *text)
{
    char *line = strtok(text, "\n");
    reply->cnt = 0;
    reply->aa = strstr(line, " aa");
    reply->tc = strstr(line, " tc");
    sscanf(line, "%15s", reply->rcode);
    while ((line = strtok(NULL, "\n")) != NULL)
        if (!strncmp(line, "an ", 3) || !strncmp(line, "ns ", 3) || !strncmp(line, "ar ", 3)) {
            require(reply->cnt < RECORDS_MAX);
            read_record(&reply->records[reply->cnt++], line);
        }
}

static bool has_bit(const uint8_t *p, const uint8_t *end, uint16_t type)
{
    for (; end - p >= 2; p += 2 + p[1])
        if (p[0] == type >> 8)
            return (type & 255) >> 3 < p[1] && p[2 + ((type & 255) >> 3)] & 0x80 >> (type & 7);
    return false;
}

/* ---- what the records prove */

#define EACH_PROOF(rec, reply, its_type)                                                                  \
    for (const struct record *rec = (reply)->records; rec < (reply)->records + (reply)->cnt; rec++)        \
        if (rec->section == 's' && rec->type == (its_type))

static bool nsec_has(const struct record *rec, uint16_t type)
{
    return has_bit(rec->rdata + name_len(rec->rdata), rec->rdata + rec->rdata_len, type);
}

static const struct record *nsec_at(const struct reply *reply, const uint8_t *name)
{
    EACH_PROOF(rec, reply, RR_NSEC)
        if (name_equal(rec->owner, name))
            return rec;
    return NULL;
}

static const struct record *nsec_over(const struct reply *reply, const uint8_t *name)
{
    EACH_PROOF(rec, reply, RR_NSEC)
        if (name_cmp(rec->owner, name) < 0 && (name_cmp(name, rec->rdata) < 0 || name_equal(rec->rdata, reply->apex)))
            return rec;
    return NULL;
}

/* Labels that two names have in common at the end. */
static unsigned common(const uint8_t *a, const uint8_t *b)
{
    unsigned d = 0, most = name_depth(a) < name_depth(b) ? name_depth(a) : name_depth(b);
    while (d < most && name_equal(name_suffix(a, d + 1), name_suffix(b, d + 1)))
        d++;
    return d;
}

static void wildcard_of(uint8_t out[NAME_MAX_LEN], const uint8_t *name, unsigned d)
{
    memcpy(out, "\1*", 2);
    memcpy(out + 2, name_suffix(name, d), name_len(name_suffix(name, d)));
}

/* The wildcard at the closest encloser that the record which covers `name` shows. */
static void nsec_wildcard(uint8_t out[NAME_MAX_LEN], const struct record *over, const uint8_t *name)
{
    unsigned a = common(name, over->owner), b = common(name, over->rdata);
    wildcard_of(out, name, a > b ? a : b);
}

static bool nsec_denies_name(const struct reply *reply, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX_LEN];
    const struct record *over = nsec_over(reply, name);
    if (!over || name_within(over->rdata, name))
        return false;
    nsec_wildcard(wildcard, over, name);
    return nsec_over(reply, wildcard);
}

static bool nsec_denies_type(const struct reply *reply, const uint8_t *name, uint16_t type)
{
    uint8_t wildcard[NAME_MAX_LEN];
    const struct record *at = nsec_at(reply, name), *over = nsec_over(reply, name);
    if (at)
        return !nsec_has(at, type) && !nsec_has(at, RR_CNAME);
    if (!over)
        return false;
    if (name_within(over->rdata, name))
        return true;
    nsec_wildcard(wildcard, over, name);
    at = nsec_at(reply, wildcard);
    over = nsec_over(reply, wildcard);
    return (at && !nsec_has(at, type) && !nsec_has(at, RR_CNAME)) || (over && name_within(over->rdata, wildcard));
}

static const uint8_t *nsec3_next(const struct record *rec) { return rec->rdata + 5 + rec->rdata[4] + 1; }

static bool nsec3_has(const struct record *rec, uint16_t type)
{
    return has_bit(nsec3_next(rec) + NSEC3_HASH_LEN, rec->rdata + rec->rdata_len, type);
}

/* The record that matches the name, or with `over` the one that covers it. */
static const struct record *nsec3_find(const struct reply *reply, const uint8_t *name, bool over)
{
    uint8_t hash[NSEC3_HASH_LEN], owner[NSEC3_HASH_LEN];
    hash_of(hash, name);
    EACH_PROOF(rec, reply, RR_NSEC3) {
        require(nsec3_label_read(owner, rec->owner) && rec->rdata[4] == 2);
        const uint8_t *next = nsec3_next(rec);
        bool last = memcmp(owner, next, NSEC3_HASH_LEN) >= 0, behind = memcmp(owner, hash, NSEC3_HASH_LEN) < 0,
             before = memcmp(hash, next, NSEC3_HASH_LEN) < 0;
        if (over ? (last ? behind || before : behind && before) : !memcmp(owner, hash, NSEC3_HASH_LEN))
            return rec;
    }
    return NULL;
}

/* The depth of the encloser that is proved, next closer name and all; 0: none is. */
static unsigned nsec3_encloser(const struct reply *reply, const uint8_t *name, const struct record **over)
{
    for (unsigned d = name_depth(name); d-- > 1;)
        if (nsec3_find(reply, name_suffix(name, d), false)) {
            *over = nsec3_find(reply, name_suffix(name, d + 1), true);
            return *over ? d : 0;
        }
    return 0;
}

static bool nsec3_denies_name(const struct reply *reply, const uint8_t *name)
{
    uint8_t wildcard[NAME_MAX_LEN];
    const struct record *over;
    unsigned d = nsec3_encloser(reply, name, &over);
    wildcard_of(wildcard, name, d);
    return d && nsec3_find(reply, wildcard, true);
}

static bool nsec3_denies_type(const struct reply *reply, const uint8_t *name, uint16_t type)
{
    uint8_t wildcard[NAME_MAX_LEN];
    const struct record *at = nsec3_find(reply, name, false), *over;
    if (at)
        return !nsec3_has(at, type) && !nsec3_has(at, RR_CNAME);
    unsigned d = nsec3_encloser(reply, name, &over);
    if (!d)
        return false;
    wildcard_of(wildcard, name, d);
    at = nsec3_find(reply, wildcard, false);
    return at ? !nsec3_has(at, type) && !nsec3_has(at, RR_CNAME) : over->rdata[1] & NSEC3_OPT_OUT;
}

/* ---- the judgement */

/* Which of the zones a name is in; its apex becomes the reply's. */
static bool in_nsec_zone(struct reply *reply, const uint8_t *name)
{
    bool plain = name_within(name, (const uint8_t *)"\5plain");
    name_to_lower(reply->apex, (const uint8_t *)(plain ? "\5plain" : "\4hash"));
    return plain;
}

static void denies(struct reply *reply, const uint8_t *name, uint16_t type)
{
    bool plain = in_nsec_zone(reply, name);
    if (!strcmp(reply->rcode, "nxdomain"))
        require(plain ? nsec_denies_name(reply, name) : nsec3_denies_name(reply, name));
    else
        require(plain ? nsec_denies_type(reply, name, type) : nsec3_denies_type(reply, name, type));
}

/* An answer's signature of fewer labels than its owner has is a wildcard's: the name itself must not exist. */
static void expansion_is_due(struct reply *reply, const struct record *rrsig)
{
    if (rrsig->labels >= name_depth(rrsig->owner) - (rrsig->owner[0] == 1 && rrsig->owner[1] == '*'))
        return;
    require(in_nsec_zone(reply, rrsig->owner)
                ? nsec_over(reply, rrsig->owner) != NULL
                : nsec3_find(reply, name_suffix(rrsig->owner, rrsig->labels + 1u), true) != NULL);
}

static bool has(const struct reply *reply, char section, uint16_t type, const uint8_t *owner, uint16_t covered)
{
    for (const struct record *rec = reply->records; rec < reply->records + reply->cnt; rec++)
        if (rec->section == section && rec->type == type && rec->covered == covered &&
            (!owner || name_equal(rec->owner, owner)))
            return true;
    return false;
}

static bool is_of_signing(uint16_t type) { return type == RR_RRSIG || type == RR_NSEC || type == RR_NSEC3; }

static void judge_records(struct reply *reply)
{
    for (unsigned i = 0; i < reply->cnt; i++) {
        const struct record *rec = &reply->records[i];
        if (rec->section == 's' && is_of_signing(rec->type) && rec->type != RR_RRSIG)
            require(has(reply, 's', RR_RRSIG, rec->owner, rec->type));
        if (rec->section == 'a' && rec->type == RR_RRSIG)
            expansion_is_due(reply, rec);
        for (unsigned j = 0; rec->section == 's' && is_of_signing(rec->type) && j < i; j++)
            require(rec->type != reply->records[j].type || reply->records[j].section != 's' ||
                    rec->covered != reply->records[j].covered || !name_equal(rec->owner, reply->records[j].owner));
    }
}

static void judge(struct reply *reply, const uint8_t *question, uint16_t type)
{
    const uint8_t *name = question, *cut = NULL;
    for (const struct record *rec = reply->records; rec < reply->records + reply->cnt; rec++) {
        if (rec->section == 'a' && rec->type == RR_CNAME && name_equal(rec->owner, name))
            name = rec->rdata;
        if (rec->section == 's' && rec->type == RR_NS)
            cut = rec->owner;
    }
    judge_records(reply);
    if (has(reply, 's', RR_SOA, NULL, 0)) {
        require(has(reply, 's', RR_RRSIG, NULL, RR_SOA));
        denies(reply, name, type);
    } else if (cut && !has(reply, 's', RR_DS, cut, 0)) {
        denies(reply, cut, RR_DS);
    }
}

/* A name out of labels of the zones and of the input's own. */
static void spell(uint8_t name[NAME_MAX_LEN], const uint8_t *data, size_t len, bool hash)
{
    static const char *const labels[] = {"www", "a", "b", "x", "y", "z", "*", "wild", "went", "walias", "wgone",
        "wloop", "alias", "gone", "other", "dn", "sub", "sec", "cut", "u", "v", "into", "ns", "nope", "0", "zz"};
    unsigned at = 0;
    for (size_t i = 0; i < len && at < 150; i++) {
        unsigned label_len;
        if (data[i] >= 64 || i + 1 + data[i] > len || !data[i]) {
            const char *label = labels[data[i] % (sizeof labels / sizeof *labels)];
            label_len = (unsigned)strlen(label);
            memcpy(name + at + 1, label, label_len);
        } else {
            label_len = data[i];
            memcpy(name + at + 1, data + i + 1, label_len);
            i += label_len;
        }
        name[at] = (uint8_t)label_len;
        at += 1 + label_len;
    }
    memcpy(name + at, hash ? "\4hash" : "\5plain", hash ? 6 : 7);
}

enum how { HOW_HASH = 1, HOW_UDP = 2, HOW_SMALL = 4, HOW_WITHOUT_DO = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint16_t types[] = {RR_A, RR_TXT, RR_DS, RR_NS, RR_AAAA, RR_MX, RR_DNAME, RR_DNSKEY, 65280};
    static uint8_t out[65535];
    static char text[DECODE_TEXT_MAX];
    static struct reply reply;
    if (!world.worker)
        start();
    if (len < 2 || len > 512)
        return 0;
    uint8_t name[NAME_MAX_LEN], in[512], how = data[0];
    char name_text[NAME_TEXT_MAX];
    uint16_t type = types[data[1] % (sizeof types / sizeof *types)];
    spell(name, data + 2, len - 2, how & HOW_HASH);
    size_t in_len = world_ask(in, &(struct ask){.name = name_to_text(name_text, name), .type = type,
        .payload = how & HOW_SMALL ? 512 : 4096, .dnssec_ok = !(how & HOW_WITHOUT_DO)});
    size_t out_len = world_answer(&world, out, sizeof out, in, in_len, how & HOW_UDP ? ANSWER_UDP : ANSWER_TCP);
    const char *wrong = decode_answer(text, sizeof text, out, out_len);
    if (wrong)
        fprintf(stderr, "%s\n", wrong);
    require(!wrong);
    read_reply(&reply, text);
    require(how & HOW_UDP || !reply.tc);
    if (how & HOW_WITHOUT_DO)
        for (unsigned i = 0; i < reply.cnt; i++)
            require(!is_of_signing(reply.records[i].type));
    else if (!reply.tc)
        judge(&reply, name, type);
    return 0;
}
