#!/bin/sh
# Writes the two files that are made from the option tables, zones/rondo.conf.sample and the option list in
# man/rondo.conf.5, anew: contrib/update-generated.sh PATH-OF-RONDOD [FOLDER]. With FOLDER, writes there instead of into
# the source (tests/lint/generated.sh compares).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
rondod=${1:?usage: contrib/update-generated.sh PATH-OF-RONDOD [FOLDER]}
out=${2:-$top}
mkdir -p "$out/zones" "$out/man"

"$rondod" --print-sample >"$out/zones/rondo.conf.sample.new"
"$rondod" --print-options >"$out/man/options.new"
awk -v options="$out/man/options.new" '
    /^\.\\" begin of the option list/ { print; while ((getline line < options) > 0) print line; skip = 1 }
    /^\.\\" end of the option list/ { skip = 0 }
    !skip { print }
' "$top/man/rondo.conf.5" >"$out/man/rondo.conf.5.new"
rm "$out/man/options.new"
mv "$out/zones/rondo.conf.sample.new" "$out/zones/rondo.conf.sample"
mv "$out/man/rondo.conf.5.new" "$out/man/rondo.conf.5"
