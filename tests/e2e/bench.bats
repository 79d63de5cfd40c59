#!/usr/bin/env bats
# The benchmark's own parts: what it compares with must do what it says, and
# leave nothing.
load ../support/engine

FLOOR=$ROOT/build/plain/bin/floor

setup_file() { engine_use; }

# floor ARG...: its output in $output, its status, and what it left in $left.
floor() {
    local pid

    status=0
    "$FLOOR" "$@" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    pid=$!
    wait "$pid" || status=$?
    output=$(cat "$BATS_TEST_TMPDIR/out")
    left=$(labelled "floor=floor-$pid")
}

@test "the floor times every phase, and nothing is left" {
    floor -n 2 network create,attach,start rename,pause,unpause remove no-network
    [ "$status" = 0 ]
    [ "$(cut -d' ' -f1 <<<"$output" | paste -sd' ')" = \
        "network create,attach,start rename,pause,unpause remove no-network" ]
    ! grep -Ev '^[a-z,-]+ [0-9]+\.[0-9]$' <<<"$output"
    [ -z "$left" ]
}

@test "a floor that fails says at which step, and leaves nothing" {
    floor -n 2 network create,start connect=nowhere remove
    [ "$status" = 1 ]
    grep -q '^floor: connect: .*404' <<<"$output"
    [ -z "$left" ]
}

@test "a floor that is interrupted leaves nothing" {
    local pid

    "$FLOOR" -n 4 network create,start inspect inspect inspect >/dev/null 2>&1 3>&- &
    pid=$!
    wait_for 10 eval "labelled floor=floor-$pid | grep -q container"
    kill -INT "$pid"
    ! wait "$pid"
    [ -z "$(labelled "floor=floor-$pid")" ]
}

@test "a step that there is not is refused before anything is made" {
    floor network create,stat
    [ "$status" = 64 ]
    grep -q 'no such step: stat' <<<"$output"
    [ -z "$left" ]
}

@test "what was asked for is laid over the container" {
    floor -n 1 -c '{"Image":"no/such:image"}' network create
    [ "$status" = 1 ]
    grep -q 'no/such:image' <<<"$output"
}

@test "the bench prints its table and its figures without a peer" {
    PEER=none PARTS=growth GROWTH="1 2" RUNS=1 BENCH_JSON=$BATS_TEST_TMPDIR/json \
        timeout 60 "$ROOT/tests/bench/bench.sh" >"$BATS_TEST_TMPDIR/out" 3>&-
    grep -Eq '^  start of 2 services +[0-9.]+ \(' "$BATS_TEST_TMPDIR/out"
    grep -Eq '^  start of one more, 1 to 2 ' "$BATS_TEST_TMPDIR/out"
    jq -e '."growth start 2".median > 0 and ."floor growth stop 1".runs[0] > 0' \
        "$BATS_TEST_TMPDIR/json"
}
