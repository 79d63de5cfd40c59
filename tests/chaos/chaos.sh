#!/bin/bash
# chaos.sh -- kills what runs, at random moments, and looks at what is left.
#
#   chaos.sh [--kills N] [--engine-kills N] [--seed S] [--on HOST]
#
# Runs on an engine of its own (engine.sh), where that may be: nothing else is
# on it, so a listing of everything before must equal the one after. --on: on
# this DOCKER_HOST instead; CHAOS_ENGINE is then the command that kills, stops
# and starts it (as engine.sh does), without which engine kills are skipped.
#
# A trial starts an app (a service with a volume, a resource), kills at a random
# moment between the start and the end of the teardown, and measures the time
# from the kill (of an engine: from when it answers again) until nothing with the
# rack's label is there any more, the reaper included. Prints a table; status 1
# for anything left, or later than 10 s.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/images/api.sh"
cvx=${CVX:-$top/build/plain/bin/cvx}

kills=12 engine_kills=2 seed=$RANDOM on= inside=
while [ $# -gt 0 ]; do
    case $1 in
    --kills) kills=$2 ;;
    --engine-kills) engine_kills=$2 ;;
    --seed) seed=$2 ;;
    --on) on=$2 ;;
    --inside) inside=$2 ;;
    *) sed -n '2,4p' "$0" >&2; exit 64 ;;
    esac
    shift 2
done

say() { echo "# $*"; }

# A trial that breaks off says where.
trap 'say "broke off: line $LINENO: $BASH_COMMAND: status $?"' ERR

# The script itself runs where the containers' addresses are.
if [ -z "$on$inside" ]; then
    if [ "$(id -u)" = 0 ]; then
        host=$("$here/engine.sh" up)
        status=0
        CHAOS_ENGINE="$here/engine.sh" "$here/engine.sh" exec "$0" --inside "$host" \
            --kills "$kills" --engine-kills "$engine_kills" --seed "$seed" || status=$?
        "$here/engine.sh" down
        exit $status
    fi
    on=$("$top/images/engine.sh")
    say "not root: no engine of our own, so none is killed"
fi
export DOCKER_HOST=${inside:-$on}
[ -n "${CHAOS_ENGINE:-}" ] || engine_kills=0
socket=${DOCKER_HOST#unix://}
api_use "$DOCKER_HOST"
RANDOM=$seed

home=$(mktemp -d)
mkdir -m 700 "$home/run" "$home/state" "$home/home" "$home/app"
export XDG_RUNTIME_DIR=$home/run XDG_STATE_HOME=$home/state HOME=$home/home
trap '"$cvx" rackd stop >/dev/null 2>&1 || true; rm -rf "$home"' EXIT
cd "$home/app"
cat >convox.yml <<'YML'
resources:
  cache: {type: redis, image: "cvx/redis:8.0"}
services:
  web:
    image: cvx/base:trixie
    command: trap 'exit 0' TERM; while :; do sleep 0.1; done
    resources: [cache]
    volumes: [data:/data]
    init: true
YML

# ---- one session -------------------------------------------------------------

# A group of its own, as a shell with job control makes it.
begin() {
    : >events
    setsid "$cvx" start --json >events 2>errors </dev/null &
    cvx_pid=$!
}

has() { grep -q "\"type\":\"$1\"" events; }

wait_for() { # EVENT SECONDS
    local end=$((SECONDS + $2))

    until has "$1"; do
        [ $SECONDS -lt $end ] && kill -0 "$cvx_pid" 2>/dev/null || return 1
        sleep 0.02
    done
}

rackd_pid() { "$cvx" rackd status --json 2>/dev/null | jq '.pid // empty' || true; }
reaper_pids() { pgrep -f "^cvx-reaper .*cvx.rack=$rack " || true; }

pause_ms() { sleep "$(awk -v ms="$1" 'BEGIN {print ms / 1000}')"; }

# Some are killed before they are ready, some after, some while they end.
wait_for_moment() {
    case $((RANDOM % 10)) in
    0 | 1 | 2 | 3 | 4) pause_ms $((RANDOM % 1200)) ;;
    5 | 6) wait_for ready 60 && pause_ms $((RANDOM % 500)) ;;
    *)
        wait_for ready 60 || true
        kill -INT "$cvx_pid" 2>/dev/null || true
        pause_ms $((RANDOM % 500))
        ;;
    esac
}

# ---- kinds of death ----------------------------------------------------------

die() { # PID...
    kill -9 "$@" 2>/dev/null || true
}

kill_cvx() { die "$cvx_pid"; }
kill_rackd() { die $(rackd_pid); }
kill_both() { die "$cvx_pid" $(rackd_pid); }
kill_group() { # both groups: what a CI runner does to a job
    local rackd

    rackd=$(rackd_pid)
    kill -9 -- "-$cvx_pid" 2>/dev/null || true
    [ -z "$rackd" ] || kill -9 -- "-$(ps -o pgid= -p "$rackd" | tr -d ' ')" 2>/dev/null || true
}
kill_tree() { # whatever is ours on this machine: only the engine is left
    until_reaper
    die "$cvx_pid" $(rackd_pid) $(reaper_pids)
}
kill_stopped() { # it hangs first
    local rackd

    rackd=$(rackd_pid)
    [ -z "$rackd" ] || kill -STOP "$rackd"
    pause_ms $((RANDOM % 300))
    die "$cvx_pid" $rackd
}
kill_resumed() { # it hangs, goes on, and cvx dies meanwhile
    local rackd

    rackd=$(rackd_pid)
    [ -z "$rackd" ] || kill -STOP "$rackd"
    die "$cvx_pid"
    pause_ms $((RANDOM % 300))
    [ -z "$rackd" ] || kill -CONT "$rackd"
}
kill_hup() { kill -HUP "$cvx_pid" 2>/dev/null || true; }

# Alone it can act only once it is there.
until_reaper() {
    for _ in $(seq 100); do
        api_curl GET '/containers/json?filters=%7B%22label%22%3A%5B%22cvx.kind%3Dreaper%22%5D%7D' |
            grep -q '"running"' && return
        kill -0 "$cvx_pid" 2>/dev/null || return 0
        sleep 0.05
    done
}

# A terminal of its own, which closes.
kill_terminal() {
    die "$terminal"
}

kinds=(cvx rackd both group tree stopped resumed hup terminal)

# ---- figures -----------------------------------------------------------------

declare -A times worst_of
leaks=0
set +m

note() { times[$1]+="$2 "; }

# How long until nothing is left, from now; notes it under $1.
census() {
    local out ms left

    out=$(perl "$here/census.pl" "$socket" "cvx.rack=$rack" 400 "${2:-10000}")
    ms=$(head -n 1 <<<"$out")
    left=$(tail -n +2 <<<"$out")
    note "$1" "$ms"
    if [ -n "$left" ]; then
        leaks=$((leaks + 1))
        say "LEFT after kill of $1 (seed $seed):"
        sed 's/^/#   /' <<<"$left"
        tail -n 20 "$home/run/cvx/rackd.log" | sed 's/^/#   rackd: /'
    fi
}

end_session() {
    kill -9 "$cvx_pid" 2>/dev/null || true
    wait "$cvx_pid" 2>/dev/null || true
}

trial() {
    local kind=${kinds[$(($1 % ${#kinds[@]}))]}

    if [ "$kind" = terminal ]; then
        : >events
        setsid script -qfc "exec $cvx start --json >events 2>errors" /dev/null </dev/null >/dev/null 2>&1 &
        terminal=$! cvx_pid=$!
        wait_for session 20 || true
        pause_ms $((RANDOM % 1500))
    else
        begin
        wait_for session 20 || true
        wait_for_moment
    fi
    "kill_$kind"
    census "$kind"
    end_session
}

# ---- engines -----------------------------------------------------------------

engine_answers() { # SECONDS
    local end=$((SECONDS + $1))

    until api_answers; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

wait_engine() {
    engine_answers 15 && return
    if $CHAOS_ENGINE mend 2>/dev/null && engine_answers 15; then
        say "the engine could not start by itself: its networks were forgotten"
        return
    fi
    say "the engine does not come back"
    exit 1
}

# The session goes on, or has ended and said why.
is_settled() {
    ! kill -0 "$cvx_pid" 2>/dev/null && return
    [ "$(api_curl GET "/containers/json?filters=$(jq -rn --arg l "cvx.rack=$rack" \
        '{label: [$l]} | tojson | @uri')" | jq 'map(select(.Labels["cvx.kind"] != "reaper")) | length')" = 2 ]
}

# At a terminal a session restarts what ended; elsewhere it ends with it.
begin_at_terminal() {
    : >typescript
    setsid script -qfc "exec $cvx start" typescript </dev/null >/dev/null 2>&1 &
    terminal=$!
    for _ in $(seq 100); do
        cvx_pid=$(pgrep -P "$terminal" || true)
        [ -z "$cvx_pid" ] || break
        sleep 0.02
    done
    for _ in $(seq 600); do
        ! grep -q 'ready in' typescript || break
        sleep 0.05
    done
}

wait_for_engine_moment() {
    wait_for session 20 || true
    if [ $((RANDOM % 3)) = 0 ]; then
        pause_ms $((RANDOM % 1200))
    else
        wait_for ready 60 || true
        pause_ms $((RANDOM % 500))
    fi
}

carried=0 ended=0
engine_trial() {
    local how=kill kind=engine with_rack=

    [ $((RANDOM % 3)) != 0 ] || how=stop
    [ $(($1 % 2)) = 0 ] || with_rack=yes
    if [ $(($1 % 4)) = 2 ]; then
        begin_at_terminal
        pause_ms $((RANDOM % 500))
    else
        begin
        wait_for_engine_moment
    fi
    if [ -n "$with_rack" ]; then
        kind=engine+rack
        kill_both
    fi
    $CHAOS_ENGINE $how
    pause_ms $((RANDOM % 1000))
    $CHAOS_ENGINE start
    wait_engine
    if [ -z "$with_rack" ]; then
        for _ in $(seq 200); do
            ! is_settled || break
            sleep 0.1
        done
        if kill -INT "$cvx_pid" 2>/dev/null; then
            carried=$((carried + 1))
        else
            ended=$((ended + 1))
        fi
    fi
    census "$kind" 20000
    end_session
}

# ---- all of them -------------------------------------------------------------

numbers() { tr ' ' '\n' <<<"${times[$1]:-}" | sed '/^$/d'; }
median() { awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

row() { # TITLE NAME...
    local title=$1 all

    shift
    all=$(for name; do numbers "$name"; done | sort -n)
    [ -n "$all" ] || return 0
    printf '# %-34s %6d %10d %10d\n' "$title" "$(wc -l <<<"$all")" \
        "$(median <<<"$all")" "$(tail -n 1 <<<"$all")"
}

say "seed $seed, engine $(api_curl GET /version | jq -r .Version)"
begin # the rack's id is made, and the reaper's image is there
wait_for ready 120 || { cat errors events >&2; exit 1; }
rack=$(cat "$home/state/cvx/local/id")
kill -INT "$cvx_pid"
wait "$cvx_pid" || true
before=$(perl "$here/census.pl" "$socket" all)

for i in $(seq 0 $((kills - 1))); do trial "$i"; done
for i in $(seq 0 $((engine_kills - 1))); do engine_trial "$i"; done

"$cvx" rackd stop >/dev/null 2>&1 || true
after=$(perl "$here/census.pl" "$socket" all)
if [ -z "$on" ] && [ "$before" != "$after" ]; then
    leaks=$((leaks + 1))
    say "the engine does not hold what it held before:"
    diff <(echo "$before") <(echo "$after") | sed 's/^/#   /' || true
fi

printf '# %-34s %6s %10s %10s\n' "killed with -9 at random moments" trials "median ms" "worst ms"
for kind in "${kinds[@]}"; do row "  $kind" "$kind"; done
row "all kills" "${kinds[@]}"
row "engine, since it answers" engine
row "engine and rack, since it answers" engine+rack
say "engine killed alone: session carried on $carried times, ended with a word $ended times"
say "leaks: $leaks"
[ "$leaks" = 0 ]
