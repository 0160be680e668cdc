#!/bin/sh
# Everything that a change must pass, on Debian 12: installs what the tests need (and says so;
# nothing when all is there), builds below build/, runs it all. The last line is "N passed, N
# failed"; the exit status is 0 when none failed.
#
#   build/check    gcc, ASan and UBSan, warnings are errors: lints, units, fuzzer corpora, smoke, functional tests
#   build/tsan     gcc, TSan: units of what has to do with threads, and smoke (contrib/qa: all)
#   build/release  gcc -O2 as users build it: what a query and a hostile packet cost, limits of memory, how long the
#                  control thread is away (contrib/qa: units, optimised)
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=$(nproc 2>/dev/null || echo 2)
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

passed=0 failed=0
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
# A step that is no test went wrong: counts as one failure.
broken() {
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# ---- what is needed

. contrib/packages.sh

# ---- build and run

plainly= # CFLAGS of the programs of tests, where they are others
gently=  # what keeps a build out of the way of tests that run beside it

# build DIR TEST-PROGRAMS CONFIGURE-ARGUMENTS…: the programs and those of the tests, as make names them
build() {
    dir=$1 tests=$2
    shift 2
    mkdir -p "$dir" || return 1
    if [ ! -f "$dir/Makefile" ] || [ configure -nt "$dir/Makefile" ]; then
        (cd "$dir" && ../../configure -q "$@") >"$dir/configure.out" 2>&1 ||
            { tail -n 30 "$dir/configure.out"; return 1; }
    fi
    # Programs of tests are not optimised where nothing is measured: to optimise them takes longer than to run them.
    { $gently make -C "$dir" -j "$jobs" &&
        $gently make -C "$dir" -j "$jobs" check TESTS= check_PROGRAMS="$tests" ${plainly:+CFLAGS="$plainly"}
    } >"$dir/make.out" 2>&1 || { tail -n 60 "$dir/make.out"; return 1; }
}

number_of() {
    sed -n "s/^# $2: *\([0-9][0-9]*\)\$/\1/p" "$1" | head -n 1
}

# make_check DIR MAKE-ARGUMENTS…: automake's tests, counted by its own summary
make_check() {
    dir=$1
    shift
    rm -f "$dir/test-suite.log"
    $still make -C "$dir" -j "$jobs" -k check "$@" >"$dir/check.out" 2>&1
    status=$?
    if [ ! -f "$dir/test-suite.log" ]; then
        tail -n 60 "$dir/check.out"
        broken "make check in $dir ran no test"
        return
    fi
    good=$(number_of "$dir/test-suite.log" PASS)
    bad=0
    for kind in FAIL ERROR XPASS; do
        bad=$((bad + $(number_of "$dir/test-suite.log" $kind)))
    done
    passed=$((passed + good))
    failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        cat "$dir/test-suite.log"
    elif [ "$status" -ne 0 ]; then
        tail -n 60 "$dir/check.out"
        broken "make check in $dir"
    fi
    echo "$dir: make check: $good passed, $bad failed, $(number_of "$dir/test-suite.log" SKIP) skipped"
}

# functional DIR PYTEST-ARGUMENTS: pytest's tests, counted by its own report
functional() {
    dir=$1
    report=$PWD/$dir/functional.xml
    rm -f "$report"
    $still make -C "$dir" check-functional PYTEST_ARGS="--junitxml=$report -rs $2" >"$dir/functional.out" 2>&1
    status=$?
    counts=$(/usr/bin/python3 - "$report" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree
suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
count = lambda key: sum(int(suite.get(key, 0)) for suite in suites)
bad = count("failures") + count("errors")
print(count("tests") - bad - count("skipped"), bad, count("skipped"))
PYTHON
    ) || { tail -n 60 "$dir/functional.out"; broken "functional tests in $dir did not run"; return; }
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    passed=$((passed + $1))
    failed=$((failed + $2))
    if [ "$2" -gt 0 ]; then
        cat "$dir/functional.out"
    elif [ "$status" -ne 0 ]; then
        tail -n 60 "$dir/functional.out"
        broken "functional tests in $dir"
    else
        grep '^SKIPPED' "$dir/functional.out"
    fi
    echo "$dir: functional: $1 passed, $2 failed, $3 skipped"
}

mkdir -p build
# shellcheck disable=SC2086 # lists of words
packages_install build/apt.log $BUILD_PACKAGES $TEST_PACKAGES $PEER_PACKAGES ||
    { broken "packages could not be installed"; finish; }
if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
    autoreconf -fi >build/autoreconf.out 2>&1 || { tail -n 30 build/autoreconf.out; broken "autoreconf"; finish; }
fi
# TSan needs addresses where it expects them; some kernels scatter them further.
still=
setarch "$(uname -m)" -R true 2>/dev/null && still="setarch $(uname -m) -R"

threaded='$(filter $(patsubst %,tests/unit/%/%,admin answer balance base ctl daemon io loop probe store sync),$(UNIT_TESTS))'
build_tsan() {
    plainly="-O0 -g1"
    build build/tsan "$threaded" --enable-developer --with-sanitizer=thread CC=gcc CFLAGS="-O1 -g1"
    status=$?
    plainly=
    return "$status"
}
build_check() {
    plainly="-O0 -g1"
    build build/check '$(UNIT_TESTS) $(TEST_HELPERS) $(FUZZERS_LIST)' --enable-developer \
        --with-sanitizer=address,undefined CC=gcc CFLAGS="-O1 -g1"
    status=$?
    plainly=
    return "$status"
}
build_release() { build build/release '$(TEST_HELPERS)' CC=gcc CFLAGS="-O2 -g"; }

# Functional tests wait more than they compute: they run two files at a time, and the other builds are made beside them,
# with what they leave. What goes wrong with one is told when its turn comes. Those that measure run by themselves later.
if build_check; then
    make_check build/check
    (gently="nice -n 19"; build_tsan; build_release) >build/beside.out 2>&1 &
    functional build/check "-n 2 --dist loadfile -k 'not test_instructions and not test_hostile_work'"
    wait
else
    broken "build/check does not build"
fi

if build_tsan; then
    make_check build/tsan check_PROGRAMS="$threaded" TESTS="$threaded tests/smoke.sh"
else
    broken "build/tsan does not build"
fi

if build_release; then
    functional build/release "-k 'test_instructions or test_hostile_work or test_memory or test_hardening or test_turns or test_pools_many or never_away'"
else
    broken "build/release does not build"
fi
finish
