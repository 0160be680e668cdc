#!/bin/sh
# How `make check` runs a test program: a fuzzer gets its corpus folder, everything else runs as it is.
case $1 in
*/fuzz_*) exec "$@" "${top_srcdir:-.}/tests/fuzz/corpus/${1##*/fuzz_}" ;;
*) exec "$@" ;;
esac
