#include "answer/section.h"

#include <string.h>

struct image_move section_move(const struct query *q, const struct zone_node *node, size_t pos, bool wildcard)
{
    unsigned x_at = (unsigned)q->name_at + q->name.len - node->name_len;
    return (struct image_move){
        .owner = (uint16_t)(0xc000 | (wildcard ? q->name_at : x_at)),
        .owner_delta = (int32_t)x_at - IMAGE_OWNER_AT,
        .image_delta = (int32_t)pos - (int32_t)(IMAGE_OWNER_AT + node->name_len + 4),
    };
}

static bool stands_still(const struct image_move *move)
{
    return move->owner == (0xc000 | IMAGE_OWNER_AT) && !move->owner_delta && !move->image_delta;
}

/* A or AAAA of several records: a window of the doubled image that begins anywhere. */
static const uint8_t *rotate(const struct query *q, const uint8_t *image, const struct zone_rrset *rrset)
{
    unsigned rr_len = rrset->type == RR_A ? IMAGE_RR_A_LEN : IMAGE_RR_AAAA_LEN;
    return image + random_below(q->context->rng, rrset->rr_cnt) * rr_len;
}

static void patch(uint8_t *at, const struct zone_node *node, const struct zone_rrset *rrset,
                  const struct image_move *move)
{
    if (!stands_still(move))
        image_patch(at, zone_node_image(node, rrset), rrset, node->name_len, move);
}

/* The addresses of `node`, all of them, in a random order. */
static bool put_addresses(struct query *q, enum query_section section, const struct zone_node *node,
                          const struct zone_rrset *rrset, bool wildcard)
{
    uint8_t *at = writer_room(&q->out, rrset->image_len);
    if (unlikely(!at))
        return false;
    const uint8_t *image = zone_node_image(node, rrset);
    memcpy(at, rrset->rr_cnt > 1 ? rotate(q, image, rrset) : image, rrset->image_len);
    q->counts[section] = (uint16_t)(q->counts[section] + rrset->rr_cnt);
    /* No name in the rdata, so only the owner can move. */
    struct image_move move = section_move(q, node, (size_t)(at - q->out.begin), wildcard);
    if (unlikely(move.owner != (0xc000 | IMAGE_OWNER_AT)))
        patch(at, node, rrset, &move);
    return true;
}

static bool put_rrset(struct query *q, enum query_section section, const struct zone_node *node,
                      const struct zone_rrset *rrset, bool wildcard)
{
    if (likely(rrset->type == RR_A || rrset->type == RR_AAAA))
        return put_addresses(q, section, node, rrset, wildcard);
    uint8_t *at = writer_room(&q->out, rrset->image_len);
    if (unlikely(!at))
        return false;
    memcpy(at, zone_node_image(node, rrset), rrset->image_len);
    q->counts[section] = (uint16_t)(q->counts[section] + rrset->rr_cnt);
    struct image_move move = section_move(q, node, (size_t)(at - q->out.begin), wildcard);
    patch(at, node, rrset, &move);
    return true;
}

bool section_put(struct query *q, enum query_section section, const struct zone_node *node,
                 const struct zone_rrset *rrset)
{
    return put_rrset(q, section, node, rrset, false);
}

bool section_put_wildcard(struct query *q, const struct zone_node *node, const struct zone_rrset *rrset)
{
    return put_rrset(q, QUERY_ANSWER, node, rrset, true);
}

/* The owner is the current name, of a wildcard too: nothing else can move. */
bool section_put_pool(struct query *q, const uint8_t *records, unsigned rr_cnt, unsigned rr_len)
{
    uint8_t *at = writer_room(&q->out, (size_t)rr_cnt * rr_len);
    if (unlikely(!at))
        return false;
    memcpy(at, records, (size_t)rr_cnt * rr_len);
    q->counts[QUERY_ANSWER] = (uint16_t)(q->counts[QUERY_ANSWER] + rr_cnt);
    if (unlikely(q->name_at != IMAGE_OWNER_AT))
        for (unsigned i = 0; i < rr_cnt; i++)
            be16_put(at + i * rr_len, (uint16_t)(0xc000 | q->name_at));
    return true;
}
