/* The slow start of a member that came up: how much of its weight is held back so long after. In steps, for each is a
 * new table. Pure. */
#pragma once

#include <stdint.h>

/* From a twentieth of the weight to the whole. */
enum { POOL_RAMP_STEPS = 20, POOL_RAMP_FIRST_PERCENT = 5 };

/* The part of POOL_PART_ONE that is withheld at `now_ms` by a ramp of `length_ms` that began at `begin_ms`; 0 when it
 * is over. */
uint32_t pool_ramp_withheld(uint64_t begin_ms, uint64_t length_ms, uint64_t now_ms);
/* When the next step begins. */
uint64_t pool_ramp_due_ms(uint64_t begin_ms, uint64_t length_ms, uint64_t now_ms);
