/* Access lists: who may ask for something, by address and by the key that signed the request; and peers, which are whom
 * we ask ourselves. Entries are read from text as it stands in the configuration:
 *
 *     an entry  ADDRESS[/PREFIX] [key NAME] | key NAME | any | none, then full or live, or neither
 *     a peer    ADDRESS[@PORT] [key NAME], then full or live, or neither
 *
 * Words are parted by blanks. The first entry that fits decides; one with a key fits only what that key has signed, one
 * without fits whether or not something was signed. No list, an empty list, and whatever no entry fits: not allowed.
 *
 * A key's name is bytes here, which whoever knows what such names are makes of text (acl_key_fn) so that equal names
 * have equal bytes. An address that maps an IPv4 one into IPv6 is that one, as base/addr.h has it of clients.
 *
 * Entries and peers are values that own nothing. A list is immutable, made in the control plane and read by any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/prefix.h"

enum { ACL_KEY_MAX = 255 /* bytes of a key's name */ };

/* Which view of a zone is meant (DESIGN "Views"); full when nothing is said. */
enum acl_view { ACL_FULL, ACL_LIVE };

struct acl_entry {
    struct prefix prefix; /* family ADDR_NONE: every address */
    bool is_none;         /* what it fits is not allowed */
    uint8_t view;         /* enum acl_view */
    uint8_t key_len;      /* 0: no key is needed */
    uint8_t key[ACL_KEY_MAX];
};

struct acl_peer {
    struct addr addr; /* with its port */
    uint8_t view;     /* enum acl_view */
    uint8_t key_len;  /* 0: none */
    uint8_t key[ACL_KEY_MAX];
};

/* Makes the bytes of the key's name `text`; *len becomes 1 to ACL_KEY_MAX. An error: it is no such name. */
typedef enum err acl_key_fn(uint8_t key[ACL_KEY_MAX], size_t *len, const char *text);

/* Written only on success. ERR_SYNTAX; ERR_RANGE (a prefix or a port); ERR_INVALID (bits behind the prefix); or what
 * `key_fn` says. What is expected is ACL_ENTRY_EXPECTED and ACL_PEER_EXPECTED. */
enum err acl_entry_from_text(struct acl_entry *entry, const char *text, acl_key_fn *key_fn)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
enum err acl_peer_from_text(struct acl_peer *peer, const char *text, uint16_t port_default, acl_key_fn *key_fn)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
#define ACL_ENTRY_EXPECTED \
    "\"ADDRESS[/PREFIX] [key NAME]\", \"key NAME\", \"any\" or \"none\", with \"full\" or \"live\" behind it or not, " \
    "such as \"192.0.2.0/24 key xfr.example.com\" (no bits set behind the prefix)"
#define ACL_PEER_EXPECTED \
    "\"ADDRESS[@PORT] [key NAME]\" with \"full\" or \"live\" behind it or not, such as \"192.0.2.1@53 key " \
    "xfr.example.com\""

struct acl;
void acl_free(struct acl *acl);
/* Of `cnt` entries in their order, copied. */
struct acl *acl_new(const struct acl_entry *entries, size_t cnt)
    ATTR_FREED_BY(acl_free) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* NULL: of NULL. */
struct acl *acl_dup(const struct acl *acl) ATTR_FREED_BY(acl_free) ATTR_MUST_USE;
size_t acl_cnt(const struct acl *acl) ATTR_NONNULL_ALL ATTR_PURE;

enum { ACL_NO_ENTRY = UINT32_MAX };
struct acl_match {
    bool is_allowed;
    uint8_t view;   /* enum acl_view; of what is allowed */
    uint32_t entry; /* the one that decided, by its place; ACL_NO_ENTRY: none fits */
};

/* Judges a request from `client` (its port is of no account) that was signed by the key of that name, whose signature
 * has been verified; `key_len` 0: by none. `acl` NULL: there is no list. Some ten instructions an entry. */
struct acl_match acl_find(const struct acl *acl, const struct addr *client, const uint8_t *key, size_t key_len)
    ATTR_NONNULL(2);
