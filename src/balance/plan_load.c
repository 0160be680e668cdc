/* Can a policy by load go by what these probes report? */
#include <stddef.h>

#include "balance/plan.h"
#include "pool/load.h"

static bool suits(enum pool_policy policy, const struct probe_options *row)
{
    bool counts = row->load == PROBE_LOAD_BODY || (row->load == PROBE_LOAD_ORCA && row->load_metric);
    switch (policy) {
    case POOL_LEAST_CONNECTIONS:
        return counts;
    case POOL_LEAST_LOAD:
        return probe_reports_load(row);
    default:
        return true;
    }
}

static const char *const needs[POOL_POLICY_CNT] = {
    [POOL_FASTEST] = "\"fastest\" goes by response times: it needs a probe, of any type",
    [POOL_LEAST_CONNECTIONS] = "\"least_connections\" needs a probe that reports them: of type \"http\", with load = "
                               "\"body\" and a load_pattern, or load = \"orca\" and a load_metric",
    [POOL_LEAST_LOAD] = "\"least_load\" needs a probe that reports load: of type \"agent\", or \"http\" with a load",
};

const char *plan_load_problem(enum pool_policy policy, const struct plan_probes *probes)
{
    if (!pool_policy_has_load(policy))
        return NULL;
    for (size_t i = 0; i < probes->cnt; i++)
        if (suits(policy, probes->rows[i]) || probes->rows[i]->where.is_broken)
            return NULL;
    return needs[policy];
}
