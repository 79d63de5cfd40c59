# starts.sh -- five resources and one service: starts and teardowns. Sourced by
# bench.sh.
#
# cold           a rack never used: no templates, databases initialise
# warm           templates are there
# warm, --warm   the databases run already, frozen, and are taken over

app=$top/fixtures/apps/bench

cvx_start() { # TIME-NAME
    timed "$1" "$cvx" start --detach "${images[@]}" -a bench
}
cvx_stop() { # TIME-NAME
    timed "$1" "$cvx" stop -a bench
}

are_frozen() { [ "$("$cvx" rackd status --json | jq .warm)" = 5 ]; }

# wait_until SECONDS COMMAND...
wait_until() {
    local end=$((SECONDS + $1))

    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# As it comes: with all that rackd does in the background after a first start.
cold_round() {
    rack_new "cold$1"
    cvx_start "cold start"
    cvx_stop "cold stop"
    ! knows templates || "$cvx" templates prune >/dev/null
    rackd_stop
}

warm_round() {
    rack_use warm
    ! knows templates || "$cvx" templates build "${images[@]}" -a bench >/dev/null
    rackd_stop
    cvx_start "warm start, new rackd"
    cvx_stop "warm stop"
    cvx_start "warm start"
    ! knows timings || "$cvx" timings -a bench >"$work/timings" || true
    cvx_stop "warm stop"
    rackd_stop
}

# The first start makes ahead what the second takes over.
ahead_round() {
    rack_use warm
    "$cvx" start --detach --warm "${images[@]}" -a bench >/dev/null
    if wait_until 60 are_frozen; then
        "$cvx" stop -a bench >/dev/null
        cvx_start "ahead start"
        cvx_stop "ahead stop"
    else
        echo "nothing was made ahead within 60 s: its row is left out" >&2
    fi
    rackd_stop
}

# Their own settings, and nothing of what is in them: the engine's share.
floor_round() {
    local args=() name lines

    for name in "${!IMAGE_@}"; do
        args+=(-i "${!name}")
    done
    lines=$("$floor" -n 6 "${args[@]}" network create,start remove no-network)
    note "floor start" "$(floor_sum '^(network|create)' <<<"$lines")"
    note "floor stop" "$(floor_sum '^(remove|no-network)' <<<"$lines")"
}

# floor_sum PATTERN: the seconds of the phases that match.
floor_sum() {
    awk -v p="$1" '$1 ~ p {ms += $NF} END {printf "%.4f", ms / 1e3}'
}

# The service leaves SIGTERM at its default, as most programs do. As process 1
# of its container it never sees it, and the peer waits its 10 s; cvx runs it
# under an init, as Convox does. So the peer is measured with an init too.
starts_round() {
    cd "$app"
    cold_round "$1"
    peer compose.yaml "peer start" up -d --wait
    peer compose.yaml "peer stop" down -v -t 10
    warm_round
    sed '/^  web:/a\    init: true' compose.yaml >"$work/compose-init.yaml"
    peer "$work/compose-init.yaml" "peer start" up -d --wait
    peer "$work/compose-init.yaml" "peer stop, init" down -v -t 10
    ahead_round
    floor_round
}

starts_rows() {
    head_line "five resources + one service, s"
    compare "cold start" "cold start" "peer start" "floor start"
    compare "warm start, new rackd" "warm start, new rackd" "peer start" "floor start"
    compare "warm start" "warm start" "peer start" "floor start"
    compare "warm start, made ahead (--warm)" "ahead start" "peer start" "floor start"
    compare "teardown" "warm stop" "peer stop" "floor stop"
    ! has "peer stop, init" || compare "teardown, peer with an init" "warm stop" \
        "peer stop, init" "floor stop"
    compare "teardown after a cold start" "cold stop"
    compare "teardown after --warm" "ahead stop"
    [ -s "$work/timings" ] || return 0
    printf '\nwhere the last warm start spent its time\n'
    sed 's/^/  /' "$work/timings"
}
