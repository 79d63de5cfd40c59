#!/bin/bash
# logs.sh -- how fast, and at which cost, a service's output gets out: `cvx
# start` side by side with `docker compose logs -f`, in one run.
#
#   RUNS=5 tests/bench/logs.sh
#
# A service prints COUNT numbered (2 M) lines as fast as it can; what comes out is
# written to a file, of which every number must be there once and in order.
# Throughput is the output's bytes over the time from the word to begin until
# the last line is in the file; CPU is that of the client, of rackd and of the
# engine's daemon, from /proc. Prints medians with minimum and maximum. Without
# `docker compose` the peer's rows are left out, and said so.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
runs=${RUNS:-5}
lines=${COUNT:-2000000}
. "$top/tests/bench/stats.sh"
. "$top/images/api.sh"
api_use "${DOCKER_HOST:-unix:///var/run/docker.sock}"

home=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
mkdir -m 700 "$home/run" "$home/state" "$home/logs"
export XDG_RUNTIME_DIR=$home/run XDG_STATE_HOME=$home/state
cvx=${CVX:-$top/build/plain/bin/cvx}
trap '"$cvx" rackd stop >/dev/null 2>&1 || true; rm -rf "$home"' EXIT
cd "$home/logs"

# 75 bytes a line; begins when it is told to, and then stays.
printer="\$SIG{USR1} = sub { \$go = 1 }; print STDERR qq(waiting\\n);
select undef, undef, undef, 0.01 until \$go; \$x = q(x) x 58;
printf qq(line %010d %s\\n), \$_, \$x for 1 .. $lines; \$| = 1; print qq();
sleep 600"
jq -n --arg p "$printer" '{services: {web: {image: "cvx/base:trixie",
    command: ["perl", "-e", $p], termination: {grace: 1}}}}' >convox.yml
jq -n --arg p "$printer" '{services: {web: {image: "cvx/base:trixie", init: true,
    command: ["perl", "-e", ($p | gsub("\\$"; "$$"))], stop_grace_period: "1s"}}}' >compose.yaml

note() { times[$1]+="$2 "; } # NAME VALUE

ticks() { awk '{print $14 + $15}' "/proc/$1/stat" 2>/dev/null || echo 0; }
descendants() { # PID: it and all below it
    echo "$1"
    for child in $(pgrep -P "$1"); do descendants "$child"; done
}
cpu_of() { # PID...: seconds so far
    local sum=0 pid

    for pid; do sum=$((sum + $(ticks "$pid"))); done
    awk -v t=$sum -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "%.2f", t / hz}'
}
peak_kb() { awk '/^VmHWM/ {print $2}' "/proc/$1/status"; }
minus() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a - b}'; }

# Until the last number is in `out`; 120 s at most. One process: what is to be
# measured needs both processors.
wait_last() {
    perl -e 'my $last = sprintf "line %010d", shift;
        open my $f, "<", "out" or die;
        for (1 .. 12000) {
            seek $f, -200, 2;
            read $f, my $end, 200;
            exit if index($end, $last) >= 0;
            select undef, undef, undef, 0.01;
        }' "$lines"
}

# "yes", or what is wrong: every number once, in order, each line whole.
complete() {
    perl -ne 'next unless /line (\d{10}) x/; $n++; $bad++ if $1 != $n || !/ x{58}$/;
        END { $bad += 0; print $n == '"$lines"' && !$bad ? "yes" : "NO: $n lines, $bad bad" }' out
}

# round SIDE CONTAINER CLIENT [RACKD]: the client's output goes to `out`.
round() {
    local side=$1 container=$2 client=$3 rackd=${4:-} clients before engine begin end size

    clients=$(descendants "$client")
    before=$(cpu_of $clients $rackd)
    engine=$(cpu_of $dockerd)
    size=$(stat -c %s out)
    begin=$(date +%s%N)
    api_curl POST "/containers/$container/kill?signal=USR1" -f >/dev/null
    wait_last
    end=$(date +%s%N)
    note "$side cpu" "$(minus "$(cpu_of $clients $rackd)" "$before")"
    note "$side engine" "$(minus "$(cpu_of $dockerd)" "$engine")"
    note "$side total" "$(minus "$(cpu_of $clients $rackd $dockerd)" "$(awk -v a=$before -v b=$engine 'BEGIN {print a + b}')")"
    note "$side rate" "$(awk -v b=$(($(stat -c %s out) - size)) -v ns=$((end - begin)) \
        'BEGIN {printf "%.1f", b * 1e3 / ns}')"
    note "$side rss" "$(peak_kb "$(tail -n 1 <<<"$clients")")"
    [ -z "$rackd" ] || note "$side rackd" "$(peak_kb "$rackd")"
    whole[$side]+="$(complete) "
}

wait_text() { # FILE TEXT
    for _ in $(seq 600); do
        ! grep -q "$2" "$1" || return 0
        sleep 0.05
    done
    echo "never seen: $2" >&2
    exit 1
}

cvx_round() {
    local client id

    "$cvx" start -a logs >out 2>errors </dev/null &
    client=$!
    wait_text out waiting
    wait_text out 'ready in'
    id=$(api_curl GET "/containers/json" | jq -r --arg r "$(cat "$XDG_STATE_HOME/cvx/local/id")" \
        '.[] | select(.Labels["cvx.rack"] == $r and .Labels["cvx.kind"] == "service").Id')
    round cvx "$id" "$client" "$("$cvx" rackd status --json | jq .pid)"
    kill -INT "$client"
    wait "$client" || true
    "$cvx" rackd stop >/dev/null
}

compose_round() {
    local client id

    $compose up -d >/dev/null 2>&1
    id=$($compose ps -q web)
    $compose logs -f >out 2>errors </dev/null &
    client=$!
    wait_text out waiting
    round compose "$id" "$client"
    $compose down -v >/dev/null 2>&1
    wait "$client" || true
}

dockerd=$(cat /var/run/docker.pid 2>/dev/null || true)
[ -n "$dockerd" ] || echo "no /var/run/docker.pid: the daemon's CPU is not known" >&2
compose=
if docker compose version >/dev/null 2>&1; then
    compose="docker compose -p cvx-bench-logs"
else
    echo "docker compose is not installed: the peer's rows are left out" >&2
fi
declare -A whole
for run in $(seq "$runs"); do
    echo "run $run of $runs" >&2
    cvx_round
    [ -z "$compose" ] || compose_round
done

side_rows() { # SIDE TITLE
    row "$2: logs throughput MB/s" "$1 rate"
    row "$2: logs CPU s" "$1 total"
    row "  of it the client's" "$1 cpu"
    row "  of it the daemon's" "$1 engine"
    row "  client's peak RSS, kB" "$1 rss"
    [ -z "${times[$1 rackd]:-}" ] || row "  rackd's peak RSS, kB" "$1 rackd"
    echo "  complete and in order: ${whole[$1]}"
}

echo
echo "$lines lines, $runs runs: median (min - max)"
side_rows cvx cvx
[ -n "$compose" ] || exit 0
side_rows compose "compose logs -f"
awk -v a="$(median "cvx rate")" -v b="$(median "compose rate")" -v c="$(median "cvx total")" \
    -v d="$(median "compose total")" 'BEGIN {
    printf "  throughput: %.1f x the peer, CPU: %.2f of the peer\n", a / b, c / d }'
