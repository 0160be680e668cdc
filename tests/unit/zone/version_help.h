/* Published zones from short texts, for the tests of what builds, changes and marks versions. */
#pragma once

#include "zone_help.h"

#include "base/mem.h"
#include "zone/version.h"

#define APEX "@ 3600 SOA 1 60\n@ 3600 NS ns.example.net.\n"

static inline struct zone *zone_of(const char *text)
{
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of(text);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}

static inline const struct zone_node *node_of(const struct zone_version *v, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    put_wire(wire, name);
    return zone_version_find(v, wire);
}

/* "2 A MX cut" : children, types, flags. */
static inline const char *describe(const struct zone_version *v, const char *name)
{
    static const char *const flags[] = {"cut", "dname", "cname", "wildcard", "apex", "extra", "sibling"};
    static char text[300];
    const struct zone_node *n = node_of(v, name);
    if (!n)
        return "none";
    int len = snprintf(text, sizeof(text), "%u", n->child_cnt);
    for (unsigned i = 0; i < n->rrset_cnt; i++) {
        char type[RR_TYPE_TEXT_MAX];
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", rr_type_to_text(type, n->rrsets[i].type));
    }
    for (unsigned i = 0; i < 7; i++)
        if (n->flags & 1u << i)
            len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", flags[i]);
    return text;
}

static inline struct changeset *changeset_of(const char *removed, const char *added)
{
    struct changeset *c = mem_zalloc(1, sizeof(*c));
    c->removed = records_of(removed);
    c->added = records_of(added);
    return c;
}

/* Where `name` stands in a list of names; NULL: nowhere. */
static inline const uint8_t *listed(const struct zone_names *names, const uint8_t *name)
{
    for (size_t at = 0; at < names->len; at += name_len(names->bytes + at))
        if (name_equal(names->bytes + at, name))
            return names->bytes + at;
    return NULL;
}

static inline size_t count_names(const struct zone_names *names)
{
    size_t cnt = 0;
    for (size_t at = 0; at < names->len; at += name_len(names->bytes + at))
        cnt++;
    return cnt;
}

/* The names of other zones that `v` points to. */
static inline const struct zone_names *foreign_of(const struct zone_version *v)
{
    static const struct zone_names none;
    return v->foreign ? &v->foreign->names : &none;
}

static inline uint32_t handle_of(const struct zone_node *n)
{
    return (uint32_t)name_hash(zone_node_name(n), &test_key) | 1;
}

/* Gives each fresh pool a handle, the same one each time. */
static inline void give_handles(struct zone_version *v)
{
    for (size_t i = 0; i < v->fresh_pool_cnt; i++) {
        struct zone_node *n = v->fresh_pools[i];
        assert_true((n->flags & NODE_POOL) && !n->pool);
        assert_ptr_equal(zone_version_find(v, zone_node_name(n)), n);
        n->pool = handle_of(n);
    }
    zone_version_forget_pools(v);
}

/* Applies and publishes. */
static inline void change(struct zone *zone, const char *removed, const char *added, const struct zone_marks *marks)
{
    struct changeset *c = changeset_of(removed, added);
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, c, marks), ERR_OK);
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    changeset_free(c);
}
