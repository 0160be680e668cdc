/* Private to history*.c: the databases' names. */
#pragma once

extern const char history_changes_database[]; /* changesets, by zone and number */
extern const char history_zones_database[];   /* entries, by zone */
