/* Answers of names that are pools: which addresses, or that there are none. [worker] */
#pragma once

#include "answer/query.h"

/* What resolve does with a name's addresses. */
enum balanced {
    BALANCED_DONE,    /* they are in the answer, or did not fit */
    BALANCED_WHOLE,   /* there is no table: the rrset is answered as it stands */
    BALANCED_NODATA,  /* none: a negative answer whose SOA has at most *negative_ttl_sec */
    BALANCED_FAIL,    /* none: SERVFAIL */
};

/* The addresses of the current name, whose node has the handle `pool`; `type` is A or AAAA. */
enum balanced balanced_put(struct query *query, uint32_t pool, uint16_t type, uint32_t *negative_ttl_sec)
    ATTR_NONNULL_ALL;
