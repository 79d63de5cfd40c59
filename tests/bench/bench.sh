#!/bin/bash
# bench.sh -- cvx side by side with docker compose and with the engine's own
# floor, in one run, on the same images. Prints one table: medians of RUNS
# rounds with minimum and maximum.
#
#   RUNS=5 tests/bench/bench.sh            a short one: RUNS=1 make bench
#   PARTS="starts growth idle logs"        only some of it
#   GROWTH="1 5 20 50"                     numbers of services
#   PEER=none                              without the peer
#   BENCH_JSON=FILE                        every figure, for programs
#
# In a round everything is measured once, cvx, the peer and the floor next to
# each other, so that what else the machine does falls on all of them. Without
# `docker compose` its columns are empty, and that is said. Needs an engine with
# the stand-in images (make bench sees to both).
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
cvx=${CVX:-$top/build/plain/bin/cvx}
floor=${FLOOR:-$top/build/plain/bin/floor}
runs=${RUNS:-5}
parts=" ${PARTS:-starts growth idle logs} "
export DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}
. "$top/images/api.sh"
for file in stats peer starts growth idle; do
    . "$top/tests/bench/$file.sh"
done
api_use "$DOCKER_HOST"

work=$(mktemp -d)
clean_up() {
    racks_remove
    [ ${#compose[@]} = 0 ] ||
        env HOME="$home" "${compose[@]}" -p cvx-bench down -v -t 0 >/dev/null 2>&1 || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM

part() { [[ $parts = *" $1 "* ]]; }

title() {
    local engine

    engine=$(api_curl GET /version | jq -r '"engine \(.Version)"')
    echo "cvx $("$cvx" version --json | jq -r '.client.version // .version')," \
        "${peer_name:-no peer}, $engine, $(nproc) CPUs;" \
        "$runs round$([ "$runs" = 1 ] || echo s): median (min-max)"
}

rack_new warm
rack_new growth
for round in $(seq "$runs"); do
    echo "round $round of $runs" >&2
    ! part starts || starts_round "$round"
    ! part growth || growth_round
done
! part idle || idle_measure

title
! part starts || starts_rows
! part growth || growth_rows
! part idle || idle_rows
if part logs && [ -x "$top/tests/bench/logs.sh" ]; then
    CVX=$cvx RUNS=$runs HOME=$home "$top/tests/bench/logs.sh"
fi
[ -z "${BENCH_JSON:-}" ] || times_json >"$BENCH_JSON"
