# idle.sh -- short commands beside a session, and what rackd costs while nothing
# happens. Sourced by bench.sh.

idle_services=20

ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }

# cpu_percent PID SECONDS
cpu_percent() {
    local before

    before=$(ticks "$1")
    sleep "$2"
    awk -v t=$(($(ticks "$1") - before)) -v hz="$(getconf CLK_TCK)" -v s="$2" \
        'BEGIN {printf "%.2f", 100 * t / hz / s}'
}

# most_mb COMMAND...: the most memory it had.
most_mb() {
    { command time -f %M "$@" >/dev/null; } 2>&1 | awk 'END {printf "%.1f", $1 / 1024}'
}

# One session of cvx and one of the peer, side by side, the same services.
idle_measure() {
    local pid run

    rack_use growth
    cd "$(growth_app $idle_services)"
    "$cvx" start --detach -a growth >/dev/null </dev/null
    peer compose.yaml "peer idle start" up -d --wait
    pid=$(rackd_pid)
    for run in $(seq $((runs * 4))); do
        timed "ps" "$cvx" ps -a growth
        peer compose.yaml "peer ps" ps
        [ "$run" -gt "$runs" ] || {
            note "ps MB" "$(most_mb "$cvx" ps -a growth)"
            [ ${#compose[@]} = 0 ] || note "peer ps MB" \
                "$(HOME=$home most_mb "${compose[@]}" -p cvx-bench ps)"
        }
    done
    for run in $(seq "$runs"); do
        note "rackd MB" "$(resident_mb "$pid")"
        note "rackd CPU" "$(cpu_percent "$pid" 5)"
    done
    "$cvx" stop -a growth >/dev/null
    peer compose.yaml "peer idle stop" down -t 10
    rackd_stop
}

idle_rows() {
    head_line "beside $idle_services services"
    compare "ps, s" "ps" "peer ps"
    compare "ps, MB at most" "ps MB" "peer ps MB"
    compare "rackd, MB resident" "rackd MB"
    compare "rackd, % CPU when idle" "rackd CPU"
}
