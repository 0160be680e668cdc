#!/bin/sh
# No line of C is wider than 120 columns. A byte that only continues a UTF-8 character is no column.
set -u
cd "${top_srcdir:-.}" || exit 1
export LC_ALL=C
find src tests contrib -name '*.[ch]' | sort | xargs awk '
    FNR == 1 { files++ }
    { line = $0; gsub(/[\200-\277]/, "", line) }
    length(line) > 120 { print FILENAME ":" FNR ": " length(line) " columns"; wide++ }
    END { if (wide) exit 1; print files " files, no line over 120 columns" }' ||
    { echo "reflow these lines to at most 120 columns" >&2; exit 1; }
