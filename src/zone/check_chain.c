#include "zone/check_chain.h"

#include <string.h>

#include "dns/name.h"
#include "zone/signed.h"
#include "zone/version.h"

struct walk {
    const struct zone_version *version;
    const struct zone_node *first, *last; /* looked at so far */
    uint8_t next[NAME_MAX_LEN];           /* what stands next, as the last one says */
    size_t break_cnt;
    /* of the first break */
    const struct zone_node *from, *to;
    uint8_t wanted[NAME_MAX_LEN];
};

static void look_at(struct walk *w, const struct zone_node *node)
{
    if (!w->last || name_equal(w->next, zone_node_name(node)))
        return;
    if (!w->break_cnt++) {
        w->from = w->last;
        w->to = node;
        memcpy(w->wanted, w->next, sizeof(w->wanted));
    }
}

static void step(void *arg, const struct zone_node *node)
{
    struct walk *w = arg;
    look_at(w, node);
    if (!zone_signed_next(w->next, w->version, node))
        w->next[0] = 0; /* malformed: the root is the next name of nobody */
    w->last = node;
    if (!w->first)
        w->first = node;
}

void zone_check_chain(const struct zone_version *version, struct diag *diag)
{
    const struct zone_order *order = version->nsec ? version->nsec : version->nsec3;
    struct walk w = {.version = version};
    char zone[NAME_TEXT_MAX], from[NAME_TEXT_MAX], wanted[NAME_TEXT_MAX], to[NAME_TEXT_MAX];
    const char *type = version->nsec ? "NSEC" : "NSEC3";
    if (!order)
        return;
    zone_order_each(order, step, &w);
    look_at(&w, w.first);
    if (w.break_cnt)
        diag_warning(diag, NULL, 0,
                     "zone \"%s\": the %s chain is broken in %zu place%s: the one at \"%s\" names \"%s\" as the next, "
                     "but the next one is at \"%s\"", name_to_text_bare(zone, version->zone->name), type, w.break_cnt,
                     w.break_cnt == 1 ? "" : "s, first", name_to_text(from, zone_node_name(w.from)),
                     name_to_text(wanted, w.wanted), name_to_text(to, zone_node_name(w.to)));
}
