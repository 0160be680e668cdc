/* `rondod -t`: everything that a start would read, nothing that it would touch. */
#pragma once

/* Configuration and zones, as the configured user where we may become it. Messages to standard error, the result to standard output; returns
 * the exit status: 1 on any error. */
int validate_run(const char *conf_path);
