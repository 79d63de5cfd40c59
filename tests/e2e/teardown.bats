# Nothing is left, however a session ends.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() {
    engine_clean
    rack_down
}

# ends_with SIGNAL STATUS
ends_with() {
    pair_runs
    stop_json "$1"
    [ "$cvx_status" = "$2" ]
    rack_is_empty
}

@test "Ctrl-C after ready: tidy, status 0" { ends_with INT 0; }
@test "SIGTERM: tidy" { ends_with TERM 0; }
@test "SIGHUP: tidy" { ends_with HUP 0; }

@test "a service that obeys SIGTERM is asked, and its last words are heard" {
    pair_runs
    stop_json INT
    logged web bye
}

@test "cvx killed with -9: the lease is gone, and so is the session" {
    pair_runs
    kill -9 "$cvx_pid"
    wait "$cvx_pid" || true
    cvx_pid=
    wait_for 10 rack_is_empty
}

@test "cvx killed with -9 while the start is under way" {
    for delay in 0.05 0.2 0.5 0.9; do
        pair
        start_json
        sleep "$delay" # the moment is what the rounds differ in
        kill -9 "$cvx_pid"
        wait "$cvx_pid" || true
        cvx_pid=
        wait_for 15 rack_is_empty
        [ "$("$CVX" rackd status --json | jq .sessions)" = 0 ] || wait_for 10 eval "[ \"\$($CVX rackd status --json | jq .sessions)\" = 0 ]"
    done
    rack_is_empty
}

@test "the terminal closes: the session is gone" {
    pair
    command -v script || skip "script(1) is not installed"
    : >typescript
    script -qfc "$CVX start" typescript </dev/null >/dev/null 2>&1 3>&- &
    terminal=$!
    wait_for 60 grep -q 'ready in' typescript
    kill -9 "$terminal" # the pty's master closes: its programs get SIGHUP
    wait_for 15 rack_is_empty
}

@test "Ctrl-C while the start is under way: nothing is left once cvx has ended" {
    pair
    for delay in 0.1 0.3 0.6; do
        start_json
        sleep "$delay" # the moment is what the rounds differ in
        stop_json INT
        rack_is_empty
        [ "$cvx_status" = 130 ] || [ "$cvx_status" = 0 ]
    done
}

@test "a second Ctrl-C does not wait for a service that ignores SIGTERM" {
    app deaf <<YML
services:
  web:
    image: $WEB_IMAGE
    command: trap '' TERM; while :; do sleep 1; done
    termination: {grace: 60}
YML
    start_json
    wait_event ready
    kill -INT "$cvx_pid"
    wait_event stopping
    sleep 0.5 # one that did not wait for the service would have ended by now
    kill -0 "$cvx_pid"
    before=$SECONDS
    stop_json INT
    [ $((SECONDS - before)) -lt 15 ]
    rack_is_empty
}

@test "a service that ignores SIGTERM is killed when its grace is over" {
    app deaf <<YML
services:
  web:
    image: $WEB_IMAGE
    command: trap '' TERM; while :; do sleep 1; done
    termination: {grace: 1}
YML
    start_json
    wait_event ready
    stop_json INT
    [ "$(event removed | jq '.seconds >= 1')" = true ]
    rack_is_empty
}

@test "rackd told to end tears its sessions down" {
    pair_runs
    pid=$("$CVX" rackd status --json | jq .pid)
    kill -TERM "$pid"
    end_json
    [ "$cvx_status" != 0 ]
    rack_is_empty
}

@test "what a killed rackd left is gone by itself" {
    pair_runs
    [ "$(session_census | wc -l)" = 3 ]
    kill -9 "$(rackd_pid)"
    wait_for 3 rack_is_empty
    end_json
    [ "$cvx_status" = 1 ]
    grep -q '^ERROR: rackd went away; what it had started is being removed$' "$RACK_HOME/errors"
    never grep 'last words: reaper' "$RACK_HOME/errors"
}

@test "what a rackd killed with its reapers left is removed by the next one, and nothing else" {
    pair
    bystander=$(container_create "$WEB_IMAGE")
    start_json
    wait_event ready
    rackd_dies_alone
    end_json
    sleep 1 # a reaper, had one survived, would have begun by now
    [ "$(rack_census | wc -l)" = 3 ]
    app other <<YML
services:
  web: {image: $WEB_IMAGE, command: exec sleep 60, termination: {grace: 1}}
YML
    start_json
    wait_event ready
    wait_for 10 eval '[ "$(session_census | wc -l)" = 2 ]'
    stop_json INT
    rack_is_empty
    container_state "$bystander" | grep created
}

@test "lifecycle: preStop runs before the service is stopped" {
    app life <<YML
services:
  web:
    image: $WEB_IMAGE
    command: trap 'exit 0' TERM; while [ ! -e /tmp/asked ]; do sleep 0.1; done; echo was asked; while :; do sleep 0.1; done
    lifecycle:
      preStop: sh -c "touch /tmp/asked; sleep 0.5"
      postStart: touch /tmp/started
YML
    start_json
    wait_event ready
    container_exec "$(containers_of service web)" ls /tmp/started
    stop_json INT
    logged web "was asked"
}
