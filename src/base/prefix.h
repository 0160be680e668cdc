/* Networks: prefixes of addresses, and an immutable table of them that says whether an address is in any. The families
 * are apart: "::/0" holds no IPv4 address. A table is made in the control plane and may then be read by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/err.h"

struct prefix {
    uint8_t bytes[16]; /* network order, all bits behind `len` zero */
    uint8_t family;    /* enum addr_family */
    uint8_t len;       /* bits: 0..32, 0..128 */
};

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. ERR_SYNTAX; ERR_RANGE when the length is beyond the family's;
 * ERR_INVALID when bits are set behind it: which network was meant is not to be guessed. */
enum err prefix_from_text(struct prefix *prefix, const char *text) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* For rows of option tables (base/opt.h): a network as OPT_CUSTOM. */
enum err prefix_opt_parse(void *field, const char *text, const char **expected) ATTR_NONNULL(2, 3);
enum { PREFIX_TEXT_MAX = ADDR_TEXT_MAX + 4 };
/* "192.0.2.0/24"; returns `out`. */
char *prefix_to_text(char out[PREFIX_TEXT_MAX], const struct prefix *prefix) ATTR_NONNULL_ALL;
/* By family, then bytes, then length, so that a network comes before those inside it; <0, 0, >0. */
int prefix_cmp(const struct prefix *a, const struct prefix *b) ATTR_NONNULL_ALL ATTR_PURE;
/* Every address of `inner` is one of `outer`. */
bool prefix_holds(const struct prefix *outer, const struct prefix *inner) ATTR_NONNULL_ALL ATTR_PURE;

struct prefix_table;
void prefix_table_free(struct prefix_table *table);
/* Of `cnt` prefixes in any order, which may overlap; they are copied. */
struct prefix_table *prefix_table_new(const struct prefix *prefixes, size_t cnt)
    ATTR_FREED_BY(prefix_table_free) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* O(log n); the address's port is of no account. */
bool prefix_table_has(const struct prefix_table *table, const struct addr *addr) ATTR_NONNULL_ALL ATTR_PURE;
