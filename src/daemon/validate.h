/* `rondod -t`: everything that a start would read, nothing that it would touch. */
#pragma once

#include <stdbool.h>

/* Configuration and zones, as the configured user where we may become it. Messages to standard
 * error, the result to standard output; returns the exit status: 1 on any error. `verbose`:
 * every pool's bounds, not the worst ones alone. */
int validate_run(const char *conf_path, bool verbose);
