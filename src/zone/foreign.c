#include "zone/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"

void zone_foreign_put(struct zone_foreign *foreign)
{
    if (foreign && !--foreign->ref_cnt)
        free(foreign);
}

/* No name is the beginning of another one, as each ends in its only zero length. */
static int cmp_names(const uint8_t *a, const uint8_t *b)
{
    unsigned a_len = name_len(a), b_len = name_len(b);
    return memcmp(a, b, a_len < b_len ? a_len : b_len);
}

/* ---- notes */

enum { CAP_LEAST = 16 };

void zone_foreign_edit_init(struct zone_foreign_edit *edit, const struct hash_key *key)
{
    *edit = (struct zone_foreign_edit){.key = key};
    arena_init(&edit->arena);
}

void zone_foreign_edit_fini(struct zone_foreign_edit *edit)
{
    arena_fini(&edit->arena);
    free(edit->notes);
}

/* Where the name stands, or is to stand. */
static struct zone_foreign_note *find(const struct zone_foreign_edit *edit, const uint8_t *lower, uint64_t hash)
{
    size_t at = hash & (edit->cap - 1);
    while (edit->notes[at].name && (edit->notes[at].hash != hash || cmp_names(edit->notes[at].name, lower)))
        at = (at + 1) & (edit->cap - 1);
    return &edit->notes[at];
}

static void grow(struct zone_foreign_edit *edit)
{
    struct zone_foreign_note *old = edit->notes;
    size_t old_cap = edit->cap;
    edit->cap = old_cap ? old_cap * 2 : CAP_LEAST;
    edit->notes = mem_zalloc(edit->cap, sizeof(*edit->notes));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].name)
            *find(edit, old[i].name, old[i].hash) = old[i];
    free(old);
}

void zone_foreign_edit_note(struct zone_foreign_edit *edit, const uint8_t *lower, int by)
{
    uint64_t hash = name_hash(lower, edit->key);
    if (edit->cnt * 2 >= edit->cap)
        grow(edit);
    struct zone_foreign_note *note = find(edit, lower, hash);
    if (!note->name) {
        *note = (struct zone_foreign_note){.name = arena_dup(&edit->arena, lower, name_len(lower), 1), .hash = hash};
        edit->cnt++;
    }
    note->by += by;
}

/* ---- lists */

static int cmp_notes(const void *a, const void *b)
{
    return cmp_names(((const struct zone_foreign_note *)a)->name, ((const struct zone_foreign_note *)b)->name);
}

/* What makes a difference, in order, to the front. */
static void sort_notes(struct zone_foreign_edit *edit)
{
    size_t kept = 0;
    for (size_t i = 0; i < edit->cap; i++)
        if (edit->notes[i].name && edit->notes[i].by)
            edit->notes[kept++] = edit->notes[i];
    edit->cnt = kept;
    if (kept)
        qsort(edit->notes, kept, sizeof(*edit->notes), cmp_notes);
}

/* Two lists walked in one order. */
struct walk {
    const uint8_t *a, *a_end, *b, *b_end;
};

/* Which of them has the next name: below 0 the first, above 0 the second, 0 both. */
static int next_of(const struct walk *w)
{
    if (w->a == w->a_end)
        return 1;
    return w->b == w->b_end ? -1 : cmp_names(w->a, w->b);
}

static void append(uint8_t *bytes, size_t *len, const uint8_t *name)
{
    unsigned name_bytes = name_len(name);
    memcpy(bytes + *len, name, name_bytes);
    *len += name_bytes;
}

static struct zone_foreign *list_new(size_t cnt, size_t len)
{
    struct zone_foreign *list = mem_zalloc(1, sizeof(*list) + cnt * sizeof(uint64_t) + len);
    list->ref_cnt = 1;
    list->names.bytes = (uint8_t *)&list->uses[cnt];
    return list;
}

static void add(struct zone_foreign *list, const uint8_t *name, uint64_t uses)
{
    list->uses[list->cnt++] = uses;
    append(list->names.bytes, &list->names.len, name);
}

static struct zone_names names_of(const struct zone_foreign *foreign)
{
    static uint8_t nothing[1]; /* no arithmetic on NULL */
    return foreign ? foreign->names : (struct zone_names){nothing, 0};
}

/* `base` and the notes in one order; `list` has room for all of them. */
static void merge(struct zone_foreign *list, const struct zone_foreign *base, const struct zone_foreign_edit *edit)
{
    struct zone_names names = names_of(base);
    const uint8_t *at = names.bytes, *end = at + names.len;
    size_t b = 0, n = 0;
    while (at != end || n < edit->cnt) {
        const struct zone_foreign_note *note = &edit->notes[n];
        int cmp = at == end ? 1 : n == edit->cnt ? -1 : cmp_names(at, note->name);
        const uint8_t *name = cmp <= 0 ? at : note->name;
        int64_t uses = (cmp <= 0 ? (int64_t)base->uses[b] : 0) + (cmp >= 0 ? note->by : 0);
        if (uses > 0)
            add(list, name, (uint64_t)uses);
        if (cmp <= 0) {
            at += name_len(at);
            b++;
        }
        n += cmp >= 0;
    }
}

struct zone_foreign *zone_foreign_edit_end(struct zone_foreign_edit *edit, struct zone_foreign *base)
{
    sort_notes(edit);
    if (!edit->cnt) {
        if (base)
            base->ref_cnt++;
        return base;
    }
    size_t cnt = edit->cnt + (base ? base->cnt : 0), len = names_of(base).len;
    for (size_t i = 0; i < edit->cnt; i++)
        len += name_len(edit->notes[i].name);
    /* Counts stand before the names: a list with fewer than that only leaves room in between. */
    struct zone_foreign *list = list_new(cnt, len);
    merge(list, base, edit);
    if (list->cnt)
        return list;
    zone_foreign_put(list);
    return NULL;
}

/* Room for all that may come in. */
static void names_init(struct zone_names *names, size_t most)
{
    *names = (struct zone_names){most ? mem_zalloc(most, 1) : NULL, 0};
}

static void names_close(struct zone_names *names)
{
    if (names->len)
        return;
    free(names->bytes);
    names->bytes = NULL;
}

void zone_foreign_diff(struct zone_names *fresh, struct zone_names *lost, const struct zone_foreign *before,
                       const struct zone_foreign *now)
{
    struct zone_names a = names_of(before), b = names_of(now);
    *fresh = *lost = (struct zone_names){NULL, 0};
    if (before == now)
        return;
    names_init(fresh, b.len);
    names_init(lost, a.len);
    struct walk w = {a.bytes, a.bytes + a.len, b.bytes, b.bytes + b.len};
    while (w.a != w.a_end || w.b != w.b_end) {
        int cmp = next_of(&w);
        if (cmp < 0)
            append(lost->bytes, &lost->len, w.a);
        if (cmp > 0)
            append(fresh->bytes, &fresh->len, w.b);
        w.a += cmp <= 0 ? name_len(w.a) : 0;
        w.b += cmp >= 0 ? name_len(w.b) : 0;
    }
    names_close(fresh);
    names_close(lost);
}
