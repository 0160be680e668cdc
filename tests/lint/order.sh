#!/bin/sh
# A source file with a header of its own includes it first, so that no header leans on what came before it.
set -u
cd "${top_srcdir:-.}/src" || exit 1
failed=0 count=0
for source in $(find . -name '*.c' | sed 's,^\./,,' | sort); do
    header=${source%.c}.h
    [ -f "$header" ] || continue
    count=$((count + 1))
    first=$(grep -nE '^[[:space:]]*#[[:space:]]*include' "$source" | head -n 1)
    case $first in
    *"\"$header\""*) ;;
    *) echo "src/$source:${first%%:*}: the first include is not \"$header\"" >&2; failed=1 ;;
    esac
done
[ "$failed" -eq 0 ] || exit 1
echo "$count files include their own header first"
