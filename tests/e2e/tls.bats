#!/usr/bin/env bats
# An engine behind tcp:// with certificates: socat ends TLS in front of the real
# engine's socket, wants a certificate of ours, and shows one of its own. The
# reaper's container holds the lease over it, as over a unix socket.
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }

setup() {
    command -v socat >/dev/null || skip "socat is not installed"
    [[ $DOCKER_HOST == unix://* ]] || skip "the engine has no socket here"
    socket=${DOCKER_HOST#unix://}
    # Of an engine behind tcp:// rackd mounts the socket where engines have it.
    [[ $socket =~ ^(/var)?/run/docker.sock$ ]] || skip "the engine's socket is at another place"
    rack_up
    certificates
    forward
}

teardown() {
    rack_down
    [ -z "${forwarder:-}" ] || kill -- "-$forwarder" 2>/dev/null || true
}

# signed NAME EXTENSION: $certs/NAME.pem and NAME.key, by the CA.
signed() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$certs/$1.key" -out "$certs/$1.csr"
    openssl x509 -req -in "$certs/$1.csr" -CA "$certs/ca.pem" -CAkey "$certs/ca.key" \
        -CAcreateserial -days 2 -extfile <(echo "$2") -out "$certs/$1.pem"
}

certificates() {
    certs=$RACK_HOME/certs
    mkdir "$certs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=ca -keyout "$certs/ca.key" -out "$certs/ca.pem"
    signed server "subjectAltName=IP:127.0.0.1"
    signed cert "extendedKeyUsage=clientAuth"
    mv "$certs/cert.key" "$certs/key.pem"
}

# setsid: in a process group of its own, so that its children end with it.
forward() {
    local try

    for try in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 10000))
        setsid socat -t 3600 \
            "OPENSSL-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,cert=$certs/server.pem,key=$certs/server.key,cafile=$certs/ca.pem,verify=1" \
            "UNIX-CONNECT:$socket" </dev/null >"$RACK_HOME/socat" 2>&1 3>&- &
        forwarder=$!
        wait_for 5 eval "! kill -0 $forwarder || (: </dev/tcp/127.0.0.1/$port)"
        ! kill -0 "$forwarder" 2>/dev/null || return 0
    done
    return 1
}

# over_tls COMMAND...: in cvx's environment; what this file itself asks of the
# engine goes to its socket.
over_tls() {
    DOCKER_HOST=tcp://127.0.0.1:$port DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$certs "$@"
}

doctor_says() {
    over_tls "$CVX" doctor --json | jq -r 'select(.name == "reaper") | "\(.level): \(.text)"'
}

pair_runs_over_tls() {
    pair
    over_tls start_json
    wait_event ready
    wait_for 15 eval '[ -n "$(reaper_container)" ]'
    [[ $(doctor_says) == "ok: a container on the engine; no process here: "* ]]
    never grep -i 'reaper' "$RACK_HOME/errors"
}

@test "an engine behind TLS: start, requests, Ctrl-C" {
    pair_runs_over_tls
    [ "$(curl -s "$(service_url web)")" = hello ]
    [ -z "$(reaper_process)" ] # the engine might be on any machine
    stop_json INT
    wait_for 10 rack_is_empty
}

@test "an engine behind TLS: rackd is killed, and everything goes" {
    pair_runs_over_tls
    kill -9 "$(rackd_pid)"
    wait_for 30 rack_is_empty
    end_json
}

@test "an engine behind TLS that does not know us is told of" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=stranger -keyout "$certs/key.pem" -out "$certs/cert.pem"
    pair
    over_tls start_json
    end_json
    [ "$cvx_status" != 0 ]
    cat "$RACK_HOME/errors"
    # The reason, "unknown ca", is lost where the server's reset overtakes it.
    grep -q "127.0.0.1:$port" "$RACK_HOME/errors"
    wait_for 5 rack_is_empty
}
