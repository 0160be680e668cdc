/* One query on its way: what the frame said, the name that is looked up now, and the answer so far. A worker has one
 * for each place in a batch and uses it again and again; nothing in it is cleared but what a query sets. [worker] */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "answer/cookie.h"
#include "answer/counters.h"
#include "answer/limit.h"
#include "answer/settings.h"
#include "base/addr.h"
#include "base/buf.h"
#include "base/random.h"
#include "dns/edns.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/tsig.h"
#include "pool/directory.h"
#include "zone/catalogue.h"
#include "zone/trie.h"
#include "zone/version.h"

struct answer_hand_off;
struct nsec3_hasher;

enum {
    QUERY_LINKS_MAX = 16, /* CNAMEs, synthesised ones too, in one answer */
    QUERY_NO_DEPTH = 128, /* deeper than any name */
    QUERY_PROOFS_MAX = QUERY_LINKS_MAX + 4, /* a wildcard's a link, and three or less of the last name */
    QUERY_LIMIT_NODATA = 8, /* in limit_what: apart from each enum lookup_kind */
    QUERY_LIMIT_HAND_OFF = 16,
};

/* The sections of an answer, as indices of query.counts. */
enum query_section { QUERY_ANSWER, QUERY_AUTHORITY, QUERY_ADDITIONAL, QUERY_SECTIONS };

/* What all queries of a batch share. */
struct query_context {
    const struct hash_key *key;
    const struct catalogue *catalogue; /* read once a batch */
    struct random_state *rng;
    struct answer_counters *counters;
    struct refusals *refusals; /* NULL: nobody wants to know */
    const struct answer_settings *settings; /* the same */
    const struct pool_directory *pools;
    uint32_t *positions;    /* of each pool and family, how many answers it gave here */
    uint64_t position_seed; /* makes where each of them began */
    struct nsec3_hasher *hasher; /* NULL: libcrypto has no SHA-1 */
};

/* An NSEC or NSEC3 record, as `type` says, that is to stand in authority. */
struct query_proof {
    const struct zone_node *node;
    uint16_t type;
    uint16_t name_at; /* of a name that its own may share the end with */
};

enum { QUERY_NO_EDE = 0xffff };

/* What the request's options asked for, and so the answer's OPT has. */
enum query_opt_flag {
    QUERY_OPT_NSID = 1,
    QUERY_OPT_KEEPALIVE = 2,
    QUERY_OPT_COOKIE = 4,
    QUERY_OPT_ECS = 8,
    QUERY_OPT_ECS_TRUSTED = 16, /* pools go by `subnet`, not by the client's own address */
    QUERY_OPT_BADCOOKIE = 32,   /* the server cookie that is required is missing or wrong */
};

/* The answer's OPT (answer/optrr.h). */
struct query_opt {
    uint16_t len;                /* kept back for it behind the answer; 0: there is none */
    uint16_t ede;                /* enum edns_ede or QUERY_NO_EDE; told while there is room */
    uint8_t flags;               /* enum query_opt_flag; what is not flagged has no meaning */
    uint8_t ecs_scope;           /* how many bits of the subnet the answer depends on */
    uint16_t keepalive_100ms;
    uint8_t cookie[COOKIE_LEN];  /* the whole option's data */
    struct edns_ecs ecs;
    struct addr subnet;          /* that of `ecs` */
};

struct query {
    const struct query_context *context;
    const struct addr *client;
    /* The answer, up to the most it may have less OPT's and TSIG's room; failed: something required did not fit. */
    struct writer out;
    uint16_t flags;    /* the answer's, without RCODE and TC */
    uint16_t rcode;
    uint16_t qtype;
    uint16_t qdcount;
    uint16_t counts[QUERY_SECTIONS];
    struct query_opt opt;
    uint16_t tsig_len;   /* kept back for the answer's TSIG; 0: there is none (answer/signing.h) */
    uint16_t tsig_error; /* enum tsig_verdict on the request's; 0: good, or none */
    bool dnssec_ok;
    bool referral; /* the answer ends in one */
    bool class_any;
    bool trusted;   /* the client has its address: by TCP, by a server cookie of ours, or it has a key */
    bool is_signed; /* DO, and the current zone is signed */

    /* The lookup of the current name: the question's, then that of each link of a chain. */
    const struct zone *zone;
    const struct zone_version *version;
    uint16_t name_at;          /* where it stands in the answer, uncompressed */
    uint8_t cover_depth;       /* the first depth above the name where its zone has cuts or DNAMEs, or QUERY_NO_DEPTH */
    uint8_t link_cnt;          /* CNAMEs in the answer */
    uint8_t dname_cnt;         /* DNAMEs in the answer */
    uint8_t proof_cnt;
    uint8_t encloser_depth;    /* of the name's closest encloser; set where the name does not exist itself */
    struct trie_walk walk;     /* to the name itself */
    struct trie_walk cover;    /* to the name's suffix of cover_depth */
    struct name_split name;

    /* What the rate limit counts the answer by (answer/limit.h): of the last link, the hash of the suffix that is or
     * makes the name, and how it does; 0: an error. */
    uint64_t limit_what;
    struct limit_bucket bucket;

    /* What a chain must not repeat; only the first link_cnt and dname_cnt are set. */
    uint64_t link_hashes[QUERY_LINKS_MAX];
    const struct zone_node *dnames[QUERY_LINKS_MAX];
    /* The first proof_cnt are set, in the order in which they were found necessary; answer/denial.h. */
    struct query_proof proofs[QUERY_PROOFS_MAX];

    /* Of a signed request: set when tsig_len is. */
    uint16_t begun_len; /* of the answer's header and question */
    struct tsig_state tsig;

    struct answer_hand_off *hand_off; /* of FRAME_HAND_OFF; owned until it is taken, or another takes its place */
};
