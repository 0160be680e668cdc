#include "base/acl.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A stand-in for names: letters, digits and dots, in lower case. */
static enum err key_from_text(uint8_t key[ACL_KEY_MAX], size_t *len, const char *text)
{
    *len = strlen(text);
    for (size_t i = 0; i < *len && i < ACL_KEY_MAX; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '.')
            return ERR_SYNTAX;
        key[i] = (uint8_t)tolower((unsigned char)text[i]);
    }
    return ERR_OK;
}

/* An entry written out again: "192.0.2.0/24 key xfr. live". */
static const char *entry_text(const struct acl_entry *entry)
{
    static char out[PREFIX_TEXT_MAX + ACL_KEY_MAX + 20];
    char prefix[PREFIX_TEXT_MAX] = "*";
    if (entry->prefix.family)
        prefix_to_text(prefix, &entry->prefix);
    snprintf(out, sizeof out, "%s%s%s%.*s%s", entry->is_none ? "not " : "", prefix, entry->key_len ? " key " : "",
             (int)entry->key_len, (const char *)entry->key, entry->view == ACL_LIVE ? " live" : "");
    return out;
}

static void test_entries_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read;
    } rows[] = {
        {"192.0.2.54", "192.0.2.54/32"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"2001:db8::/32 key Xfr.", "2001:db8::/32 key xfr."},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"192.0.2.54 live", "192.0.2.54/32 live"},
        {"192.0.2.54 full", "192.0.2.54/32"},
        {"\t192.0.2.54   key\tx  live ", "192.0.2.54/32 key x live"},
        {"key x", "* key x"},
        {"key x live", "* key x live"},
        {"key live", "* key live"},
        {"key key", "* key key"},
        {"any", "*"},
        {"any live", "* live"},
        {"none", "not *"},
        {"none full", "not *"},
        {"::ffff:192.0.2.1", "192.0.2.1/32"},
        {"::ffff:192.0.2.0/120 key x", "192.0.2.0/24 key x"},
        {"::/0", "::/0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct acl_entry entry;
        if (acl_entry_from_text(&entry, rows[i].text, key_from_text))
            fail_msg("\"%s\" was refused", rows[i].text);
        assert_string_equal(entry_text(&entry), rows[i].read);
    }
}

static void test_other_entries_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"", ERR_SYNTAX},
        {"  ", ERR_SYNTAX},
        {"ns1.example", ERR_SYNTAX},
        {"192.0.2.54@53", ERR_SYNTAX},
        {"192.0.2.54/33", ERR_RANGE},
        {"192.0.2.54/24", ERR_INVALID},
        {"192.0.2.54 key", ERR_SYNTAX},
        {"192.0.2.54 key x y", ERR_SYNTAX},
        {"192.0.2.54 key x live live", ERR_SYNTAX},
        {"192.0.2.54 live key x", ERR_SYNTAX},
        {"192.0.2.54 Live", ERR_SYNTAX},
        {"192.0.2.54 x", ERR_SYNTAX},
        {"192.0.2.54 key x/y", ERR_SYNTAX},
        {"key", ERR_SYNTAX},
        {"key x 192.0.2.54", ERR_SYNTAX},
        {"any key x", ERR_SYNTAX},
        {"none key x", ERR_SYNTAX},
        {"any none", ERR_SYNTAX},
        {"Any", ERR_SYNTAX},
        {"live", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct acl_entry entry, before;
        memset(&entry, 7, sizeof entry);
        before = entry;
        enum err e = acl_entry_from_text(&entry, rows[i].text, key_from_text);
        if (e != rows[i].err)
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
        assert_memory_equal(&entry, &before, sizeof entry);
    }
}

/* A key of 255 bytes is the longest; a word that no buffer takes is an error, not cut. */
static void test_lengths(void **state)
{
    (void)state;
    char text[5000];
    struct acl_entry entry;
    for (size_t len = 250; len < 4000; len += len < 260 ? 1 : 300) {
        memcpy(text, "key ", 4);
        memset(text + 4, 'a', len);
        text[4 + len] = '\0';
        enum err e = acl_entry_from_text(&entry, text, key_from_text);
        assert_int_equal(e, len <= ACL_KEY_MAX ? ERR_OK : len < 1010 ? ERR_RANGE : ERR_SYNTAX);
        memcpy(text, "any ", 4);
        assert_int_equal(acl_entry_from_text(&entry, text, key_from_text), ERR_SYNTAX);
    }
}

static void test_peers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *addr, *key;
        enum acl_view view;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1@53", "", ACL_FULL},
        {"192.0.2.1@5300 key X live", "192.0.2.1@5300", "x", ACL_LIVE},
        {"2001:db8::1@53 live", "2001:db8::1@53", "", ACL_LIVE},
        {"2001:db8::1 key a.b full", "2001:db8::1@53", "a.b", ACL_FULL},
        {"::ffff:192.0.2.1@5", "192.0.2.1@5", "", ACL_FULL},
    };
    static const char *const refused[] = {"", "any", "none", "key x", "192.0.2.0/24", "192.0.2.1@0", "192.0.2.1@65536",
                                          "192.0.2.1 key", "192.0.2.1 key x y", "192.0.2.1 both", "ns1.example"};
    struct acl_peer peer;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char addr[ADDR_TEXT_MAX];
        assert_int_equal(acl_peer_from_text(&peer, rows[i].text, 53, key_from_text), ERR_OK);
        assert_string_equal(addr_port_to_text(addr, &peer.addr), rows[i].addr);
        assert_int_equal(peer.view, rows[i].view);
        assert_int_equal(peer.key_len, strlen(rows[i].key));
        assert_memory_equal(peer.key, rows[i].key, peer.key_len);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_not_equal(acl_peer_from_text(&peer, refused[i], 53, key_from_text), ERR_OK);
}

static struct acl *list_of(const char *const *texts, size_t cnt)
{
    struct acl_entry entries[16];
    for (size_t i = 0; i < cnt; i++)
        assert_int_equal(acl_entry_from_text(&entries[i], texts[i], key_from_text), ERR_OK);
    struct acl *acl = acl_new(entries, cnt);
    assert_int_equal(acl_cnt(acl), cnt);
    return acl;
}

static struct acl_match find(const struct acl *acl, const char *client, const char *key)
{
    struct addr addr;
    assert_int_equal(addr_port_from_text(&addr, client, 4711), ERR_OK);
    return acl_find(acl, &addr, key ? (const uint8_t *)key : NULL, key ? strlen(key) : 0);
}

static void test_the_first_that_fits_decides(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "192.0.2.1", "192.0.2.0/28 key x live", "10.0.0.0/9", "198.51.100.0/24",
        "key y",     "2001:db8::/33 live",      "0.0.0.0/0 key z",
    };
    static const struct {
        const char *client, *key;
        uint32_t entry; /* ACL_NO_ENTRY: none */
        enum acl_view view;
    } rows[] = {
        {"192.0.2.1", NULL, 0, ACL_FULL},
        {"192.0.2.1", "x", 0, ACL_FULL},
        {"192.0.2.2", "x", 1, ACL_LIVE},
        {"192.0.2.2", "xx", ACL_NO_ENTRY, ACL_FULL},
        {"192.0.2.2", NULL, ACL_NO_ENTRY, ACL_FULL},
        {"192.0.2.16", "x", ACL_NO_ENTRY, ACL_FULL},
        {"10.127.255.255", NULL, 2, ACL_FULL},
        {"10.128.0.0", NULL, ACL_NO_ENTRY, ACL_FULL},
        {"2001:db8:7fff::", NULL, 5, ACL_LIVE},
        {"2001:db8:7fff::", "y", 4, ACL_FULL},
        {"2001:db8:8000::", NULL, ACL_NO_ENTRY, ACL_FULL},
        {"203.0.113.9", "y", 4, ACL_FULL},
        {"203.0.113.9", "z", 6, ACL_FULL},
        {"::", "z", ACL_NO_ENTRY, ACL_FULL},
        {"c000:201::", NULL, ACL_NO_ENTRY, ACL_FULL}, /* the bytes of 192.0.2.1 */
    };
    struct acl *acl = list_of(texts, sizeof texts / sizeof *texts);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct acl_match match = find(acl, rows[i].client, rows[i].key);
        assert_int_equal(match.entry, rows[i].entry);
        assert_int_equal(match.is_allowed, rows[i].entry != ACL_NO_ENTRY);
        assert_int_equal(match.view, rows[i].view);
    }
    acl_free(acl);
}

static void test_none_ends_the_list(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "none", "any"};
    struct acl *acl = list_of(texts, 3);
    assert_true(find(acl, "192.0.2.1", NULL).is_allowed);
    struct acl_match match = find(acl, "192.0.2.2", "x");
    assert_false(match.is_allowed);
    assert_int_equal(match.entry, 1);
    acl_free(acl);
}

static void test_no_list_allows_nobody(void **state)
{
    (void)state;
    struct acl *empty = acl_new(NULL, 0);
    assert_false(find(NULL, "192.0.2.1", "x").is_allowed);
    assert_false(find(empty, "192.0.2.1", "x").is_allowed);
    assert_int_equal(find(empty, "::1", NULL).entry, ACL_NO_ENTRY);
    acl_free(empty);
    acl_free(NULL);
}

/* Every prefix length, against the slow and sure way. */
static void test_all_prefixes(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned i = 0; i < 4000; i++) {
        bool v6 = i % 2;
        struct acl_entry entry = {.prefix = {.family = v6 ? ADDR_V6 : ADDR_V4}};
        struct addr client = {.family = entry.prefix.family};
        entry.prefix.len = (uint8_t)(i / 2 % (v6 ? 129 : 33));
        for (unsigned b = 0; b < addr_len(&client) * 8; b++) {
            seed = seed * 1103515245 + 12345;
            uint8_t bit = (uint8_t)(seed >> 20 & 0x80 >> b % 8);
            if (b < entry.prefix.len)
                entry.prefix.bytes[b / 8] |= bit;
            client.bytes[b / 8] |= bit;
        }
        unsigned flipped = (seed >> 8) % (addr_len(&client) * 8);
        if (i % 3)
            client.bytes[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
        struct acl *acl = acl_new(&entry, 1);
        struct prefix host = {.family = client.family, .len = (uint8_t)(addr_len(&client) * 8)};
        memcpy(host.bytes, client.bytes, sizeof host.bytes);
        assert_int_equal(acl_find(acl, &client, NULL, 0).is_allowed, prefix_holds(&entry.prefix, &host));
        acl_free(acl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_read),
        cmocka_unit_test(test_other_entries_are_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_the_first_that_fits_decides),
        cmocka_unit_test(test_none_ends_the_list),
        cmocka_unit_test(test_no_list_allows_nobody),
        cmocka_unit_test(test_all_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
