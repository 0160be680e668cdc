#!/bin/sh
# Every header is guarded, and compiles alone, with the build's compiler and with clang too where there is one.
# CC and TEST_CPPFLAGS come from `make check`; alone: tests/lint/headers.sh from the source folder.
set -u
cd_to=${top_srcdir:-.}
flags="-I$cd_to/src ${TEST_CPPFLAGS:-} -D_GNU_SOURCE -std=gnu11"
flags="$flags -Wall -Wextra -Wshadow -Wstrict-prototypes -Wpointer-arith -Werror"
[ -n "${TEST_CPPFLAGS:-}" ] ||
    flags="$flags $(pkg-config --cflags liburcu-qsbr libuv ldns libconfig jansson 2>/dev/null)"
compilers=${CC:-cc}
case $compilers in *clang*) ;; *) command -v clang >/dev/null 2>&1 && compilers="$compilers
clang" ;; esac

failed=0 count=0
for header in $(cd "$cd_to/src" && find . -name '*.h' | sed 's,^\./,,' | sort); do
    count=$((count + 1))
    if ! grep -q '^#pragma once$' "$cd_to/src/$header"; then
        echo "src/$header: no \"#pragma once\"" >&2
        failed=$((failed + 1))
    fi
    while IFS= read -r compiler; do
        # shellcheck disable=SC2086 # both are lists of words
        if ! printf '#include "%s"\n' "$header" | $compiler $flags -fsyntax-only -x c - >&2; then
            echo "src/$header: does not compile alone with \"$compiler\"" >&2
            failed=$((failed + 1))
        fi
    done <<LIST
$compilers
LIST
done
[ "$count" -gt 0 ] || { echo "no header found under src" >&2; exit 1; }
[ "$failed" -eq 0 ] || exit 1
echo "$count headers compile alone with:" $compilers
