/* A reader of answers that shares no code with what writes them: strict where the writer could be wrong (every
 * pointer backwards and into the message, every count true, nothing left over), and a text form to compare with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DECODE_TEXT_MAX = 1 << 20 };

/* NULL when `message` is a well-formed answer, else what is wrong with it. Its text goes to `text` (may be NULL)
 * line by line, in lower case but for names:
 *
 *     noerror aa rd
 *     qu www.example. 1 1            owner, type, class
 *     an www.example. 60 1 192.0.2.1 owner, TTL, type, rdata: addresses, names, numbers by type, else hexadecimal
 *     ns …
 *     ar …
 *     tsig key. hmac-sha256. 0 mac 32 other 0
 *     opt 1232 do */
const char *decode_answer(char *text, size_t cap, const uint8_t *message, size_t len);
