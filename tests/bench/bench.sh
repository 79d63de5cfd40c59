#!/bin/bash
# bench.sh -- cvx side by side with docker compose, in one run, on the same
# images: five resources and one service.
#
#   RUNS=5 tests/bench/bench.sh
#
# The service leaves SIGTERM at its default, as most programs do. As process 1
# of its container it then never sees it, and the peer waits its 10 s; cvx runs
# it under an init, as Convox does. INIT=1 gives the peer one too.
#
# Prints one table: medians with minimum and maximum. Without `docker compose`
# the peer's rows are left out, and said so. Needs an engine with the stand-in
# images (make bench sees to both).
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
app=$top/fixtures/apps/bench
runs=${RUNS:-5}
. "$top/tests/bench/stats.sh"

export IMAGE_POSTGRES=cvx/postgres:17 IMAGE_MYSQL=cvx/mysql:9.7
export IMAGE_MARIADB=cvx/mariadb:11.8 IMAGE_REDIS=cvx/redis:8.0
export IMAGE_MEMCACHED=cvx/memcached:1.6 IMAGE_WEB=cvx/base:trixie
images=(-e IMAGE_POSTGRES=$IMAGE_POSTGRES -e IMAGE_MYSQL=$IMAGE_MYSQL
    -e IMAGE_MARIADB=$IMAGE_MARIADB -e IMAGE_REDIS=$IMAGE_REDIS
    -e IMAGE_MEMCACHED=$IMAGE_MEMCACHED -e IMAGE_WEB=$IMAGE_WEB)

# A rack of its own, so that a developer's rackd is not disturbed.
home=$(mktemp -d)
mkdir -m 700 "$home/run" "$home/state"
export XDG_RUNTIME_DIR=$home/run XDG_STATE_HOME=$home/state
cvx=${CVX:-$top/build/plain/bin/cvx}
trap '"$cvx" rackd stop >/dev/null 2>&1 || true; rm -rf "$home"' EXIT

cd "$app"
[ -z "${INIT:-}" ] || {
    sed '/^  web:/a\    init: true' compose.yaml >"$home/compose.yaml"
    export COMPOSE_FILE=$home/compose.yaml
}
compose=
if docker compose version >/dev/null 2>&1; then
    compose="docker compose -p cvx-bench"
else
    echo "docker compose is not installed: the peer's rows are left out" >&2
fi

cvx_round() { # COLUMN PREFIX
    timed "$1 start" "$cvx" start --detach "${images[@]}" -a bench
    timed "$1 stop" "$cvx" stop -a bench
}

for run in $(seq "$runs"); do
    echo "run $run of $runs" >&2
    "$cvx" rackd stop >/dev/null 2>&1 || true
    cvx_round "cvx first"
    cvx_round "cvx again"
    if [ -n "$compose" ]; then
        timed "compose start" $compose up -d --wait
        timed "compose stop" $compose down -v -t 10
    fi
done

# Calls, memory and CPU of one idle session; short commands beside it.
"$cvx" start --json --detach "${images[@]}" -a bench >"$home/events"
calls=$(jq -r 'select(.type == "ready").engine_calls' "$home/events")
pid=$("$cvx" rackd status --json | jq .pid)
rss=$(awk '/^VmRSS/ {print $2}' "/proc/$pid/status")
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
before=$(ticks)
sleep 10
cpu=$(awk -v t=$(($(ticks) - before)) -v hz="$(getconf CLK_TCK)" \
    'BEGIN {printf "%.2f", 100 * t / hz / 10}')
for _ in $(seq 20); do
    timed "cvx ps" "$cvx" ps -a bench
    [ -z "$compose" ] || timed "compose ps" $compose ps
done
ps_kb=$( { command time -f %M "$cvx" ps -a bench >/dev/null; } 2>&1 | tail -1 || echo 0)
"$cvx" stop -a bench >/dev/null

echo
echo "five resources + one service, $runs runs: median (min - max), seconds"
row "cvx: first start (new rackd)" "cvx first start"
row "cvx: next start" "cvx again start"
[ -z "$compose" ] || row "compose up --wait" "compose start"
row "cvx: stop" "cvx again stop"
[ -z "$compose" ] || row "compose down -v" "compose stop"
row "cvx ps" "cvx ps"
[ -z "$compose" ] || row "compose ps" "compose ps"
if [ -n "$compose" ]; then
    echo
    ratio "first start" "compose start" "cvx first start"
    ratio "next start" "compose start" "cvx again start"
    ratio "teardown" "compose stop" "cvx again stop"
fi
echo
echo "engine calls for the start: $calls for 6 containers and 1 network" \
    "($(awk -v c="$calls" 'BEGIN {printf "%.1f", c / 6}') each)"
echo "rackd with 6 containers, idle: $((rss / 1024)) MB resident, $cpu % CPU over 10 s"
echo "cvx ps: $ps_kb kB at most"
