/* Tables of question and answer. Every row is asked in several ways that must make no difference: into another
 * buffer and in place, over UDP and TCP, alone and among others of a batch. Its answer is compared as text
 * (helpers/decode.h) without the "qu" line: that the question comes back byte by byte is checked apart. */
#pragma once

#include "helpers/world.h"

struct row {
    struct ask ask;
    const char *answer;
};

/* Prints the rows that differ; returns how many. */
unsigned table_run(struct world *world, const struct row *rows, size_t cnt);
#define TABLE_RUN(world, rows) table_run(world, rows, sizeof(rows) / sizeof *(rows))
