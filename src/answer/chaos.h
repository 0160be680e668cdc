/* Questions of class CH about the server itself: version.bind, version.server, hostname.bind, id.server (RFC 4892 and
 * what BIND made of it). [worker] */
#pragma once

#include <stdbool.h>

#include "answer/query.h"

/* Answers the question, TXT or ANY, if it is one of these and the configuration has a text for it: one record of TTL 0,
 * AA. False: neither, nothing is changed. */
bool chaos_answer(struct query *query) ATTR_NONNULL_ALL ATTR_MUST_USE;
