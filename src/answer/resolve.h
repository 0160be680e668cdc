/* From a looked-up name to an answer: RFC 1034 4.3.2, steps 3 and 4, link by link. [worker] */
#pragma once

#include "answer/query.h"

/* query->version is set, lookup_start was called and its walks are done. */
void resolve_query(struct query *query) ATTR_NONNULL_ALL;
