/* What a durable change costs at least: commits of one value of BYTES (default 300) to a new LMDB in DIR (default .),
 * one after the other, for SECONDS (default 3). Prints how many a second.
 *
 *     commit-bench [DIR [SECONDS [BYTES]]]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/clock.h"
#include "base/mem.h"

enum { MAP_BYTES = 1 << 30 };

static void check(int error)
{
    if (!error)
        return;
    fprintf(stderr, "commit-bench: %s\n", mdb_strerror(error));
    exit(1);
}

static void commit(MDB_env *env, uint64_t number, const MDB_val *value)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    uint8_t key_bytes[8];
    MDB_val key = {sizeof key_bytes, key_bytes}, data = *value;
    for (unsigned i = 0; i < sizeof key_bytes; i++)
        key_bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    check(mdb_txn_begin(env, NULL, 0, &txn));
    check(mdb_dbi_open(txn, NULL, 0, &dbi));
    check(mdb_put(txn, dbi, &key, &data, 0));
    check(mdb_txn_commit(txn));
}

int main(int argc, char **argv)
{
    char *path = mem_printf("%s/commit-bench.%ld", argc > 1 ? argv[1] : ".", (long)getpid());
    uint64_t most_us = (argc > 2 ? strtoull(argv[2], NULL, 10) : 3) * 1000000, number = 0;
    size_t bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 300;
    MDB_env *env;
    MDB_val value = {bytes, mem_zalloc(bytes, 1)};
    check(mdb_env_create(&env));
    check(mdb_env_set_mapsize(env, MAP_BYTES));
    check(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600));
    unlink(path); /* it goes with us */
    uint64_t began_us = clock_mono_us();
    while (clock_mono_us() - began_us < most_us)
        commit(env, number++, &value);
    printf("%.0f\n", (double)number * 1e6 / (double)(clock_mono_us() - began_us));
    mdb_env_close(env);
    free(value.mv_data);
    free(path);
    return 0;
}
