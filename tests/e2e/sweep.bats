# What dead racks left: cvx sweep finds it and removes it, and nothing else. And
# cvx down, which can forget kept data too.

bats_require_minimum_version 1.5.0
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() {
    local sound=0

    engine_clean
    [ ! -e "$RACK_HOME/other" ] || in_other rack_down || sound=1
    rack_down && return $sound
}

# in_other COMMAND...: with another rack's home, so with a rackd of its own.
in_other() (
    RACK_HOME=$RACK_HOME/other
    mkdir -p -m 700 "$RACK_HOME"/{run,state}
    export XDG_RUNTIME_DIR=$RACK_HOME/run XDG_STATE_HOME=$RACK_HOME/state
    cvx_pid=
    "$@"
)

lone() {
    app "$1" <<YML
services:
  web: {image: $WEB_IMAGE, command: exec sleep 600, termination: {grace: 1}}
YML
    "$CVX" start --detach
}

cache() {
    app "$1" <<<'resources: {cache: {type: redis}}'
    "$CVX" start --detach --keep-data
}

# leaves NAME: a rack of that app dies, its reapers with it; $dead is its pid.
leaves() {
    in_other lone "$1"
    dead=$(in_other rackd_pid)
    in_other rackd_dies_alone
    left=$(in_other rack_census)
    [ "$(wc -l <<<"$left")" = 2 ]
}

# about TEXT: those lines of stdin; other runs' dead racks may be on the engine.
about() { grep -E "^(would remove|removed|cannot remove) .* $1" | sed -E 's/-s[0-9a-f]{6}/-S/' | sort; }

# Soon: another run's racks may be dying at this moment.
nothing_is_left() { [ "$("$CVX" sweep && echo 0)" = $'Nothing is left behind\n0' ]; }

# ---- sweep ---------------------------------------------------------------------

@test "sweep --dry-run lists what a dead rack left, and removes nothing" {
    leaves shop
    run --separate-stderr "$CVX" sweep --dry-run
    [ "$status" = 0 ]
    [ -z "$stderr" ]
    [ "$(about shop- <<<"$output")" = "would remove container shop-S-web-1, of rackd $dead, which is gone
would remove network shop-S, of rackd $dead, which is gone" ] || {
        about shop- <<<"$output"
        false
    }
    [ "$(in_other rack_census)" = "$left" ]
    "$CVX" sweep
}

@test "sweep removes it and says what; then nothing is left behind" {
    leaves shop
    run --separate-stderr "$CVX" sweep
    [ "$status" = 0 ]
    [ -z "$stderr" ]
    [ "$(about shop- <<<"$output")" = "removed container shop-S-web-1, of rackd $dead, which is gone
removed network shop-S, of rackd $dead, which is gone" ]
    in_other rack_is_empty
    wait_for 10 nothing_is_left
}

@test "sweep --json: an event for each, then the end" {
    leaves shop
    "$CVX" sweep --dry-run --json >dry
    jq -es 'map(select(.app? == "shop")) | length == 2 and all(.removed == false)' dry
    "$CVX" sweep --json >swept
    jq -es --arg why "of rackd $dead, which is gone" 'map(select(.app? == "shop")) |
        map(.kind) == ["container", "network"] and
        all(.type == "leftover" and .removed and .error == "" and .why == $why and
            (.id | length) == 64)' swept
    jq -es '.[-1] | .type == "end" and .status == 0 and .found >= 2' swept
    in_other rack_is_empty
    wait_for 10 eval '"$CVX" sweep --json | jq -es "length == 1 and .[0].found == 0 and .[0].status == 0"'
}

@test "sweep does not touch what a living rack made, and does once that is dead" {
    in_other lone shop
    lone here
    wait_for 5 reaper_container # it comes once the session is ready
    in_other wait_for 5 reaper_container
    before=$(in_other rack_census) own=$(rack_census)
    [ "$(wc -l <<<"$before")" = 3 ]
    "$CVX" sweep --dry-run >said
    "$CVX" sweep >>said
    in_other "$CVX" sweep >>said
    never grep -E ' (shop|here)-' said
    [ "$(in_other rack_census)" = "$before" ]
    [ "$(rack_census)" = "$own" ]
    in_other rackd_dies_alone
    "$CVX" sweep >said
    [ "$(about shop- <said | wc -l)" = 2 ]
    in_other rack_is_empty
    [ "$(rack_census)" = "$own" ]
    "$CVX" stop
    rack_is_empty
}

@test "sweep: what cannot be removed is said, status 1, and can be later" {
    leaves shop
    network=$(cut -d' ' -f2 <<<"$(grep ^network <<<"$left")")
    guest=$(container "$WEB_IMAGE" '{"Cmd": ["sleep", "600"], "StopSignal": "KILL"}')
    api POST "/networks/$network/connect" "{\"Container\": \"$guest\"}"
    run --separate-stderr "$CVX" sweep
    [ "$status" = 1 ]
    [ "$(about shop- <<<"$output")" = "cannot remove network shop-S, of rackd $dead, which is gone
removed container shop-S-web-1, of rackd $dead, which is gone" ]
    [[ $stderr =~ ^"ERROR: network $network: ".*("active endpoints"|"network is being used") ]]
    container_state "$guest" | grep running
    api DELETE "/containers/$guest?force=1"
    "$CVX" sweep
    in_other rack_is_empty
}

@test "sweep: an engine that is not there" {
    DOCKER_HOST=unix:///nowhere run --separate-stderr "$CVX" sweep
    [ "$status" = 1 ]
    [[ $stderr == "ERROR: no container engine answers"* ]]
    [ -z "$output" ]
}

# ---- down ----------------------------------------------------------------------

@test "down: stopped, counted, and kept data is kept" {
    cache shop
    run "$CVX" down
    [ "$status" = 0 ]
    [[ $output =~ ^Stopping\ shop\.\.\.\ OK$'\n'removed\ 1\ container,\ 1\ network,\ 0\ volumes\ in\ [0-9.]+\ s$ ]]
    [[ $(rack_census) =~ ^volume\ [^[:space:]]+$ ]]
    run --separate-stderr "$CVX" down
    [ "$status" = 1 ]
    [ "$stderr" = "ERROR: app not running: shop" ]
    "$CVX" down --data
    rack_is_empty
}

@test "down --data of an app that runs: stopped, and its data forgotten" {
    cache other # another app's stays
    "$CVX" down
    other=$(rack_census)
    cache shop
    run "$CVX" down --data
    [ "$status" = 0 ]
    [ "${lines[0]}" = "Stopping shop... OK" ]
    [ "${lines[2]}" = "Forgetting the data of shop... OK" ]
    [ "${lines[3]}" = "removed 1 kept volume" ]
    [ "$(rack_census)" = "$other" ]
    "$CVX" down --data -a other
    rack_is_empty
}

@test "down --data of an app that does not run, and of one that kept nothing" {
    cache shop
    "$CVX" stop
    [ "$(rack_census | wc -l)" = 1 ]
    run "$CVX" down --data
    [ "$status" = 0 ]
    [ "$output" = "Stopping shop... OK, it was not running
Forgetting the data of shop... OK
removed 1 kept volume" ]
    rack_is_empty
    "$CVX" rackd stop # as good without a rackd
    run "$CVX" down --data
    [ "$status" = 0 ]
    [ "$output" = "Stopping shop... OK, it was not running
Forgetting the data of shop... OK
removed 0 kept volumes" ]
    lone quick
    run "$CVX" down --data
    [ "$status" = 0 ]
    [ "${lines[0]} ${lines[-1]}" = "Stopping quick... OK removed 0 kept volumes" ]
    rack_is_empty
}

@test "down --data --json: only JSON on stdout" {
    cache shop
    run --separate-stderr "$CVX" down --data --json
    [ "$status" = 0 ]
    jq -es 'any(.type == "removed" and .containers == 1) and
        (.[-1] == {"type": "forgotten", "volumes": 1})' <<<"$output"
    run --separate-stderr "$CVX" down --data --json
    [ "$status" = 0 ]
    [ "$output" = '{"type":"forgotten","volumes":0}' ]
}
