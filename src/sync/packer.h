/* A message of a zone transfer while it is written: records one behind the other, as many as fit, with names compressed
 * (RFC 1035 4.1.4) against two that stand in it: the zone's, and the owner of the record at hand. Of rdata only the
 * names of RFC 1035's types are compressed (RFC 3597 4), and only where every byte agrees: whoever gets the zone gets
 * the case of its names.
 *
 * The zone's name stands in the question; where there is none, or it is written in capitals, the first owner stands
 * whole and the zone's name is its end. So it always stands where a pointer can lead to, while of owners only those in
 * the first 16,384 bytes do; behind them each record has its owner's labels again.
 *
 * Records come from images (zone/image.h), whose bytes are copied and whose pointers are moved, or one by one. Nothing
 * is allocated. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "dns/rr.h"
#include "zone/node.h"

struct packer {
    struct writer w; /* from the message's beginning; what is kept back for later lies behind its end */
    const uint8_t *apex; /* lower-cased */
    unsigned apex_len;
    unsigned rr_cnt;
    /* private */
    unsigned apex_at;  /* 0: it stands nowhere yet */
    unsigned owner_at; /* 0: no pointer can lead there */
    unsigned owner_len;
    const uint8_t *owner; /* as its record had it: the same pointer means the same name */
    /* Bytes of this image's rdata from `image_from` on stand at image_delta from where they are in it. */
    const uint8_t *image;
    unsigned image_from;
    int image_delta;
};

/* How far an image has been written. Begins as {0, 0}. */
struct packer_place {
    unsigned at;      /* the next record's, in the image */
    unsigned pointer; /* the next of the image's list */
};

/* Over `cap` bytes at `message`, at most MSG_MAX_LEN, of which `used` are written. `apex`, lower-cased, is borrowed; it
 * stands at byte `apex_at` as it is, or nowhere yet (0). */
void packer_init(struct packer *packer, uint8_t *message, size_t cap, size_t used, const uint8_t *apex,
                 unsigned apex_at) ATTR_NONNULL_ALL;
/* The node's rrset from `place` on. False: full; `place` tells what is left for the next message. The node stays as
 * long as the message is written. */
bool packer_image(struct packer *packer, struct packer_place *place, const struct zone_node *node,
                  const struct zone_rrset *rrset) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* A record of a name in the zone, class IN. False: full, and nothing was written. The owner, lower-cased, stays where
 * it is as long as the message is written. */
bool packer_record(struct packer *packer, const struct rr *rr) ATTR_NONNULL_ALL ATTR_MUST_USE;
