#include "sync/outgoing_choose.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "zone/changeset_join.h"
#include "zone/cursor.h"

/* ---- sizes */

size_t outgoing_zone_bytes(const struct zone_version *version)
{
    size_t bytes = 0, rr_cnt = 0;
    unsigned apex_len = version->apex->name_len;
    const struct zone_node *node = NULL; /* whose labels are counted already */
    const struct zone_rrset *rrset;
    struct zone_cursor cursor;
    zone_cursor_init(&cursor, version);
    while (rr_cnt < OUTGOING_SAMPLE_RRS && (rrset = zone_cursor_next(&cursor))) {
        bytes += rrset->image_len + (cursor.node != node ? cursor.node->name_len - apex_len : 0);
        rr_cnt += rrset->rr_cnt;
        node = cursor.node;
    }
    return (size_t)((double)bytes / (double)rr_cnt * (double)version->rr_cnt); /* there is a SOA at least */
}

size_t outgoing_read_bytes(size_t zone_bytes)
{
    size_t most = zone_bytes < SIZE_MAX / OUTGOING_READ_TIMES ? zone_bytes * OUTGOING_READ_TIMES : SIZE_MAX;
    return most > OUTGOING_READ_LEAST ? most : OUTGOING_READ_LEAST;
}

/* ---- the choice */

static size_t bytes_of(const struct history_list *list)
{
    size_t bytes = 0;
    for (size_t i = 0; i < list->cnt; i++)
        bytes += changeset_wire_bytes(list->changes[i]);
    return bytes;
}

/* Makes it one changeset where that is shorter; true then. */
static bool join(struct history_list *list)
{
    struct changeset *joined = changeset_join((const struct changeset *const *)list->changes, list->cnt);
    size_t bytes = changeset_wire_bytes(joined);
    if (bytes >= list->bytes) {
        changeset_free(joined);
        return false;
    }
    history_list_fini(list);
    list->changes = mem_dup(&joined, sizeof joined);
    list->cnt = 1;
    list->bytes = bytes;
    return true;
}

enum outgoing_way outgoing_choose(struct history_list *list, size_t zone_bytes)
{
    assert(list->cnt > 0);
    list->bytes = bytes_of(list);
    bool is_joined = list->cnt > 1 && join(list);
    if (list->bytes >= zone_bytes && list->bytes > OUTGOING_FEW_BYTES) {
        history_list_fini(list);
        return OUTGOING_WHOLE;
    }
    return is_joined ? OUTGOING_JOINED : OUTGOING_STEPS;
}
