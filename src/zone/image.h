/* Images: an rrset as the bytes of its answer section, made when data changes, copied and patched when a query comes.
 *
 * An image is written for a *virtual message*: its owner name X stands uncompressed at offset 12 (as in a question),
 * and the image itself begins at 12 + len(X) + 4, behind the question. Every owner is the pointer 0xC00C. Names in
 * rdata of compressible types (RFC 3597 section 4), CNAME's excepted, are compressed against X's suffixes (pointer
 * target below 12 + len(X)) or against names earlier in the same image (target at or above 12 + len(X) + 4). CNAME and
 * DNAME rdata stand uncompressed, so that the next link of a chain has its owner at one place. No target lies at or
 * above IMAGE_TARGET_MAX, so that moving one stays below 2^14 wherever a chain of 16 links puts the image: each adds at
 * most a DNAME and a CNAME, 2 × 267 bytes, behind a question of 271, which is 8,815, and 8,815 + 7,168 < 16,384.
 *
 * Copying an image into a message moves its pointers by two fixed differences: those to X by where X really stands
 * minus 12, those into the image by where the image really stands minus 12 + len(X) + 4. For an exact match right
 * behind the question both are 0 and nothing is patched. A wildcard's image keeps 0xC00C as owner and moves the other
 * pointers by len(QNAME) − len(X); no pointer but the owners leads to its "*" label.
 *
 * Layout in memory: `len` bytes of records; for A and AAAA with n ≥ 2 records it is doubled (2n − 1 records stand
 * there, so that any rotation is one window); for compressible types the bytes are followed (2-aligned) by a uint16
 * count and that many uint16 offsets of pointers within rdata, ascending. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/chunk.h"
#include "dns/name.h"
#include "dns/rr.h"

enum {
    IMAGE_OWNER_AT = 12,
    IMAGE_TARGET_MAX = 7168,
    IMAGE_RR_A_LEN = 16,    /* pointer, type, class, TTL, RDLENGTH, 4 bytes */
    IMAGE_RR_AAAA_LEN = 28,
    IMAGE_RR_FIXED_LEN = 12, /* all but the rdata */
};

/* One rrset of a node. */
struct zone_rrset {
    uint16_t type;
    uint16_t rr_cnt;
    uint32_t image_off; /* from the start of the node; 4-aligned */
    uint32_t image_len; /* of one whole image, not doubled, without the pointer list */
};
_Static_assert(sizeof(struct zone_rrset) == 12, "three words a rrset");

/* One record's rdata as image_build wants it: canonical order (RFC 4034 6.3), no duplicates. */
struct image_rdata {
    const uint8_t *rdata;
    /* one for all, but for RRSIG and SIG: one for all that cover the same type (RFC 2181 5.2, RFC 4034 3) */
    uint32_t ttl;
    uint16_t len;
};

/* Of the record at `rr`, whose owner is a pointer: its TTL, and the bytes that it has. */
static inline uint32_t image_rr_ttl(const uint8_t *rr) { return be32_get(rr + 6); }
static inline unsigned image_rr_len(const uint8_t *rr) { return IMAGE_RR_FIXED_LEN + be16_get(rr + 10); }
/* Bytes that image_build will write at most for these records, pointer list and doubling included. */
size_t image_room(uint16_t type, const struct image_rdata *rdata, unsigned cnt) ATTR_NONNULL_ALL;
/* The most bytes that an image may have, so that it and an OPT record fit in a message of 65,535 bytes whatever the
 * question: the owner itself, or where more names are asked for (a wildcard, a cut) the longest. */
size_t image_most(const uint8_t *owner, uint16_t type) ATTR_NONNULL_ALL ATTR_PURE;
enum { IMAGE_SURE_TO_FIT = 65535 - 11 - 12 - 255 - 4 }; /* image_most is never less */
/* Writes the image of the rrset (owner, type, rdata) to `out` and fills `rrset` but for image_off. Returns the bytes
 * used, pointer list and doubling included; 0 when the image would have more than image_most. */
size_t image_build(uint8_t *out, struct zone_rrset *rrset, const uint8_t *owner, uint16_t type,
                   const struct image_rdata *rdata, unsigned cnt) ATTR_NONNULL_ALL;

/* Bytes that a built image takes, pointer list and doubling included. */
size_t image_bytes(const uint8_t *image, const struct zone_rrset *rrset) ATTR_NONNULL_ALL;

/* The possibly compressed name at byte `at` of the image, uncompressed; `end` is where its rdata ends. Returns its
 * length, 0 when it is malformed; *taken the bytes it takes in the image. */
unsigned image_name(uint8_t out[NAME_MAX_LEN], unsigned *taken, const uint8_t *image, const uint8_t *owner, unsigned at,
                    unsigned end) ATTR_NONNULL_ALL;

/* Takes an image apart: calls `fn` for each record with its uncompressed rdata
 * (in a buffer that the next call reuses). */
void image_each(const uint8_t *image, const struct zone_rrset *rrset, const uint8_t *owner,
                void (*fn)(void *arg, const struct rr *rr), void *arg) ATTR_NONNULL(1, 2, 3, 4);

/* Where the image's pointers must move to. */
struct image_move {
    uint16_t owner;      /* pointer value of every owner field: 0xC000 | offset in the message */
    int32_t owner_delta; /* added to targets in X */
    int32_t image_delta; /* added to targets in the image */
};

/* The pointer list behind an image of a compressible type; *cnt is 0 for other types. */
static inline const uint16_t *image_pointers(const uint8_t *image, const struct zone_rrset *rrset, unsigned *cnt)
{
    unsigned skip, names;
    if (!rr_type_compressible(rrset->type, &skip, &names)) {
        *cnt = 0;
        return NULL;
    }
    const uint8_t *p = image + ((rrset->image_len + 1) & ~1u);
    *cnt = *(const uint16_t *)(const void *)p;
    return (const uint16_t *)(const void *)p + 1;
}
/* Moves the pointers of the copy `at` (rrset->image_len bytes) of `image`, whose X has `owner_len` bytes. Of a
 * cut's glue (type 0) the pointers that owners are or end in are moved, by where X and the NS image really
 * stand; `owner` has no meaning there. [query path] */
void image_patch(uint8_t *at, const uint8_t *image, const struct zone_rrset *rrset, unsigned owner_len,
                 const struct image_move *move) ATTR_NONNULL_ALL;
