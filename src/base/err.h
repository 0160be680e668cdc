/* The one enumeration of what can go wrong. Functions return it, never mixed with data; what a
 * user got wrong is told through base/diag.h, with file and line, and the code only says that
 * something was. Any thread. */
#pragma once

#define ERR_MAP(X)                                                    \
    X(OK, "no error")                                                 \
    X(SYNTAX, "malformed input")                                      \
    X(RANGE, "value out of range")                                    \
    X(SHORT, "input ends too early, or no room for the output")       \
    X(NOT_FOUND, "no such thing")                                     \
    X(EXISTS, "exists already")                                       \
    X(INVALID, "not valid here")                                      \
    X(LIMIT, "a limit was reached")                                   \
    X(UNSUPPORTED, "not supported")                                   \
    X(DENIED, "not permitted")                                        \
    X(BUSY, "busy")                                                   \
    X(IO, "input or output failed")                                   \
    X(CLOSED, "closed by the other side")                             \
    X(TIMEOUT, "timed out")

enum err {
#define X(name, text) ERR_##name,
    ERR_MAP(X)
#undef X
};

/* The sentence ("malformed input") of `e`; never NULL. */
const char *err_text(enum err e);
