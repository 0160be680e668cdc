#include "tools/human.h"

#include <inttypes.h>
#include <stdio.h>

char *human_duration(char out[HUMAN_MAX], uint64_t sec)
{
    static const struct {
        char unit;
        uint64_t sec;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    size_t i = 0;
    while (i < 3 && sec < units[i].sec)
        i++;
    uint64_t rest = sec % units[i].sec;
    if (i < 3 && rest / units[i + 1].sec)
        snprintf(out, HUMAN_MAX, "%" PRIu64 "%c%" PRIu64 "%c", sec / units[i].sec, units[i].unit,
                 rest / units[i + 1].sec, units[i + 1].unit);
    else
        snprintf(out, HUMAN_MAX, "%" PRIu64 "%c", sec / units[i].sec, units[i].unit);
    return out;
}

char *human_bytes(char out[HUMAN_MAX], uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, HUMAN_MAX, "%" PRIu64 " B", bytes);
        return out;
    }
    double size = (double)bytes / 1024;
    size_t i = 0;
    for (; size >= 1023.95 && i < 5; i++) /* what would be printed as 1024.0 */
        size /= 1024;
    snprintf(out, HUMAN_MAX, "%.1f %s", size, units[i]);
    return out;
}
