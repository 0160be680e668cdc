#!/bin/sh
# The first five minutes of an operator: start rondod with the demo zone, ask it with dig, stop it.
# RONDOD is the program (default ./rondod), top_srcdir the source folder (default: this script's).
set -u
source_dir=${top_srcdir:-$(dirname "$0")/..}
rondod=${RONDOD:-./rondod}
command -v dig >/dev/null 2>&1 || { echo "dig is missing" >&2; exit 77; }

dir=$(mktemp -d) || exit 1
pid=
clean() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
mkdir "$dir/build" "$dir/zones"
cp "$source_dir"/zones/*.zone "$dir/zones/"

failed=0
fail() {
    echo "FAILED: $*" >&2
    failed=1
}
ask() {
    dig @127.0.0.1 -p "$port" +norecurse +tries=1 +time=5 "$@" 2>&1
}

# ---- start, on the first port that nobody has
for port in 15300 16300 17300 18300 19300 25300 26300 27300; do
    sed "s/@5300/@$port/" "$source_dir/zones/rondo.conf" >"$dir/zones/rondo.conf"
    "$rondod" -t -c "$dir/zones/rondo.conf" >"$dir/check" 2>&1 || {
        cat "$dir/check" >&2
        fail "rondod -t refuses the demo"
        exit 1
    }
    "$rondod" -c "$dir/zones/rondo.conf" >"$dir/log" 2>&1 &
    pid=$!
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
        # An answer would not do: where the port is taken, somebody else's rondod may give it.
        grep -q 'ready, workers' "$dir/log" && break 2
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || break
        sleep 0.1
    done
    kill "$pid" 2>/dev/null
    wait "$pid"
    pid=
    grep -q 'in use' "$dir/log" || break
done
if [ -z "$pid" ]; then
    cat "$dir/log" >&2
    fail "rondod did not start"
    exit 1
fi

# ---- questions and answers
# expect WHAT PATTERN DIG-ARGUMENTS…: the pattern is in dig's output
expect() {
    what=$1 pattern=$2
    shift 2
    answer=$(ask "$@")
    printf '%s\n' "$answer" | grep -Eq "$pattern" || fail "$what: no \"$pattern\" in
$answer"
}
# lines COUNT DIG-ARGUMENTS…: that many lines of a short answer
lines() {
    want=$1
    shift
    answer=$(ask +short "$@")
    [ "$(printf '%s\n' "$answer" | grep -c .)" -eq "$want" ] || fail "$*: not $want lines but
$answer"
}

lines 3 example.com A
lines 3 +tcp example.com A
lines 2 example.com AAAA
lines 2 example.com MX
lines 1 node3.example.com A
lines 2 anything.sites.example.com A
expect "authoritative" 'flags: qr aa;' www.example.com A
expect "alias" '^shop\.example\.com\..*CNAME.*www\.example\.com\.' shop.example.com A
expect "alias followed" '^www\.example\.com\..*127\.0\.0\.[234]' shop.example.com A
expect "no such name" 'status: NXDOMAIN' nobody.example.com A
expect "its SOA, at the negative TTL" '^example\.com\.[[:space:]]+300[[:space:]]+IN[[:space:]]+SOA' nobody.example.com A
expect "no such type" 'status: NOERROR' old.sites.example.com A
lines 0 old.sites.example.com A
expect "referral" '^lab\.example\.com\..*NS[[:space:]]+ns1\.lab\.example\.com\.' www.lab.example.com A
expect "glue" '^ns1\.lab\.example\.com\..*A[[:space:]]+203\.0\.113\.53' www.lab.example.com A
expect "not our zone" 'status: REFUSED' www.example.org A
expect "EDNS" 'EDNS: version: 0' www.example.com A
expect "unknown EDNS version" 'status: BADVERS' +edns=1 +noednsnegotiation www.example.com A

# ---- balanced names
# No web server of the demo runs here, so all members are down and served as if they were up:
# policies and tiers are to be seen all the same.
# firsts NAME COUNT: how often each address stood first in so many answers, as "COUNT ADDRESS, …"
firsts() {
    i=0
    while [ "$i" -lt "$2" ]; do
        ask +short "$1" A | head -n 1
        i=$((i + 1))
    done | sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }'
}
# shares NAME COUNT PATTERN: the same, compared
shares() {
    answer=$(firsts "$1" "$2")
    printf '%s\n' "$answer" | grep -Eq "^($3)\$" || fail "$1: first in $2 answers were $answer, not $3"
}

lines 3 www.example.com A
lines 3 +tcp www.example.com A
lines 1 api.example.com A
lines 1 app.example.com A
lines 1 db.example.com A
shares www.example.com 12 '4 127\.0\.0\.2, 4 127\.0\.0\.3, 4 127\.0\.0\.4'
shares api.example.com 25 '20 127\.0\.0\.2, 5 127\.0\.0\.3'
shares app.example.com 10 '10 127\.0\.0\.[2345]'
shares db.example.com 5 '5 127\.0\.0\.4'
expect "TTL of a pool" '^www\.example\.com\.[[:space:]]+5[[:space:]]' www.example.com A
expect "TTL of a record" '^example\.com\.[[:space:]]+300[[:space:]]' example.com A
expect "the other family: no data" '^example\.com\.[[:space:]]+300[[:space:]]+IN[[:space:]]+SOA' www.example.com AAAA
lines 0 www.example.com AAAA
# Without a word in the configuration: no strict turns, but each is first now and then.
shares example.com 60 '[0-9]+ 127\.0\.0\.2, [0-9]+ 127\.0\.0\.3, [0-9]+ 127\.0\.0\.4'

# ---- stop
kill -TERM "$pid"
wait "$pid"
status=$?
pid=
[ "$status" -eq 0 ] || fail "rondod ended with status $status"
if grep -Eq 'Sanitizer|runtime error' "$dir/log"; then
    fail "a sanitizer spoke"
fi
[ "$failed" -eq 0 ] || { cat "$dir/log" >&2; exit 1; }
echo "the demo answers as it should"
