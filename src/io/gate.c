#include "io/gate.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* A client that has connections; free when cnt is 0. */
struct client {
    uint8_t bytes[16]; /* its address, of IPv6 the first half */
    uint32_t cnt;
    uint8_t family;
};

struct gate {
    pthread_mutex_t lock;
    struct hash_key key; /* our own, so that nobody can choose addresses that collide */
    size_t max, max_per_client;
    size_t cnt;       /* written under the lock, read anywhere */
    uint32_t *unused; /* stack of max − cnt slots */
    /* Open addressing with linear probing, at most half full: there are no more clients than connections. */
    uint64_t mask;
    struct client table[];
};

struct gate *gate_new(size_t max, size_t max_per_client)
{
    size_t size = 2;
    while (size < 2 * max)
        size *= 2;
    struct gate *gate = mem_zalloc(1, sizeof(*gate) + size * sizeof(gate->table[0]));
    pthread_mutex_init(&gate->lock, NULL);
    hash_key_random(&gate->key);
    gate->max = max;
    gate->max_per_client = max_per_client;
    gate->mask = size - 1;
    gate->unused = mem_zalloc(max, sizeof(*gate->unused));
    for (size_t i = 0; i < max; i++)
        gate->unused[i] = (uint32_t)(max - 1 - i);
    return gate;
}

void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    pthread_mutex_destroy(&gate->lock);
    free(gate->unused);
    free(gate);
}

/* Bytes of an address that tell clients apart. */
static size_t client_len(const struct addr *addr) { return addr->family == ADDR_V4 ? 4 : 8; }

bool gate_same_client(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && !memcmp(a->bytes, b->bytes, client_len(a));
}

static struct client client_of(const struct addr *addr)
{
    struct client c = {.family = addr->family};
    memcpy(c.bytes, addr->bytes, client_len(addr));
    return c;
}

static uint64_t home(const struct gate *gate, const struct client *c)
{
    return hash_step(c->family, c->bytes, sizeof(c->bytes), &gate->key) & gate->mask;
}

/* Where the client stands, or the free place where it would. */
static uint64_t find(const struct gate *gate, const struct client *c)
{
    uint64_t at = home(gate, c);
    while (gate->table[at].cnt > 0 &&
           (gate->table[at].family != c->family || memcmp(gate->table[at].bytes, c->bytes, sizeof(c->bytes)) != 0))
        at = (at + 1) & gate->mask;
    return at;
}

/* Frees a place and moves up those behind it that could not stand nearer to their home because of it. */
static void remove_at(struct gate *gate, uint64_t hole)
{
    for (uint64_t at = (hole + 1) & gate->mask; gate->table[at].cnt > 0; at = (at + 1) & gate->mask) {
        uint64_t wish = home(gate, &gate->table[at]);
        if (((at - wish) & gate->mask) < ((at - hole) & gate->mask))
            continue;
        gate->table[hole] = gate->table[at];
        hole = at;
    }
    gate->table[hole].cnt = 0;
}

enum gate_verdict gate_enter(struct gate *gate, const struct addr *addr, uint32_t *slot)
{
    struct client c = client_of(addr);
    enum gate_verdict verdict = GATE_OPEN;
    pthread_mutex_lock(&gate->lock);
    uint64_t at = find(gate, &c);
    if (gate->table[at].cnt >= gate->max_per_client) {
        verdict = GATE_CLIENT_FULL;
    } else if (gate->cnt == gate->max) {
        verdict = GATE_FULL;
    } else {
        c.cnt = gate->table[at].cnt + 1;
        gate->table[at] = c;
        __atomic_store_n(&gate->cnt, gate->cnt + 1, __ATOMIC_RELAXED);
        *slot = gate->unused[gate->max - gate->cnt];
    }
    pthread_mutex_unlock(&gate->lock);
    return verdict;
}

void gate_leave(struct gate *gate, const struct addr *addr, uint32_t slot)
{
    struct client c = client_of(addr);
    pthread_mutex_lock(&gate->lock);
    uint64_t at = find(gate, &c);
    assert(gate->table[at].cnt > 0 && gate->cnt > 0);
    if (--gate->table[at].cnt == 0)
        remove_at(gate, at);
    gate->unused[gate->max - gate->cnt] = slot;
    __atomic_store_n(&gate->cnt, gate->cnt - 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&gate->lock);
}

size_t gate_cnt(const struct gate *gate) { return __atomic_load_n(&gate->cnt, __ATOMIC_RELAXED); }
bool gate_is_crowded(const struct gate *gate) { return 8 * (gate->max - gate_cnt(gate)) < gate->max; }
