/* What comes from other servers before a transfer, and the texts of access lists. The first byte of an input says what
 * the rest is: a NOTIFY, an answer to one, to a question for a SOA (with a key or without), an entry of a list, or a
 * peer. What is accepted must hold together; inputs are of exactly their size, so an over-read is seen. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/acl.h"
#include "base/mem.h"
#include "sync/notify_msg.h"
#include "sync/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { NOW = 1700000000, KINDS = 6 };

static const uint8_t apex[] = "\7example\3com";
static struct tsig_key key;

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

static void read_notify(const uint8_t *msg, size_t len)
{
    struct notify_msg_request request;
    uint8_t out[NOTIFY_MSG_MAX];
    enum err e = notify_msg_read(&request, msg, len);
    if (len < MSG_HEADER_LEN)
        require(e == ERR_INVALID);
    if (e == ERR_INVALID)
        return;
    require(e || (name_check(request.zone, sizeof request.zone) && request.question_len <= len - MSG_HEADER_LEN));
    require(e || !request.edns.tsig_at || request.edns.tsig_at < len);
    /* Whatever it was, an answer can be made, and answers it. */
    struct notify_msg_ask ask = {.kind = NOTIFY_MSG_NOTIFY, .id = msg_id(msg), .apex = request.zone};
    struct notify_msg_answer answer;
    size_t out_len = notify_msg_reply(out, msg, e ? NULL : &request, RCODE_FORMERR, 1232, NULL, NOW);
    require(out_len <= NOTIFY_MSG_MAX - NOTIFY_MSG_TSIG_MAX);
    require(!notify_msg_read_answer(&answer, &ask, out, out_len, NOW) && answer.rcode == RCODE_FORMERR);
}

static void read_answer(const uint8_t *msg, size_t len, enum notify_msg_kind kind, bool is_signed)
{
    struct notify_msg_ask ask = {.kind = kind, .apex = apex, .key = is_signed ? &key : NULL};
    struct notify_msg_answer answer = {.rcode = 99};
    uint8_t out[NOTIFY_MSG_MAX];
    ask.id = len < 2 ? 0 : msg_id(msg);
    require(notify_msg_write(out, &ask, NOW) <= NOTIFY_MSG_MAX);
    enum err e = notify_msg_read_answer(&answer, &ask, msg, len, NOW);
    require(!e || answer.rcode == 99);
    require(e || !is_signed); /* nobody knows the MAC of our question */
    require(e || answer.rcode == RCODE_NOERROR || !answer.has_soa);
}

static void read_entry(const char *text)
{
    struct acl_entry entry;
    struct addr client = {.family = ADDR_V4};
    if (acl_entry_from_text(&entry, text, sync_key_from_text))
        return;
    client.family = entry.prefix.family ? entry.prefix.family : ADDR_V6;
    memcpy(client.bytes, entry.prefix.bytes, sizeof client.bytes);
    struct acl *acl = acl_new(&entry, 1);
    struct acl_match match = acl_find(acl, &client, entry.key, entry.key_len);
    require(match.entry == 0 && match.is_allowed == !entry.is_none && match.view == entry.view);
    require(!entry.key_len || acl_find(acl, &client, NULL, 0).entry == ACL_NO_ENTRY);
    acl_free(acl);
}

static void read_peer(const char *text)
{
    struct acl_peer peer;
    if (acl_peer_from_text(&peer, text, 53, sync_key_from_text))
        return;
    require(peer.addr.port && peer.addr.family);
    require(!peer.key_len || name_check(peer.key, peer.key_len) == peer.key_len);
}

static void read_text(const uint8_t *data, size_t len, void (*read)(const char *text))
{
    char *text = mem_strndup((const char *)data, len);
    read(text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t name[] = "\3xfr";
    if (!len)
        return 0;
    if (!key.name[0])
        tsig_key_init(&key, name, TSIG_HMAC_SHA256, name, sizeof name);
    switch (data[0] % KINDS) {
    case 0:
        read_notify(data + 1, len - 1);
        break;
    case 1:
        read_answer(data + 1, len - 1, NOTIFY_MSG_NOTIFY, false);
        break;
    case 2:
        read_answer(data + 1, len - 1, NOTIFY_MSG_SOA, false);
        break;
    case 3:
        read_answer(data + 1, len - 1, NOTIFY_MSG_SOA, true);
        break;
    case 4:
        read_text(data + 1, len - 1, read_entry);
        break;
    default:
        read_text(data + 1, len - 1, read_peer);
        break;
    }
    return 0;
}
