#include "base/hash.h"

#include "base/random.h"

void hash_key_random(struct hash_key *key)
{
    random_bytes(key->k, sizeof key->k);
}
