/* Checks that were asked for, as people read them. One thread. */
#pragma once

#include <jansson.h>

void show_check(const json_t *data);
