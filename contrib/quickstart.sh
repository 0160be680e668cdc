#!/bin/sh
# rondo in five minutes, on Debian 12, as root or with sudo: installs what a build needs (and says so; nothing when all
# is there), builds into build/, starts four small web servers and rondod with zones/rondo.conf, says what to try, and
# shows who is alive. Ctrl-C ends it all. What an earlier run kept (in build/state) is removed first.
#
#   --seconds N        end by itself after so many seconds
#   --port N           rondod's port (5300)
#   --backend-port N   the web servers' (8080)
#   --build DIR        build there (build)
#
# RONDOD and RONDOCTL in the environment: these programs instead, nothing is installed or built.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

seconds='' port=5300 backend_port=8080 build=build
usage() {
    echo "usage: quickstart.sh [--seconds N] [--port N] [--backend-port N] [--build DIR]" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --seconds | --port | --backend-port)
        case $2 in '' | *[!0-9]* | ??????*) usage ;; esac
        ;;
    esac
    case $1 in
    --seconds) seconds=$2 ;;
    --port) port=$2 ;;
    --backend-port) backend_port=$2 ;;
    --build) build=${2%/} ;;
    *) usage ;;
    esac
    shift 2
done

. contrib/packages.sh
backends="127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5"

# ---- the end, however it comes

conf=zones/rondo.conf made_conf='' ready=''
# ours PID: still a child of this script, and not another process that has got its number
ours() {
    [ "$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat" 2>/dev/null)" = "$$" ]
}
end() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    packages_unguard
    # By asking who they are: a signal may come between the start of a process and any note of its number.
    children=$(ps -o pid= --ppid $$ 2>/dev/null)
    for pid in $children; do
        if ours "$pid"; then
            kill -TERM "$pid"
            kill -CONT "$pid" # one that was stopped would never hear of it
        fi
    done 2>/dev/null
    tries=0
    for pid in $children; do
        while ours "$pid"; do
            [ "$tries" -lt 100 ] || kill -KILL "$pid"
            tries=$((tries + 1))
            sleep 0.1
        done
    done 2>/dev/null
    [ -z "$made_conf" ] || rm -f "$made_conf"
    [ -z "$ready" ] || echo "all is ended: rondod and the web servers"
    exit "$status"
}
trap end EXIT
trap 'exit 130' HUP
# To be interrupted is how this ends when all is well, and before that no success.
trap 'echo; exit ${interrupted:-130}' INT
trap 'exit ${interrupted:-143}' TERM

failed() {
    echo "quickstart: $*" >&2
    exit 1
}

# run LOG COMMAND…: in the background, so that a signal need not wait for its end
run() {
    log=$1
    shift
    "$@" </dev/null >"$log" 2>&1 &
    wait $! || { tail -n 40 "$log" >&2; return 1; }
}

# ---- install and build

mkdir -p "$build" || exit 1
case $build in /*) work=$build ;; *) work=$PWD/$build ;; esac
if [ -z "${RONDOD:-}" ]; then
    # shellcheck disable=SC2086 # lists of words
    packages_install "$work/apt.log" $BUILD_PACKAGES $DEMO_PACKAGES || failed "packages could not be installed"
    if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
        echo "making configure (autoreconf)"
        run "$work/autoreconf.log" autoreconf -fi || failed "autoreconf failed"
    fi
    echo "building into $build/, which takes a minute the first time"
    if [ ! -f "$work/Makefile" ]; then
        run "$work/configure.log" sh -c 'cd "$1" && exec "$2/configure" -q' sh "$work" "$PWD" ||
            failed "configure failed"
    fi
    run "$work/make.log" make -C "$work" -j "$(nproc 2>/dev/null || echo 2)" all || failed "make failed"
    rondod=$build/rondod rondoctl=$build/rondoctl
else
    rondod=$RONDOD rondoctl=${RONDOCTL:-$(dirname "$RONDOD")/rondoctl}
fi
for program in "$rondod" "$rondoctl"; do
    [ -x "$program" ] || failed "there is no program $program"
done
for program in /usr/bin/python3 dig ps; do
    command -v "$program" >/dev/null || failed "$program is missing"
done

# ---- start

# Other ports or another folder than zones/rondo.conf names: a copy that names them.
if [ "$port $backend_port $build" != "5300 8080 build" ]; then
    conf=$work/demo.conf made_conf=$work/demo.conf
    sed -e "s/@5300/@$port/" -e "s/port = 8080;/port = $backend_port;/" \
        -e "s|= \"\\.\"|= \"$PWD/zones\"|" -e "s|\"\\.\\./build/|\"$work/|" \
        zones/rondo.conf >"$conf" || exit 1
fi
control=$build/control.sock

# started PID LOG PATTERN: waits until the log says so; false when the process ended before, or after ten seconds
started() {
    tries=0
    until grep -q "$3" "$2"; do
        kill -0 "$1" 2>/dev/null && [ "$tries" -lt 100 ] || return 1
        tries=$((tries + 1))
        sleep 0.1
    done
}

listing=
for address in $backends; do
    log=$work/backend-$address.log
    : >"$log"
    /usr/bin/python3 contrib/demo-backend.py "$address" "$backend_port" </dev/null >"$log" 2>&1 &
    listing="$listing  $address $!"
    started $! "$log" '^listening' ||
        { cat "$log" >&2; failed "the web server on $address did not start (--backend-port N takes another port)"; }
done

# Updates that an earlier run kept would be served on, though the zone file lacks them. The file "lock" is rondod's.
if "$rondoctl" -s "$control" status >/dev/null 2>&1; then
    failed "a demo runs in $build/ already; end that first"
fi
[ ! -e "$work/state/lock" ] || rm -rf "$work/state" || failed "$build/state cannot be removed"

log=$work/rondod.log
: >"$log"
"$rondod" -c "$conf" </dev/null >"$log" 2>&1 &
rondod_pid=$!
started "$rondod_pid" "$log" 'ready, workers' ||
    { cat "$log" >&2; failed "rondod did not start (--port N takes another port)"; }

zones=$("$rondoctl" -s "$control" --json zones | /usr/bin/python3 -c '
import json, sys
print(*(zone["name"] for zone in json.load(sys.stdin)["zones"] if zone["state"] != "served" or zone["error"]))') ||
    failed "rondoctl does not tell the zones"
[ -z "$zones" ] ||
    { grep -E ' (error|warning): ' "$log" >&2; failed "not served as its file says: $zones; the log is $build/rondod.log"; }

# It answers as soon as one server is up; what is promised below needs all four, which takes a second more.
tries=0
while "$rondoctl" -s "$control" --json pools 2>/dev/null | grep -q '"unknown"' && [ "$tries" -lt 30 ]; do
    tries=$((tries + 1))
    sleep 0.1
done

# ---- what to try

# shellcheck disable=SC2086 # a list of words
set -- $listing
ask="dig @127.0.0.1 -p $port +short"
cat <<EOF

rondod (process $rondod_pid) answers for example.com on 127.0.0.1, port $port, with $conf and
zones/example.com.zone. Behind its names are four web servers on port $backend_port:

    $1  process $2
    $3  process $4
    $5  process $6
    $7  process $8

Try, in another terminal:

    $ask www.example.com    # round robin: three addresses, each time another is first
    $ask api.example.com    # weighted 4:1: of five answers four are 127.0.0.2, one is 127.0.0.3
    $ask app.example.com    # hash: a client always gets the same one; with -b 127.0.0.99 you are another client
    $ask db.example.com     # failover: 127.0.0.4, and 127.0.0.5 only when that is dead

    kill -STOP $4   # 127.0.0.3 hangs: within some two seconds www and api are without it,
                    # and its clients of app go to others
    kill -CONT $4   # it is well again, and soon back
    kill $6         # 127.0.0.4 dies: db answers 127.0.0.5
    contrib/demo-backend.py 127.0.0.4 $backend_port   # it lives again, until Ctrl-C

    $rondoctl -s $control pools    # who is alive, since when, and why
    $rondoctl -s $control status
    edit zones/example.com.zone (and raise its serial), then $rondoctl -s $control reload
    tail -f $build/rondod.log    # what rondod says of it all

README.md goes on from here, with updates too.
Ctrl-C here ends rondod and the web servers.

EOF

# ---- who is alive: shown at first, then whenever that changes

# What of the members is worth a new table, and no more: the time since a change goes on all the while.
health() {
    "$rondoctl" -s "$control" --json pools 2>/dev/null | /usr/bin/python3 -c '
import json, sys
for pool in json.load(sys.stdin)["pools"]:
    verdicts = [(member["address"], member["verdict"]) for member in pool["members"]]
    print(pool["name"], pool["type"], verdicts)' 2>/dev/null
}
left=$seconds shown='' ready=yes
interrupted=0
while :; do
    if ! kill -0 "$rondod_pid" 2>/dev/null; then
        # A Ctrl-C at the terminal is rondod's too, and may be heard here a little later.
        sleep 1 &
        wait $!
        tail -n 20 "$log" >&2
        failed "rondod ended"
    fi
    now=$(health)
    if [ -n "$now" ] && [ "$now" != "$shown" ]; then
        date '+%H:%M:%S'
        "$rondoctl" -s "$control" pools
        echo
        shown=$now
    fi
    if [ -n "$left" ]; then
        [ "$left" -gt 0 ] || exit 0
        left=$((left - 1))
    fi
    # A sleep in the foreground would put off every signal until its end.
    sleep 1 &
    wait $!
done
