#include "base/room.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 512, PATH_ROOM = 4096 };

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* The number behind `key` at a line's start of the file; false: it has none. An empty key: the file's first line. */
static bool read_number(uint64_t *number, const char *path, const char *key)
{
    char line[LINE_MAX_LEN], *end;
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        *number = strtoull(line + strlen(key), &end, 10);
        found = end != line + strlen(key);
    }
    if (file)
        fclose(file);
    return found;
}

static uint64_t room_of_system(void)
{
    uint64_t kib;
    return read_number(&kib, "/proc/meminfo", "MemAvailable:") ? kib * 1024 : UINT64_MAX;
}

static uint64_t room_of_limit(void)
{
    struct rlimit limit;
    uint64_t pages;
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || !read_number(&pages, "/proc/self/statm", ""))
        return UINT64_MAX;
    return minus(limit.rlim_cur, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

/* What one group leaves; pages of files that were not used lately count as free, as they would be taken back first. */
static uint64_t room_of_group(const char *folder)
{
    char path[PATH_ROOM + 32];
    uint64_t most, used, idle = 0;
    snprintf(path, sizeof path, "%s/memory.max", folder);
    if (!read_number(&most, path, "")) /* "max" too */
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.current", folder);
    if (!read_number(&used, path, ""))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    (void)read_number(&idle, path, "inactive_file ");
    return minus(most, minus(used, idle));
}

/* "0::/system.slice/rondo.service": our group of the unified hierarchy; each
 * group above may have a limit of its own. */
static uint64_t room_of_groups(void)
{
    static const char root[] = "/sys/fs/cgroup";
    char folder[PATH_ROOM], line[PATH_ROOM - sizeof root];
    uint64_t room = UINT64_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    folder[0] = '\0';
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "0::/", 4))
            snprintf(folder, sizeof folder, "%s%s", root, line + 3);
    }
    if (file)
        fclose(file);
    while (strlen(folder) >= sizeof root - 1) {
        room = least(room, room_of_group(folder));
        *strrchr(folder, '/') = '\0';
    }
    return room;
}

uint64_t room_bytes(void)
{
    return least(least(room_of_system(), room_of_limit()), room_of_groups());
}
