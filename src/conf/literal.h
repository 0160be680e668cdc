/* Single values in the expanded text, written so that libconfig 1.5 reads what was meant. Private to conf; one thread
 * at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "conf/source.h"

/* One character of a string, in a form that libconfig reads as that character; "@" never stands there as it is, so that
 * libconfig can't meet an @include, whatever conf/scan.c got wrong. */
void conf_literal_put_char(struct conf_source *source, unsigned char c) ATTR_NONNULL_ALL;
void conf_literal_put_quoted(struct conf_source *source, const char *text, size_t len) ATTR_NONNULL_ALL;
/* An integer, decimal or hexadecimal, with the suffix that makes libconfig read 64 bits, or a number with a point or
 * exponent; what is larger than libconfig can hold becomes a string behind CONF_MARK_INTEGER. False, and nothing
 * written: `word` is no number. */
bool conf_literal_put_number(struct conf_source *source, const char *word, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Of a character for which isxdigit is true. */
unsigned conf_literal_hex_digit(char c);
