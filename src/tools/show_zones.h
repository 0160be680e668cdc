/* Zones as people read them: a line each, or one with all that is known of it. One thread. */
#pragma once

#include <jansson.h>

void show_zones(const json_t *data);
/* The only one in the answer. */
void show_zone(const json_t *data);
