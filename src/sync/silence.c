#include "sync/silence.h"

/* Its place, whoever has it. */
static struct silence_server *place_of(struct silence *silence, const struct addr *addr, const struct hash_key *key)
{
    uint64_t hash = hash_step(addr->port, addr->bytes, (unsigned)addr_len(addr), key);
    return &silence->servers[hash % SILENCE_PLACES];
}

static bool is_at(const struct silence_server *server, const struct addr *addr)
{
    return server->cnt && !addr_cmp(&server->addr, addr);
}

bool silence_is_silent(struct silence *silence, const struct addr *addr, const struct hash_key *key)
{
    const struct silence_server *server = place_of(silence, addr, key);
    return is_at(server, addr) && server->cnt >= SILENCE_AFTER;
}

bool silence_may_ask(struct silence *silence, const struct addr *addr, const struct hash_key *key, uint64_t now_ms)
{
    struct silence_server *server = place_of(silence, addr, key);
    if (!silence_is_silent(silence, addr, key))
        return true;
    if (now_ms - server->asked_ms < SILENCE_GAP_MS)
        return false;
    server->asked_ms = now_ms;
    return true;
}

bool silence_unanswered(struct silence *silence, const struct addr *addr, const struct hash_key *key)
{
    struct silence_server *server = place_of(silence, addr, key);
    if (!is_at(server, addr))
        *server = (struct silence_server){.addr = *addr};
    server->cnt += server->cnt < UINT32_MAX;
    return server->cnt == SILENCE_AFTER;
}

void silence_answered(struct silence *silence, const struct addr *addr, const struct hash_key *key)
{
    struct silence_server *server = place_of(silence, addr, key);
    if (is_at(server, addr))
        server->cnt = 0;
}
