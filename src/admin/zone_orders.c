/* Commands on one zone that are answered with what was begun, or when it is done: refresh, retransfer, notify, dump,
 * sync, freeze. */
#include <stdlib.h>

#include "admin/internal.h"
#include "base/mem.h"
#include "ctl/text.h"
#include "store/export.h"
#include "store/write.h"

static void fail(struct ctl_reply *reply, char *error)
{
    ctl_reply_send(&reply, CTL_STATUS_FAILED, error, NULL);
    free(error);
}

static json_t *serial_json(const struct store_zone_view *zone)
{
    return zone->loaded_wall_ms ? json_integer(zone->serial) : json_null();
}

static json_t *name_json(const uint8_t *apex)
{
    char name[NAME_TEXT_MAX];
    return ctl_json_text(name_to_text_bare(name, apex));
}

/* ==== refresh, retransfer, notify ==== */

static void refresh(const struct admin *admin, const char *name, bool is_full, struct ctl_reply *reply)
{
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    struct sync_view view;
    if (!admin_zone_find(admin, name, apex, &zone, &reply))
        return;
    if (!zone.is_secondary) {
        fail(reply, mem_printf("zone \"%s\" is no secondary: it has no primaries", name));
    } else if (!admin->sync || sync_refresh(admin->sync, apex, is_full) || !sync_get_view(admin->sync, apex, &view)) {
        fail(reply, mem_printf("zone \"%s\" is being loaded", name));
    } else {
        ctl_reply_send(&reply, CTL_STATUS_DONE, NULL,
                       json_pack("{so so sI}", "zone", name_json(apex), "serial", serial_json(&zone), "primaries",
                                 (json_int_t)view.zone->primary_cnt));
    }
}

void admin_run_refresh(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    refresh(arg, request->args[0], false, reply);
}

void admin_run_retransfer(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    refresh(arg, request->args[0], true, reply);
}

void admin_run_notify(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    const char *name = request->args[0];
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    struct sync_view view;
    if (!admin_zone_find(admin, name, apex, &zone, &reply))
        return;
    enum err err = admin->sync ? sync_notify(admin->sync, apex) : ERR_NOT_FOUND;
    if (err == ERR_CLOSED)
        fail(reply, mem_printf("zone \"%s\" has no version", name));
    else if (err || !sync_get_view(admin->sync, apex, &view))
        fail(reply, mem_printf("zone \"%s\" is being loaded", name));
    else
        ctl_reply_send(&reply, CTL_STATUS_DONE, NULL,
                       json_pack("{so so sI}", "zone", name_json(apex), "serial", serial_json(&zone), "targets",
                                 (json_int_t)view.target_cnt));
}

/* ==== dump, sync, freeze: of the admin nothing, it may end before them ==== */

struct order {
    struct ctl_reply *reply;
    char *name;
    bool is_freeze;
};

static struct order *order_new(struct ctl_reply *reply, const uint8_t *apex)
{
    char name[NAME_TEXT_MAX];
    struct order *order = mem_zalloc(1, sizeof *order);
    order->reply = reply;
    order->name = mem_strdup(name_to_text_bare(name, apex));
    return order;
}

static void order_free(struct order *order)
{
    free(order->name);
    free(order);
}

static void order_fail(struct order *order, const char *why)
{
    fail(order->reply, mem_printf("zone \"%s\": %s", order->name, why));
    order_free(order);
}

static void on_exported(void *arg, const char *why, const struct store_exported *exported)
{
    struct order *order = arg;
    int fd = exported->fd;
    if (why) {
        order_fail(order, why);
        return;
    }
    ctl_reply_attach(order->reply, &fd);
    ctl_reply_send(&order->reply, CTL_STATUS_DONE, NULL,
                   json_pack("{so sI sI sI}", "zone", ctl_json_text(order->name), "serial",
                             (json_int_t)exported->serial, "records", (json_int_t)exported->rr_cnt, "bytes",
                             (json_int_t)exported->bytes));
    order_free(order);
}

static const char *why_no_export(enum err err)
{
    switch (err) {
    case ERR_LIMIT:
        return "too many zones are being dumped";
    case ERR_TIMEOUT:
        return "it has expired";
    default:
        return "it has no version";
    }
}

void admin_run_dump(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    if (!admin_zone_find(admin, request->args[0], apex, &zone, &reply))
        return;
    struct order *order = order_new(reply, apex);
    enum err err = store_export(admin->setup.store, apex, on_exported, order);
    if (err)
        order_fail(order, why_no_export(err));
}

static void on_written(void *arg, enum err err, const char *why, const struct store_written *written)
{
    struct order *order = arg;
    if (err) {
        order_fail(order, why);
        return;
    }
    json_t *data = json_pack("{so sI so sb}", "zone", ctl_json_text(order->name), "serial",
                             (json_int_t)written->serial, "file", ctl_json_text(written->path), "written",
                             (int)written->is_written);
    if (order->is_freeze)
        json_object_set_new(data, "frozen", json_true());
    ctl_reply_send(&order->reply, CTL_STATUS_DONE, NULL, data);
    order_free(order);
}

void admin_run_sync(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    struct sync_view view = {0};
    if (!admin_zone_find(admin, request->args[0], apex, &zone, &reply))
        return;
    bool has_view = admin->sync && sync_get_view(admin->sync, apex, &view);
    if (zone.is_secondary && !(has_view && view.zone->has_file))
        fail(reply, mem_printf("zone \"%s\" is a secondary without \"file\" in its configuration", request->args[0]));
    else
        store_write(admin->setup.store, apex, on_written, order_new(reply, apex));
}

void admin_run_freeze(void *arg, const struct ctl_request *request, struct ctl_reply *reply)
{
    const struct admin *admin = arg;
    uint8_t apex[NAME_MAX_LEN];
    struct store_zone_view zone;
    if (!admin_zone_find(admin, request->args[0], apex, &zone, &reply))
        return;
    if (zone.is_secondary) {
        fail(reply, mem_printf("zone \"%s\" is a secondary: it takes no updates", request->args[0]));
        return;
    }
    struct order *order = order_new(reply, apex);
    order->is_freeze = true;
    store_freeze(admin->setup.store, apex, on_written, order);
}
