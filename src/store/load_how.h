/* How a zone's text is taken that has changed though its serial has not risen, or that lacks updates which the journal
 * has. */
#pragma once

enum store_load_how {
    STORE_LOAD_CAREFULLY, /* it is refused */
    STORE_LOAD_FORCE,     /* it is what the zone is from now on */
    STORE_LOAD_MERGE,     /* what changed in it changes in the zone; what contradicts the updates is warned of */
};
