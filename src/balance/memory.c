#include "balance/memory.h"

#include "balance/private.h"

void balance_remember(struct balance *balance, const struct health_memory *memories, size_t cnt)
{
    if (balance->probe)
        probe_remember(balance->probe, memories, cnt);
}

void balance_forget(struct balance *balance)
{
    if (balance->probe)
        probe_forget(balance->probe);
}

bool balance_recall(const struct balance *balance, uint32_t target, struct health_memory *memory)
{
    const struct balance_target *of = balance->probe ? checks_find_target(balance, target) : NULL;
    if (!of || !probe_recall(balance->probe, target, memory))
        return false;
    if (of->verdict == HEALTH_UNKNOWN)
        return false;
    if (of->verdict != memory->verdict)
        memory->contrary_cnt = 0;
    memory->verdict = of->verdict;
    memory->unsettled = of->unsettled;
    return true;
}

uint32_t balance_target_end(const struct balance *balance)
{
    return balance->probe ? probe_target_end(balance->probe) : 0;
}

void balance_on_verdict(struct balance *balance, void (*fn)(void *arg, uint32_t target), void *arg)
{
    balance->on_verdict = fn;
    balance->on_verdict_arg = arg;
}
