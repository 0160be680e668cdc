/* What an agent says in its line (HAProxy's agent-check protocol): words between blanks, tabs and commas, in any case
 * and order. Pure. What the words are about keeps its last word: an agent need not say everything each time.
 *
 *   75%                          the share of the member's weight that it wants; 0% as well drains it
 *   ready, drain, maint          how its administrator wants it to be: one of the three
 *   up, down, fail, stopped      whether it works; all but "up" may be followed by "#" and the rest of the line as text
 *   maxconn:30                   of no use to a name server; known, and passed over
 *
 * Any other word is none, and the others in the line count. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/measure.h"

enum { AGENT_LINE_MAX = 1024, AGENT_PERCENT_MAX = 10000 };

struct agent_said {
    bool any;        /* a word that is known */
    bool has_load;   /* a percentage */
    const char *why; /* "down", "fail" or "stopped", as it stands in the line; NULL: it says none of them */
    size_t why_len;
    const char *text; /* behind the "#" */
    size_t text_len;
};

/* Takes the words of a line, without its end, over into agent, drains and load of `measure`. */
void agent_line_read(struct agent_said *said, struct health_measure *measure, const char *line,
                     size_t len) ATTR_NONNULL_ALL;
