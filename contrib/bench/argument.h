/* Numbers on a command line. */
#pragma once

#include <stdint.h>

/* Ends the program with status 2 and a word on standard error when `text` is no decimal number of that range. */
uint64_t argument_number(const char *text, uint64_t least, uint64_t most);
