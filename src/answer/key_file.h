/* A key as BIND's tsig-keygen writes it into a file, which holds one and nothing else but comments:
 *
 *     key "NAME" { algorithm hmac-sha256; secret "BASE64"; };
 *
 * Only its grammar is known here: what the parts are worth is for the caller to say. Nothing is copied, so that a
 * secret stays where it was read to. [any thread] */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* A part of the text, without quotes. */
struct key_file_part {
    const char *text;
    size_t len;
};
struct key_file {
    struct key_file_part name, algorithm, secret;
};
/* Does the text mean to be a key rather than base64 text? It begins with the word, and a space or a quote. */
bool key_file_is(const char *text, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* ERR_SYNTAX: it is no such key, or not one alone. */
enum err key_file_read(struct key_file *file, const char *text, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
