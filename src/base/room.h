/* How much more memory the process may take. For work whose size somebody else chooses (a zone file), so that it is
 * refused while there is memory to say so: an allocation that fails ends the process (base/mem.h). Any thread. */
#pragma once

#include <stdint.h>

/* Bytes, the least of what the system has available, what the control groups (cgroup v2) above us leave and what the
 * limit of address space does; UINT64_MAX when none of them can be told. A snapshot: others take memory too. Reads some
 * files of /proc and /sys, which takes tens of microseconds. */
uint64_t room_bytes(void);
