#!/bin/bash
# soak.sh [CYCLES] -- starts and stops an app again and again in one rackd, and
# prints what that costs: rackd's memory and descriptors, and what is on the
# engine, at the beginning and at the end. Status 1 when they grow.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cvx=${CVX:-$top/build/plain/bin/cvx}
cycles=${1:-300}
warm=10 # what is allocated once has been by then

if [ -z "${SOAK_INSIDE:-}" ]; then
    "$here/engine.sh" up >/dev/null
    status=0
    SOAK_INSIDE=yes "$here/engine.sh" exec "$0" "$cycles" || status=$?
    "$here/engine.sh" down
    exit $status
fi
home=$(mktemp -d)
mkdir -m 700 "$home/run" "$home/state" "$home/app"
export XDG_RUNTIME_DIR=$home/run XDG_STATE_HOME=$home/state HOME=$home
trap '"$cvx" rackd stop >/dev/null 2>&1 || true; rm -rf "$home"' EXIT
cd "$home/app"
cp "$here/convox.yml" .

look() { # one line: rss kB, descriptors, containers, networks, volumes
    local pid all

    pid=$("$cvx" rackd status --json | jq .pid)
    all=$(perl "$here/census.pl" "${DOCKER_HOST#unix://}" all)
    echo "$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")" \
        "$(ls "/proc/$pid/fd" | wc -l)" "$(grep -c ^containers <<<"$all")" \
        "$(grep -c ^networks <<<"$all")" "$(grep -c ^volumes <<<"$all")"
}

begun=$SECONDS first=
for i in $(seq "$cycles"); do
    "$cvx" start --detach >out 2>&1 || { cat out >&2; exit 1; }
    "$cvx" stop >out 2>&1 || { cat out >&2; exit 1; }
    [ "$i" != $((cycles < warm ? cycles : warm)) ] || first=$(look)
done
last=$(look)
row() { printf '# %-22s %10s %12s %11s %9s %8s\n' "$@"; }
row "" "rss kB" descriptors containers networks volumes
row "after $((cycles < warm ? cycles : warm)) cycles" $first
row "after $cycles cycles" $last
echo "# $cycles cycles in $((SECONDS - begun)) s"
read -r rss fds c n v <<<"$first"
read -r rss2 fds2 c2 n2 v2 <<<"$last"
[ "$fds2" -le "$fds" ] && [ "$c2 $n2 $v2" = "$c $n $v" ] && [ "$rss2" -le $((rss + 1024)) ]
