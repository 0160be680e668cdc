#!/bin/sh
# The sample configuration and the option list of rondo.conf(5) are what the program's tables say, and the sample loads.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sh "$top_srcdir/contrib/update-generated.sh" "$RONDOD" "$dir"
status=0
for file in zones/rondo.conf.sample man/rondo.conf.5; do
    if ! diff -u "$top_srcdir/$file" "$dir/$file"; then
        echo "$file differs from the option tables: run contrib/update-generated.sh" >&2
        status=1
    fi
done
exit $status
