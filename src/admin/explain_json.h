/* What explains an answer, as JSON: the reply that a client would get, and what a pool does for it. Any thread. */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "admin/view_pools.h"
#include "answer/trace.h"
#include "base/attr.h"
#include "pool/explain.h"
#include "store/store.h"

/* What the JSON of a pool needs besides. All borrowed. */
struct explain_names {
    const struct view_pools *view;  /* what checks said of the members */
    const char *const *member_site; /* by index; NULL: none */
    const char *site;               /* the client's; NULL: none */
    bool is_now; /* what is, not what would be */
};

/* `store` says why a zone has no version. [control] */
json_t *explain_names_json(const struct trace *trace, const struct store *store) ATTR_MUST_USE ATTR_NONNULL(1);
json_t *explain_reply_json(const struct trace *trace) ATTR_MUST_USE ATTR_NONNULL_ALL;
json_t *explain_pool_json(const struct pool_source *source, const struct pool_explained *explained,
                          const struct explain_names *names) ATTR_MUST_USE ATTR_NONNULL_ALL;
