#include "answer/counters.h"

const char *const answer_counter_names[ANSWER_COUNTER_CNT] = {
#define X(name, help) #name,
    ANSWER_COUNTERS(X)
#undef X
};

const char *const answer_counter_help[ANSWER_COUNTER_CNT] = {
#define X(name, help) help,
    ANSWER_COUNTERS(X)
#undef X
};

void answer_counters_add(struct answer_counters *to, const struct answer_counters *from)
{
#define X(name, help) to->name += __atomic_load_n(&from->name, __ATOMIC_RELAXED);
    ANSWER_COUNTERS(X)
#undef X
}
