#include "admin/view.h"

const char *const view_load_state_names[VIEW_LOAD_REFUSED + 1] = {[VIEW_LOAD_NONE] = "none",
                                                                  [VIEW_LOAD_DONE] = "done",
                                                                  [VIEW_LOAD_ZONES_FAILED] = "zones failed",
                                                                  [VIEW_LOAD_REFUSED] = "refused"};
