# Images that come from a registry: a real one, on this machine's loopback.

load ../support/engine
load ../support/cvx
load ../support/registry

USER_NAME=porter
SECRET=open-says-me-4711

# A service's command that stays until it is asked to go.
STAY="trap 'exit 0' TERM; sleep 1000 & wait"

setup_file() {
    command -v docker-registry >/dev/null || skip "docker-registry is not installed"
    engine_use
    ! api GET /version | grep -q '"Podman Engine"' ||
        skip "Podman takes no registry without TLS"
    registry_start open
    registry_start private "$USER_NAME" "$SECRET"
    push_new "$WEB_IMAGE" app:1 3
    push_new cvx/redis:8.0 cache:1
}
teardown_file() { registries_stop; }

setup() { rack_up; }
teardown() {
    rack_down
    forget_built
    forget_pulled
}

# What cvx built for app pulled: its base image could not go before it. The
# name is the app's, and no other test's.
forget_built() {
    api GET /images/json | jq -r '.[].RepoTags[]?' | grep '^cvx-build/pulled:' |
        while read -r name; do
            api DELETE "/images/$name?force=1" >/dev/null
        done
}

# service IMAGE [MORE KEYS]: an app of one service from it.
service() {
    app pulled <<YML
services:
  web:
    image: $1
    command: ls /pushed; $STAY
${2:-}
YML
}

# states KIND NAME: all it went through, on a line.
states() {
    jq -r --arg k "$1" --arg n "$2" \
        'select(.type == "state" and .kind == $k and .name == $n).state' "$events" |
        paste -sd' '
}

# config JSON: as ~/.docker/config.json.
config() {
    mkdir -p "$HOME/.docker"
    echo "$1" >"$HOME/.docker/config.json"
}

login_config() {
    config "{\"auths\": {\"$PRIVATE\": {\"auth\": \"$(printf %s "$USER_NAME:$SECRET" | base64)\"}}}"
}

# runs: the service of app pulled becomes ready, and it is the image we pushed.
runs() {
    start_json "$@"
    wait_event ready
    wait_for 10 logged web file1
}

# fails: cvx start ends with status 1 and stdin's words, leaving nothing.
fails() {
    local status=0

    timeout 60 "$CVX" start "$@" >"$RACK_HOME/out" 2>"$RACK_HOME/err" </dev/null 3>&- ||
        status=$?
    matches "$RACK_HOME/err"
    [ "$status" = 1 ]
    rack_is_empty
}

# spy: until it is killed, who has the password among its arguments.
spy() {
    printf '%s\n' "$SECRET" >"$RACK_HOME/secret"
    while :; do
        grep -alF -f "$RACK_HOME/secret" /proc/[0-9]*/cmdline 2>/dev/null || true
        sleep 0.02
    done >"$RACK_HOME/spied"
}

# keeps_secret COMMAND...: it succeeds, and the password is in nothing that was
# said or written, nor in any program's arguments meanwhile.
keeps_secret() {
    local spy word status=0

    spy 3>&- &
    spy=$!
    "$@" || status=$?
    "$CVX" rackd status --json >"$RACK_HOME/status"
    kill "$spy"
    [ "$status" = 0 ]
    [ ! -s "$RACK_HOME/spied" ]
    [ -s "$RACK_HOME/run/cvx/rackd.log" ]
    api GET "/containers/$(containers_of service web)/json" >"$RACK_HOME/container"
    # `! grep` would be heard only as the last command.
    for word in "$SECRET" "$(printf %s "$USER_NAME:$SECRET" | base64)"; do
        if grep -F -- "$word" "$events" "$RACK_HOME/errors" "$RACK_HOME/status" \
            "$RACK_HOME/run/cvx/rackd.log" "$RACK_HOME/container" >&2; then
            return 1
        fi
    done
}

# asked NAME TEXT: the registry was asked for such a thing.
asked() { registry_log "$1" | grep -F "$2" >/dev/null; }

# ---- what is there ----------------------------------------------------------

@test "an absent image is pulled, its progress told, and its service runs" {
    service "$OPEN/app:1"
    runs
    asked open 'GET /v2/app/blobs/'
    [ "$(states image "$OPEN/app:1")" = "pulling ready" ]
    jq -c --arg n "$OPEN/app:1" 'select(.type == "progress" and .name == $n)' \
        "$events" >progress
    # Bytes and layers only ever grow, and in the end all of them are there.
    jq -se 'map(.current) as $c | map(.layers_done) as $l
        | ($c | sort) == $c and ($l | sort) == $l
        and all(.current <= .total and .layers_done <= .layers)' progress
    tail -n 1 progress | jq -e '.layers >= 4 and .layers_done == .layers
        and .total >= 6000000 and .current == .total'
    stop_json INT
    [ "$cvx_status" = 0 ]
}

@test "what was pulled is not pulled again" {
    service "$OPEN/app:1"
    runs
    stop_json INT
    runs
    [ -z "$(states image "$OPEN/app:1")" ]
    [ -z "$(event progress)" ]
    stop_json INT
}

@test "a person reads of the pull, too" {
    service "$OPEN/app:1"
    "$CVX" start >out 2>err </dev/null 3>&- &
    cvx_pid=$!
    wait_for 60 grep -q '^ready in' out
    kill -INT "$cvx_pid"
    end_json
    [ "$cvx_status" = 0 ]
    matches err </dev/null
    [ "$(grep -c "image $OPEN/app:1: pulling" out)" = 1 ]
    grep -x "convox | image $OPEN/app:1: pulling" out
    grep -xE "convox \| image $OPEN/app:1: ready [0-9.]+ m?s" out
}

@test "two services of one image pull it once, beside the resource's" {
    app pulled <<YML
resources:
  cache: {type: redis, image: "$OPEN/cache:1"}
services:
  one: {image: "$OPEN/app:1", command: "$STAY", resources: [cache]}
  two: {image: "$OPEN/app:1", command: "$STAY", resources: [cache]}
YML
    start_json
    wait_event ready
    [ "$(states image "$OPEN/app:1")" = "pulling ready" ]
    [ "$(states image "$OPEN/cache:1")" = "pulling ready" ]
    [ "$(ask 127.0.0.1 "$(event ready | jq '.resources[0].host_port')" PING)" = +PONG ]
    stop_json INT
}

@test "an image by its digest" {
    digest=$(curl -fsS --noproxy '*' -o /dev/null -D - "http://$OPEN/v2/app/manifests/1" \
        -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //pi')
    service "$OPEN/app@$digest"
    runs
    [ "$(states image "$OPEN/app@$digest")" = "pulling ready" ]
    stop_json INT
    api DELETE "/images/$OPEN/app@$digest" >/dev/null
}

@test "Ctrl-C in the middle of a pull leaves nothing" {
    service "$OPEN/app:1"
    start_json
    wait_event progress
    stop_json INT
    [ "$cvx_status" = 130 ]
    rack_is_empty
}

# ---- what is not ------------------------------------------------------------

@test "a tag that the registry does not have" {
    service "$OPEN/app:2"
    fails <<END
ERROR: image $OPEN/app:2 not found, needed by service web
  why  manifest for $OPEN/app:2 not found: manifest unknown: manifest unknown
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}

@test "a resource's image that the registry does not have" {
    app pulled <<YML
resources:
  cache: {type: redis, image: "$OPEN/cache:nosuch"}
YML
    fails <<END
ERROR: image $OPEN/cache:nosuch not found, needed by resource cache
  why  manifest for $OPEN/cache:nosuch not found: manifest unknown: manifest unknown
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}

@test "a registry that is down" {
    port=$(free_port)
    service "127.0.0.1:$port/app:1"
    fails <<END
ERROR: image 127.0.0.1:$port/app:1 not found, needed by service web
  why  ...127.0.0.1:$port...connection refused
  do   no registry answers: check the network connection
END
}

# ---- logins -----------------------------------------------------------------

@test "a private registry, and no login" {
    service "$PRIVATE/app:1"
    fails <<END
ERROR: image $PRIVATE/app:1 not found, needed by service web
  why  ...$PRIVATE/v2/app/manifests/1...: no basic auth credentials
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}

@test "a private registry, and a wrong password" {
    service "$PRIVATE/app:1"
    SECRET=wrong login_config
    fails <<END
ERROR: image $PRIVATE/app:1 not found, needed by service web
  why  ...unauthorized...
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}

@test "the login of ~/.docker/config.json, and nobody hears of it" {
    service "$PRIVATE/app:1"
    login_config
    keeps_secret runs
    [ "$(states image "$PRIVATE/app:1")" = "pulling ready" ]
    stop_json INT
}

@test "imagePullSecrets of convox.yml, and nobody hears of them" {
    service "$PRIVATE/app:1" "    imagePullSecrets:
      - {registry: '$PRIVATE', username: $USER_NAME, passwordEnv: PULL_PASSWORD}"
    echo "PULL_PASSWORD=$SECRET" >.env
    keeps_secret runs
    [ "$(states image "$PRIVATE/app:1")" = "pulling ready" ]
    stop_json INT
}

# helper TEXT: docker-credential-test, which does that.
helper() {
    mkdir -p "$RACK_HOME/bin"
    printf '#!/bin/sh\n%s\n' "$1" >"$RACK_HOME/bin/docker-credential-test"
    chmod +x "$RACK_HOME/bin/docker-credential-test"
    PATH=$RACK_HOME/bin:$PATH
    config "{\"credHelpers\": {\"$PRIVATE\": \"test\"}}"
}

@test "a credential helper is asked, and nobody hears what it says" {
    service "$PRIVATE/app:1"
    jq -n --arg s "$PRIVATE" --arg u "$USER_NAME" --arg p "$SECRET" \
        '{ServerURL: $s, Username: $u, Secret: $p}' >"$RACK_HOME/answer"
    helper "[ \"\$*\" = get ] || exit 1
        cat >'$RACK_HOME/asked'
        cat '$RACK_HOME/answer'"
    keeps_secret runs
    [ "$(cat "$RACK_HOME/asked")" = "$PRIVATE" ]
    stop_json INT
}

@test "a credential helper that fails is named" {
    service "$PRIVATE/app:1"
    helper 'echo "the keyring is locked"; exit 3'
    fails <<END
ERROR: image $PRIVATE/app:1 not found, needed by service web
  why  ...: no basic auth credentials (without a login: docker-credential-test: status 3)
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}

# ---- builds -----------------------------------------------------------------

# shop_builds FROM: an app whose service is built from that.
shop_builds() {
    app pulled <<YML
services:
  web: {build: ., command: "ls /pushed; $STAY"}
YML
    printf 'FROM %s\nRUN echo built\n' "$1" >Dockerfile
}

@test "a build's private base image is pulled first" {
    shop_builds "$PRIVATE/app:1"
    login_config
    keeps_secret runs
    [ "$(states image "$PRIVATE/app:1")" = "pulling ready" ]
    jq -r 'select(.type == "state") | "\(.kind) \(.state)"' "$events" >all
    [ "$(grep -nx 'image ready' all | cut -d: -f1)" -lt "$(grep -nx 'build built' all | cut -d: -f1)" ]
    stop_json INT
}

@test "a build's base image that nobody may pull" {
    shop_builds "$PRIVATE/app:1"
    fails <<END
ERROR: image $PRIVATE/app:1 not found, needed by a build
  why  ...: no basic auth credentials
  do   check the name and tag; for a private registry: docker login, or imagePullSecrets in convox.yml
END
}
