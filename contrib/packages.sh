# shellcheck shell=sh
# Debian's packages that rondo needs, and how to get those that are missing. Sourced by check.sh and quickstart.sh.

BUILD_PACKAGES="gcc make autoconf automake autoconf-archive pkg-config libc6-dev
    libldns-dev libssl-dev libconfig-dev liburcu-dev libuv1-dev libjansson-dev libsodium-dev
    libcurl4-openssl-dev liblmdb-dev libc-ares-dev"
TEST_PACKAGES="libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-dnspython bind9-dnsutils bind9-utils ldnsutils
    valgrind procps util-linux monitoring-plugins-basic nginx-light openssl"
PEER_PACKAGES="bind9 nsd knot" # questions on which these three agree are asked of rondo too
DEMO_PACKAGES="python3 bind9-dnsutils procps"

# packages_missing NAME…: those that are not installed, on one line
packages_missing() {
    missing=
    for package; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    echo "$missing"
}

# packages_install LOG NAME…: installs what of these is missing, saying so before; nothing and no word when all is
# there. No service is started. What apt-get says goes to LOG, its end to the terminal when it failed.
packages_install() {
    log=$1
    shift
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    echo "installing by apt-get:$missing"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "neither root nor sudo: install these yourself:$missing"; return 1; }
        root=sudo
    fi
    # Name servers to compare with are wanted as programs, not as services.
    guard=/usr/sbin/policy-rc.d
    if [ -e "$guard" ]; then
        guard=
    else
        printf '#!/bin/sh\nexit 101\n' | $root tee "$guard" >/dev/null && $root chmod 755 "$guard"
    fi
    # shellcheck disable=SC2086 # a list of words
    $root apt-get -q update >"$log" 2>&1 </dev/null &&
        $root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y --no-install-recommends install $missing </dev/null >>"$log" 2>&1
    status=$?
    packages_unguard
    [ "$status" -eq 0 ] || tail -n 20 "$log"
    return "$status"
}

# Takes away what keeps services from starting; also to be called by whoever is interrupted meanwhile.
packages_unguard() {
    [ -z "${guard:-}" ] || $root rm -f "$guard"
    guard=
}
