# Resources that are started and frozen ahead of the start that uses them.

bats_require_minimum_version 1.5.0
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

frozen() { rack_census | grep -c 'container /pair-.* paused'; }
is_frozen() { [ "$(frozen)" = "$1" ]; }

# One start and its end; what it made ahead stays.
start_and_leave() {
    start_json --warm
    wait_event ready
    wait_for 20 is_frozen 1
    stop_json INT
    is_frozen 1
}

cache() { ask 127.0.0.1 "$(event ready | jq '.resources[] | select(.name == "cache").host_port')" "$1"; }

@test "the next start takes over what was frozen, and finds it empty and working" {
    pair
    start_json --warm
    wait_event ready
    [ "$(cache "SET a 1")" = +OK ]
    wait_for 20 is_frozen 1
    stop_json INT
    [ "$(event warm | jq .containers)" = 1 ]
    ahead=$(containers_of resource cache)
    start_json
    wait_event ready
    [ "$(containers_of resource cache)" = "$ahead" ]
    [ "$(cache "GET a")" = '$-1' ]
    [ "$(event session | jq -r .session)" = "$(api GET "/containers/$ahead/json" | jq -r '.Config.Labels["cvx.session"]')" ]
    "$CVX" logs -s cache | grep -q 'eady to accept' # from before it was frozen
    stop_json INT
    [ -z "$(session_census)" ]
}

@test "without --warm nothing stays" {
    pair
    start_json
    wait_event ready
    sleep 2.5 # a session kept warm would have been made by now
    [ "$(frozen)" = 0 ]
    stop_json INT
    wait_for 2 rack_is_empty
}

@test "rackd killed with -9: what is frozen goes too" {
    pair
    start_and_leave
    pid=$(rackd_pid)
    kill -9 "$pid"
    wait_for 4 rack_is_empty
}

@test "cvx down removes it" {
    pair
    start_and_leave
    "$CVX" down
    wait_for 4 rack_is_empty
    run -1 "$CVX" down
}

@test "an app that has changed does not get it" {
    pair
    start_and_leave
    ahead=$(containers_of resource cache)
    sed -i 's/cache: {type: redis}/cache: {type: valkey}/' convox.yml
    start_json
    wait_event ready
    [ "$(api GET "/containers/json?all=1" | jq --arg id "$ahead" '[.[] | select(.Id == $id)] | length')" = 0 ]
    stop_json INT
    wait_for 4 rack_is_empty
}

@test "more memory than the bound does not wait" {
    export CVX_WARM_MB=0
    pair
    start_json --warm
    wait_event ready
    wait_for 20 grep -q 'takes more memory than CVX_WARM_MB' "$RACK_HOME/run/cvx/rackd.log"
    wait_for 5 is_frozen 0
    stop_json INT
    wait_for 4 rack_is_empty
}

@test "a frozen container that is killed by hand is not used" {
    pair
    start_and_leave
    ahead=$(containers_of resource cache)
    api DELETE "/containers/$ahead?force=1"
    wait_for 5 rack_is_empty
    start_json
    wait_event ready
    [ "$(cache PING)" = +PONG ]
    stop_json INT
}
