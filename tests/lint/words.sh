#!/bin/sh
# What no file of the tree may hold: two old words for primary and secondary, paths of somebody's machine, notes to
# self. The patterns are written so that they do not find themselves.
set -u
cd "${top_srcdir:-.}" || exit 1
places=""
for place in src man tests contrib zones .ci README.md NEWS CONTRIBUTING configure.ac Makefile.am; do
    [ -e "$place" ] && places="$places $place"
done
failed=0

# forbid WHAT PATTERN [GREP-OPTION]: hostm…ster is a mailbox, hence the letter check around the words
forbid() {
    # shellcheck disable=SC2086 # $places is a list of words
    if grep -rInE ${3:-} --exclude-dir=__pycache__ --exclude-dir=corpus -e "$2" $places >&2; then
        echo "above: $1" >&2
        failed=1
    fi
}
forbid "the words are primary and secondary" '(^|[^[:alpha:]])(m[a]ster|s[l]ave)(s|d|[^[:alpha:]]|$)' -i
forbid "a path of one machine" '(^|[^[:alnum:]_.-])/(w[o]rk|f[a]rm)/'
forbid "a note to self: do it, or say it in the tracker" '(^|[^[:alnum:]_])(TO[D]O|FI[X]ME|XX[X])([^[:alnum:]_]|$)'

# shellcheck disable=SC2086
tabs=$(find src tests -name '*.[ch]' -exec grep -lP '\t' {} +)
if [ -n "$tabs" ]; then
    echo "tabs in: $tabs" >&2
    failed=1
fi
# shellcheck disable=SC2086
if grep -rInE --include='*.[ch]' --include='*.py' --include='*.sh' '[[:space:]]+$' src tests contrib >&2; then
    echo "above: blanks at the end of a line" >&2
    failed=1
fi
[ "$failed" -eq 0 ] || exit 1
echo "no word out of place"
