# growth.sh -- 1, 5, 20 and 50 equal services, and what one more costs. Sourced
# by bench.sh.
#
# The floor makes the containers that cvx makes: with an init, their output
# listened to from before the start.

growth_counts=(${GROWTH:-1 5 20 50})
floor_like_cvx='{"HostConfig":{"Init":true}}'

growth_app() { # COUNT: its directory
    local dir=$work/growth-$1 i

    mkdir -p "$dir"
    {
        echo services:
        for i in $(seq "$1"); do
            printf '  s%d:\n    image: %s\n    command: sleep infinity\n' \
                "$i" $IMAGE_WEB
        done
    } >"$dir/convox.yml"
    sed 's/^    command: .*/    command: [sleep, infinity]\n    init: true/' \
        "$dir/convox.yml" >"$dir/compose.yaml"
    echo "$dir"
}

resident_mb() { # PID
    awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"
}

rackd_pid() { "$cvx" rackd status --json | jq .pid; }

growth_round() {
    local n lines

    rack_use growth
    cd "$(growth_app 1)"
    "$cvx" start --detach -a growth >/dev/null # now a rackd runs
    "$cvx" stop -a growth >/dev/null
    for n in "${growth_counts[@]}"; do
        rack_settles
        cd "$(growth_app "$n")"
        timed "growth start $n" "$cvx" start --json --detach -a growth
        note "calls $n" "$(jq -R 'fromjson? | select(.type == "ready").engine_calls' \
            <<<"$output")"
        note "rackd MB $n" "$(resident_mb "$(rackd_pid)")"
        timed "growth stop $n" "$cvx" stop -a growth
        rack_settles
        lines=$("$floor" -n "$n" -i $IMAGE_WEB -c "$floor_like_cvx" \
            network create,attach,start remove no-network)
        note "floor growth start $n" "$(floor_sum '^(network|create)' <<<"$lines")"
        note "floor growth stop $n" "$(floor_sum '^(remove|no-network)' <<<"$lines")"
        peer compose.yaml "peer growth start $n" up -d --wait
        peer compose.yaml "peer growth stop $n" down -t 10
    done
    rackd_stop
}

growth_rows() {
    local n few=${growth_counts[0]} many=${growth_counts[-1]} what

    [[ " ${growth_counts[*]} " != *" 5 "* ]] || [ "$many" -le 5 ] || few=5
    for what in start stop; do
        slope "growth $what" "$few" "$many"
        slope "floor growth $what" "$few" "$many"
        slope "peer growth $what" "$few" "$many"
    done
    head_line "growth: equal services, s"
    for what in start stop; do
        for n in "${growth_counts[@]}"; do
            compare "$what of $n service$([ "$n" = 1 ] || echo s)" "growth $what $n" \
                "peer growth $what $n" "floor growth $what $n"
        done
        compare "$what of one more, $few to $many" "growth $what each" \
            "peer growth $what each" "floor growth $what each"
    done
    compare "rackd beside $many, MB" "rackd MB $many"
    compare "engine calls, start of $many" "calls $many"
}
