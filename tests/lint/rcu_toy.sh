#!/bin/sh
# base/rcu.h's annotations for TSan are needed: without them the toy (tests/unit/base/test_rcu.c) has a data race, with them
# it has none (the unit test itself, in a build with TSan). Skipped where the compiler has no TSan.
set -u
top=${top_srcdir:-.}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
still=
setarch "$(uname -m)" -R true 2>/dev/null && still="setarch $(uname -m) -R"
# shellcheck disable=SC2086 # words of a command
${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -g -fsanitize=thread -DRCU_TOY_NO_ORDER -I"$top/src" \
    "$top/tests/unit/base/test_rcu.c" "$top/src/base/rcu.c" -lcmocka -lurcu-qsbr -pthread -o "$work/toy" 2>"$work/out" || {
    cat "$work/out"
    exit 77
}
# shellcheck disable=SC2086
TSAN_OPTIONS=exitcode=66 $still "$work/toy" >"$work/out" 2>&1
status=$?
if [ "$status" -ne 66 ] || ! grep -q 'WARNING: ThreadSanitizer: data race' "$work/out"; then
    echo "exit status $status: no data race without the annotations"
    tail -n 20 "$work/out"
    exit 1
fi
