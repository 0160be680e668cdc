#!/bin/sh
# How `make check` runs a test program: a fuzzer gets its corpus folder, everything else runs as it is. What anybody on
# the network can feed is fed 64 K mutations.
corpus=${top_srcdir:-.}/tests/fuzz/corpus/${1##*/fuzz_}
case $1 in
*/fuzz_answer | */fuzz_edns | */fuzz_msg | */fuzz_name | */fuzz_notify | */fuzz_stream) exec "$@" -t 65536 "$corpus" ;;
*/fuzz_*) exec "$@" "$corpus" ;;
*) exec "$@" ;;
esac
