#!/bin/sh
# Holds every #include under src against src/LAYERS, and src/LAYERS against itself. Usage: layers.sh [SOURCE-FOLDER]
# (a folder with src/LAYERS; default $top_srcdir, else the current folder).
set -eu
cd "${1:-${top_srcdir:-.}}"

# Fed with src/LAYERS, then with FILE:LINE:#include … lines.
find src -mindepth 2 \( -name '*.c' -o -name '*.h' \) -exec grep -HnE '^[[:space:]]*#[[:space:]]*include' {} + | sort |
awk '
function complain(text) { print text > "/dev/stderr"; bad++ }
# Does a name fit a pattern: the name itself, or a prefix that ends in / or -?
function fits(name, pattern) {
    if (pattern ~ /[\/-]$/) return index(name, pattern) == 1
    return name == pattern
}
function allowed_at(list, folder, file,    n, i, place) {
    n = split(list, place, " ")
    for (i = 1; i <= n; i++)
        if (place[i] == folder || place[i] == folder "/" file) return 1
    return 0
}

# ---- src/LAYERS
FILENAME == "src/LAYERS" {
    where = "src/LAYERS:" FNR ": "
    if ($0 ~ /^[[:space:]]*(#|$)/) next
    if ($1 == "system") { for (i = 2; i <= NF; i++) system_headers[++system_cnt] = $i; next }
    colon = index($0, ":")
    if (!colon) { complain(where "neither \"FOLDER: …\" nor \"header PATTERN: …\" nor \"system …\""); next }
    head = substr($0, 1, colon - 1)
    rest = substr($0, colon + 1)
    if (head ~ /^header /) {
        header_pattern[++header_cnt] = substr(head, 8)
        header_places[header_cnt] = rest
        n = split(rest, place, " ")
        for (i = 1; i <= n; i++) {
            folder = place[i]
            sub(/\/.*/, "", folder)
            if (!(folder in known)) complain(where "no folder \"" folder "\" above")
        }
        next
    }
    if (head in known) complain(where "folder \"" head "\" a second time")
    known[head] = 1
    may[head, head] = 1
    n = split(rest, below, " ")
    for (i = 1; i <= n; i++) {
        if (below[i] == head || !(below[i] in known))
            complain(where "\"" head "\" may include only folders of lines above, not \"" below[i] "\"")
        may[head, below[i]] = 1
    }
    next
}

# ---- src/FOLDER/FILE:LINE:#include "FOLDER/FILE" or <HEADER>
{
    split($0, field, ":")
    where = field[1] ":" field[2] ": "
    path = substr(field[1], 5)
    folder = path; sub(/\/.*/, "", folder)
    file = substr(path, length(folder) + 2)
    text = substr($0, length(field[1]) + length(field[2]) + 3)
    sub(/^[[:space:]]*#[[:space:]]*include[[:space:]]*/, "", text)
    seen++
    if (!(folder in known)) { complain(where "folder \"" folder "\" is not in src/LAYERS"); next }
    if (match(text, /^"[^"]+"/)) {
        name = substr(text, 2, RLENGTH - 2)
        slash = index(name, "/")
        if (!slash) { complain(where "\"" name "\" without its folder"); next }
        other = substr(name, 1, slash - 1)
        if (!(other in known)) { complain(where "folder \"" other "\" is not in src/LAYERS"); next }
        if (!((folder, other) in may)) complain(where "\"" folder "\" may not include \"" name "\"")
    } else if (match(text, /^<[^>]+>/)) {
        name = substr(text, 2, RLENGTH - 2)
        found = 0
        for (i = 1; i <= header_cnt; i++)
            if (fits(name, header_pattern[i])) {
                found = 1
                if (!allowed_at(header_places[i], folder, file))
                    complain(where "<" name "> is only for" header_places[i])
            }
        for (i = 1; !found && i <= system_cnt; i++) found = fits(name, system_headers[i])
        if (!found) complain(where "<" name "> is not in src/LAYERS: declare it there as header or system")
    } else
        complain(where "neither \"FOLDER/FILE\" nor <HEADER>")
}
END {
    if (!seen) complain("no #include found under src")
    if (bad) { print bad " breaches of src/LAYERS" > "/dev/stderr"; exit 1 }
    print seen " includes keep the layers"
}
' src/LAYERS -
