#include "store/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/dump.h"
#include "store/hold.h"
#include "store/private.h"

struct export {
    struct job job;
    struct store *store;
    struct store_held held;
    store_export_fn *fn;
    void *arg;
    struct store_exported out;
    int error; /* of errno */
};

/* ---- [job] */

static bool write_piece(void *arg, const char *text, size_t len)
{
    struct export *export = arg;
    while (len) {
        ssize_t done = write(export->out.fd, text, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            export->error = done ? errno : EIO;
            return false;
        }
        export->out.bytes += (uint64_t)done;
        text += done;
        len -= (size_t)done;
    }
    return true;
}

static void write_text(struct export *export)
{
    const struct zone_version *version = export->held.version;
    char name[NAME_TEXT_MAX];
    char *header = mem_printf("zone %s, serial %u", name_to_text_bare(name, version->zone->name), version->serial);
    store_dump_text(write_piece, export, version, header);
    free(header);
    if (!export->error && lseek(export->out.fd, 0, SEEK_SET))
        export->error = errno;
}

/* False: not into this one; `error` says why. */
static bool write_to(struct export *export, int fd)
{
    export->out.fd = fd;
    export->out.bytes = 0;
    export->error = fd < 0 ? errno : 0;
    if (!export->error)
        write_text(export);
    if (!export->error)
        return true;
    if (fd >= 0)
        close(fd);
    export->out.fd = -1;
    return false;
}

/* Not every file system has files without a name; and who saves zones from a full disk asks just then. */
static void work(struct job *job)
{
    struct export *export = container_of(job, struct export, job);
    const char *dir = export->store->dir;
    if (!dir || !write_to(export, open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)))
        (void)write_to(export, memfd_create("rondo-dump", MFD_CLOEXEC));
}

/* ---- */

static void done(struct job *job)
{
    struct export *export = container_of(job, struct export, job);
    store_unhold(&export->held);
    export->store->job_cnt--;
    export->store->export_cnt--;
    char *why = export->error ? mem_printf("its text could not be written: %s", strerror(export->error)) : NULL;
    export->fn(export->arg, why, &export->out);
    free(why);
    free(export);
}

enum err store_export(struct store *store, const uint8_t *apex, store_export_fn *fn, void *arg)
{
    struct store_held held;
    if (store->export_cnt == STORE_EXPORTS_MOST)
        return ERR_LIMIT;
    enum err err = store_hold(store, &held, apex);
    if (err)
        return err;
    struct export *export = mem_zalloc(1, sizeof *export);
    *export = (struct export){.store = store, .held = held, .fn = fn, .arg = arg};
    export->out = (struct store_exported){.serial = held.version->serial, .rr_cnt = held.version->rr_cnt, .fd = -1};
    store->job_cnt++;
    store->export_cnt++;
    job_run(store->loop, &export->job, work, done);
    return ERR_OK;
}
