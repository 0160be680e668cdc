#include "load_world.h"

#include <math.h>
#include <string.h>

#include "pool_help.h"

static double uniform(struct world *world) { return help_random(&world->random, 1 << 24) / (double)(1 << 24); }

void world_init(struct world *world, enum pool_policy policy, uint64_t seed)
{
    *world = (struct world){
        .policy = policy,
        .server_cnt = 4,
        .nameserver_cnt = 1,
        .demand = 200,
        .ttl_sec = 20,
        .interval_sec = 5,
        .skew = 0.8,
        .random = seed,
    };
    for (unsigned i = 0; i < WORLD_SERVERS; i++)
        world->servers[i] = (struct world_server){
            .capacity = 100, .base_ms = 20, .weight = 1, .reports = HEALTH_LOAD_UTILIZATION};
}

/* ---- servers ---- */

/* A queue with one clerk, of which utilization is a mean over some seconds. */
static void serve(struct world *world, struct world_server *server)
{
    double busy = fmin(server->arrivals / server->capacity, 0.97);
    server->utilization += (busy - server->utilization) / 4;
    server->response_ms = server->base_ms / (1 - server->utilization);
    server->connections = server->arrivals * server->response_ms / 1000 * (0.8 + 0.4 * uniform(world));
}

static void arrive(struct world *world)
{
    for (unsigned i = 0; i < world->server_cnt; i++)
        world->servers[i].arrivals = 0;
    for (unsigned i = 0; i < WORLD_RESOLVERS; i++)
        world->servers[world->resolvers[i].server].arrivals +=
            world->resolvers[i].rate * world->demand * (0.7 + 0.6 * uniform(world));
    for (unsigned i = 0; i < world->server_cnt; i++)
        serve(world, &world->servers[i]);
}

/* ---- nameservers ---- */

static uint32_t load_of(const struct world_server *server)
{
    switch (server->reports) {
    case HEALTH_LOAD_UTILIZATION:
        return (uint32_t)(server->utilization * 65536);
    case HEALTH_LOAD_CONNECTIONS:
        return (uint32_t)(server->connections + 0.5);
    case HEALTH_LOAD_WEIGHT:
    case HEALTH_LOAD_PERCENT:
        return server->wish;
    case HEALTH_LOAD_NONE:
        break;
    }
    return 0;
}

/* As the prober smooths response times. */
static void check(struct world *world, struct world_nameserver *nameserver)
{
    for (unsigned i = 0; i < world->server_cnt; i++) {
        struct health_measure *measure = &nameserver->measures[i];
        const struct world_server *server = &world->servers[i];
        double now_us = server->response_ms * 1000 * (0.8 + 0.4 * uniform(world));
        if (server->is_mute)
            continue;
        double was_us = measure->response_us ? measure->response_us : now_us;
        measure->response_us = (uint32_t)(was_us + (now_us - was_us) / 4);
        measure->response_wall_ms = measure->load_wall_ms = world->now_sec * 1000;
        measure->load_kind = (uint8_t)server->reports;
        measure->load = load_of(server);
    }
}

static void make_table(struct world *world, struct world_nameserver *nameserver)
{
    struct pool_settings settings = help_settings(world->policy, 1);
    settings.ttl_sec = world->ttl_sec;
    pool_table_free(nameserver->table);
    nameserver->table = help_compile(&settings, nameserver->members, world->server_cnt);
    nameserver->made_cnt++;
}

static double share_of(const struct world_nameserver *nameserver, unsigned server)
{
    return pool_table_share(nameserver->table, &nameserver->members[server].address);
}

static void note_steepest(struct world *world, const struct world_nameserver *nameserver, const double *was)
{
    for (unsigned i = 0; i < world->server_cnt; i++) {
        double ratio = share_of(nameserver, i) / was[i];
        world->steepest = fmax(world->steepest, fmax(ratio, 1 / ratio));
    }
}

/* What must not be done. */
static bool chase(struct pool_load_member *members, unsigned cnt)
{
    double greatest = 0;
    for (unsigned i = 0; i < cnt; i++)
        greatest = fmax(greatest, 1.0 / (members[i].report.value + 1));
    for (unsigned i = 0; i < cnt; i++) {
        double part = 1.0 / (members[i].report.value + 1) / greatest;
        members[i].load.withheld = (uint32_t)((1 - part) * (POOL_PART_ONE - 1));
    }
    return true;
}

static void step(struct world *world, struct world_nameserver *nameserver)
{
    struct pool_load_member members[WORLD_SERVERS];
    double was[WORLD_SERVERS];
    for (unsigned i = 0; i < world->server_cnt; i++) {
        was[i] = share_of(nameserver, i);
        members[i] = (struct pool_load_member){
            .load = nameserver->loads[i],
            .report = pool_load_read(world->policy, &nameserver->measures[i], world->now_sec * 1000,
                                     world->interval_sec * 3300),
            .weight = world->servers[i].weight,
            .used = true,
        };
    }
    bool is_changed = world->chases ? chase(members, world->server_cnt) : pool_load_step(members, world->server_cnt);
    for (unsigned i = 0; i < world->server_cnt; i++) {
        nameserver->loads[i] = members[i].load;
        nameserver->members[i].withheld = members[i].load.withheld;
    }
    if (!is_changed)
        return;
    make_table(world, nameserver);
    note_steepest(world, nameserver, was);
}

/* ---- resolvers ---- */

static void ask(struct world *world, struct world_resolver *resolver)
{
    struct world_nameserver *nameserver = &world->nameservers[help_random(&world->random, world->nameserver_cnt)];
    uint32_t *position = &nameserver->positions[help_random(&world->random, WORLD_WORKERS)];
    struct random_state rng = {{1, 2}};
    struct addr client = help_address(ADDR_V4, 0);
    unsigned cnt;
    const uint8_t *rr = pool_table_pick(nameserver->table, position, &rng, &client, &cnt);
    resolver->server = help_member(nameserver->table, rr);
    resolver->until_sec = world->now_sec + world->ttl_sec;
}

/* ---- time ---- */

static void note_ttl(struct world *world)
{
    unsigned at = world->ttl_cnt++;
    world->apart[at] = 1;
    for (unsigned i = 0; i < world->server_cnt; i++) {
        double least = 1, most = 0, sum = 0;
        for (unsigned n = 0; n < world->nameserver_cnt; n++) {
            double share = share_of(&world->nameservers[n], i);
            least = fmin(least, share);
            most = fmax(most, share);
            sum += share;
        }
        world->share[at][i] = sum / world->nameserver_cnt;
        world->apart[at] = fmax(world->apart[at], most / least);
    }
}

static void note_utilization(struct world *world)
{
    unsigned at = (unsigned)(world->now_sec / world->ttl_sec);
    for (unsigned i = 0; i < world->server_cnt; i++)
        world->utilization[at][i] += world->servers[i].utilization / world->ttl_sec;
}

static void second(struct world *world)
{
    for (unsigned i = 0; i < WORLD_RESOLVERS; i++)
        if (world->resolvers[i].until_sec <= world->now_sec)
            ask(world, &world->resolvers[i]);
    arrive(world);
    note_utilization(world);
    for (unsigned n = 0; n < world->nameserver_cnt; n++) {
        struct world_nameserver *nameserver = &world->nameservers[n];
        if ((world->now_sec + n) % world->interval_sec == 0)
            check(world, nameserver);
        if (world->now_sec % world->ttl_sec == nameserver->phase_sec)
            step(world, nameserver);
    }
    world->now_sec++;
    if (world->now_sec % world->ttl_sec == 0)
        note_ttl(world);
}

void world_run(struct world *world, unsigned ttls)
{
    for (uint64_t end = world->now_sec + (uint64_t)ttls * world->ttl_sec; world->now_sec < end;)
        second(world);
}

void world_start(struct world *world)
{
    double sum = 0;
    for (unsigned i = 0; i < WORLD_RESOLVERS; i++)
        sum += world->resolvers[i].rate = pow(i + 1, -world->skew);
    for (unsigned i = 0; i < WORLD_RESOLVERS; i++) {
        world->resolvers[i].rate /= sum;
        world->resolvers[i].until_sec = help_random(&world->random, world->ttl_sec);
        world->resolvers[i].server = help_random(&world->random, world->server_cnt);
    }
    for (unsigned n = 0; n < world->nameserver_cnt; n++) {
        struct world_nameserver *nameserver = &world->nameservers[n];
        help_members(nameserver->members, ADDR_V4, world->server_cnt);
        for (unsigned i = 0; i < world->server_cnt; i++)
            nameserver->members[i].weight = world->servers[i].weight;
        nameserver->phase_sec = help_random(&world->random, world->ttl_sec);
        make_table(world, nameserver);
    }
}

void world_fini(struct world *world)
{
    for (unsigned n = 0; n < world->nameserver_cnt; n++)
        pool_table_free(world->nameservers[n].table);
}

/* ---- what came of it ---- */

static struct world_band band(const double (*rows)[WORLD_SERVERS], unsigned cnt, unsigned server, unsigned ttls)
{
    struct world_band band = {0};
    for (unsigned i = cnt - ttls; i < cnt; i++)
        band.mean += rows[i][server] / ttls;
    for (unsigned i = cnt - ttls; i < cnt; i++) {
        double off = rows[i][server] / band.mean - 1;
        band.deviation += off * off / ttls;
        band.widest = fmax(band.widest, fabs(off));
    }
    band.deviation = sqrt(band.deviation);
    return band;
}

struct world_band world_share(const struct world *world, unsigned server, unsigned ttls)
{
    return band(world->share, world->ttl_cnt, server, ttls);
}

struct world_band world_utilization(const struct world *world, unsigned server, unsigned ttls)
{
    return band(world->utilization, world->ttl_cnt, server, ttls);
}

unsigned world_settled(const struct world *world, unsigned since, unsigned ttls, double part)
{
    unsigned settled = since;
    for (unsigned i = 0; i < world->server_cnt; i++) {
        double mean = world_share(world, i, ttls).mean;
        for (unsigned t = since; t < world->ttl_cnt; t++)
            if (fabs(world->share[t][i] / mean - 1) > part && t + 1 > settled)
                settled = t + 1;
    }
    return settled;
}
