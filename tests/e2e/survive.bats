# A running session survives what people and engines do to it, and says so.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() {
    others_down
    engine_clean
    rack_down
}

# lone COMMAND: a session of one service.
lone() {
    app lone <<YML
services:
  web:
    image: ${IMAGE:-$WEB_IMAGE}
    command: $1
    termination: {grace: 1}
YML
    start_json --no-exit-on-failure
    wait_event ready
}

# warned TEXT: a warning of the session begins so.
warned() {
    jq -e -s --arg t "$1" 'any(.type == "warning" and (.text | startswith($t)))' \
        "$events" >/dev/null
}

# is_another KIND NAME ID: it has one container, which runs and is not ID.
is_another() {
    local now

    now=$(containers_of "$1" "$2")
    [ -n "$now" ] && [ "$now" != "$3" ] && container_state "$now" | grep -q ^running
}

answers() { [ "$(curl -sS -m 2 "$1")" = hello ]; }
pongs() { [ "$(ask "${1%:*}" "${1##*:}" PING)" = +PONG ]; }

session_network() { api GET "/containers/$1/json" | jq -r '.NetworkSettings.Networks | keys[0]'; }

# ends_whole COUNTS: Ctrl-C removes so many containers, networks, volumes.
ends_whole() {
    stop_json INT
    [ "$cvx_status" = 0 ]
    [ "$(event removed | jq -r '"\(.containers) \(.networks) \(.volumes)"')" = "$1" ]
    rack_is_empty
}

# ---- containers ------------------------------------------------------------

@test "docker kill: an exit by name, and both come back at their places" {
    pair_runs --no-exit-on-failure
    api POST "/containers/$(containers_of service web)/kill"
    api POST "/containers/$(containers_of resource cache)/kill"
    wait_for 10 warned "service web ended: exit status 137 (killed by SIGKILL)"
    wait_for 10 warned "resource cache ended: exit status 137 (killed by SIGKILL)"
    never warned "service web: its container was removed"
    wait_for 10 answers "$(service_url web)"
    url=$(resource_url cache)
    url=${url#redis://}
    wait_for 10 pongs "${url%/0}"
    ends_whole "2 1 0"
}

@test "docker rm -f: a removal by name, and others are made at their places" {
    pair_runs --no-exit-on-failure
    web=$(containers_of service web)
    cache=$(containers_of resource cache)
    api DELETE "/containers/$web?force=1"
    api DELETE "/containers/$cache?force=1"
    wait_for 10 warned "service web: its container was removed from outside; making it again"
    wait_for 10 warned "resource cache: its container was removed from outside; making it again"
    # Podman asks it to end, and removes it later: an exit like another.
    [ "$(builder)" = podman ] || never warned "service web ended"
    wait_for 10 is_another service web "$web"
    wait_for 10 is_another resource cache "$cache"
    wait_for 10 answers "$(service_url web)"
    url=$(resource_url cache)
    url=${url#redis://}
    wait_for 10 pongs "${url%/0}"
    ends_whole "2 1 0"
}

@test "removed while it waits to be started again" {
    lone 'sleep 0.3; exit 3'
    web=$(containers_of service web)
    wait_for 10 warned "service web ended: exit status 3"
    wait_for 5 api DELETE "/containers/$web" # it waits longer each time
    wait_for 10 warned "service web: its container was removed from outside; making it again"
    wait_for 10 eval "[ -n \"\$(containers_of service web)\" ]"
    stop_json INT
    rack_is_empty
}

@test "memory runs out: said by name, and it is started again" {
    [ "$(builder)" != podman ] || skip "Podman 4.3 has no way to change a container's memory"
    # It eats once only: what it wrote is still there after the new start.
    lone 'while [ ! -e /eat ]; do sleep 0.1; done; rm /eat; exec perl -e "\$x = q(x) x 200000000; sleep 60"'
    web=$(containers_of service web)
    api POST "/containers/$web/update" '{"Memory": 16777216, "MemorySwap": 16777216}'
    container_exec "$web" touch /eat
    wait_for 20 warned "service web ended: exit status 137 (out of memory); starting it again"
    wait_for 10 eval "container_state $web | grep -q ^running"
    ends_whole "1 1 0"
}

# ---- the network -----------------------------------------------------------

@test "docker network disconnect: connected again, by its name and address" {
    [ "$(builder)" != podman ] || skip "Podman 4.3 does not tell from which network"
    pair_runs --no-exit-on-failure
    web=$(containers_of service web)
    cache=$(containers_of resource cache)
    net=$(session_network "$web")
    before=$(container_ip "$cache")
    api POST "/networks/$net/disconnect" "{\"Container\": \"$cache\"}"
    api POST "/networks/$net/disconnect" "{\"Container\": \"$web\"}"
    wait_for 10 warned "resource cache was disconnected from the session's network from outside; connecting it again"
    wait_for 10 warned "service web was disconnected from the session's network from outside"
    wait_for 10 eval "[ \"\$(container_ip $cache)\" = $before ]"
    wait_for 10 eval "container_exec $web getent hosts resource-cache | grep -q $before"
    wait_for 10 answers "$(service_url web)"
    never warned "service web ended"
    # The end of a container is a disconnect too, but nobody's doing.
    api POST "/containers/$web/restart?t=0" || true
    sleep 1 # a second warning would have come by now
    [ "$(jq -s '[.[] | select(.type == "warning" and (.text | test("web was disc")))] | length' "$events")" = 1 ]
    ends_whole "2 1 0"
}

@test "the session's network removed: said, and the session ends" {
    [ "$(builder)" != podman ] || skip "Podman keeps a network while a container has it, running or not"
    lone 'sleep 0.3; exit 3'
    net=$(session_network "$(containers_of service web)")
    wait_for 20 api DELETE "/networks/$net" # as soon as it is not running
    end_json
    [ "$cvx_status" = 1 ]
    event error | jq -r .text | grep "^the session's network $net was removed from outside"
    [ "$(event removed | jq -r '"\(.containers) \(.networks)"')" = "1 0" ]
    rack_is_empty
}

# ---- images ----------------------------------------------------------------

# A name of our own for an image that others need: nobody answers at its
# registry.
own_image() {
    api POST "/images/$1/tag?repo=127.0.0.1:9/cvx-test-$CVX_TEST_RUN&tag=$2" >/dev/null
    echo "127.0.0.1:9/cvx-test-$CVX_TEST_RUN:$2"
}

@test "an image removed: the container starts again, another cannot be made" {
    IMAGE=$(own_image "$WEB_IMAGE" 1)
    lone 'exec sleep 600'
    web=$(containers_of service web)
    api DELETE "/images/$IMAGE?force=1"
    api POST "/containers/$web/kill"
    wait_for 10 warned "service web ended: exit status 137"
    wait_for 10 eval "container_state $web | grep -q ^running"
    api DELETE "/containers/$web?force=1"
    end_json
    [ "$cvx_status" = 1 ]
    event error | jq -r .text | grep "^image $IMAGE not found, needed by service web$"
    rack_is_empty
}

@test "a resource's image removed: a stand-in takes its place" {
    image_there cvx/redis:8.0 || skip "no stand-in for redis here"
    image=$(own_image cvx/redis:8.0 8.0)
    app kv <<YML
resources:
  cache: {type: redis, image: "$image"}
services: {web: {image: $WEB_IMAGE, command: exec sleep 600, resources: [cache], termination: {grace: 1}}}
YML
    start_json --no-exit-on-failure
    wait_event ready
    cache=$(containers_of resource cache)
    api DELETE "/images/$image?force=1"
    api DELETE "/containers/$cache?force=1"
    wait_for 20 warned "$image: no registry answers; cvx/redis:8.0"
    wait_for 20 is_another resource cache "$cache"
    ends_whole "2 1 0"
}

@test "a built image removed with its container: it is built again" {
    app made <<YML
services: {web: {build: ., termination: {grace: 1}}}
YML
    printf 'FROM %s\nRUN echo %s >/mark\nCMD ["sleep", "600"]\n' "$WEB_IMAGE" "$CVX_TEST_RUN" >Dockerfile
    start_json --no-exit-on-failure
    wait_event ready
    web=$(containers_of service web)
    image=$(api GET "/containers/$web/json" | jq -r .Image)
    api DELETE "/containers/$web?force=1"
    api DELETE "/images/$image?force=1"
    wait_for 10 warned "image cvx-build/made:web"
    wait_for 30 is_another service web "$web"
    image=$(api GET "/containers/$(containers_of service web)/json" | jq -r .Image)
    ends_whole "1 1 0"
    api DELETE "/images/$image?force=1"
}

# ---- networks run out ------------------------------------------------------

# Networks of the engine's own choice until it has none left.
use_up_pools() {
    local i

    for i in $(seq 1 80); do
        pool_error=$(api POST /networks/create "{\"Name\": \"cvx-test-$CVX_TEST_RUN-$i\",
            \"Labels\": {\"cvx.test\": \"$CVX_TEST_RUN\"}}" 2>&1 >/dev/null) || return 0
    done
    return 1
}

@test "when the engine's own address pools are used up, a session still starts" {
    use_up_pools || skip "this engine's pools do not end"
    [[ $pool_error == *"address pool"* || $pool_error == *subnet* ]]
    lone 'exec sleep 600'
    ends_whole "1 1 0"
}

# ---- many at once ----------------------------------------------------------

# other DIR N: a session in that directory, its events in DIR/events.N.
others_pids=()
other() {
    (cd "$1" && exec "$CVX" start --json >"events.$2" 2>"errors.$2" </dev/null 3>&-) &
    others_pids+=($!)
}

others_down() {
    [ ${#others_pids[@]} -gt 0 ] || return 0 # a wait for nobody waits for all
    kill -INT "${others_pids[@]}" 2>/dev/null || true
    wait "${others_pids[@]}" 2>/dev/null || true
    others_pids=()
}

all_ready() {
    local f

    for f in "$@"; do
        grep -q '"type":"ready"' "$f" || return 1
    done
}

# distinct FILTER FILE...: so many values, all different.
distinct() {
    local filter=$1 values

    shift
    values=$(cat "$@" | jq -r "select(.type == \"ready\") | $filter")
    [ "$(wc -l <<<"$values")" = $# ]
    [ -z "$(sort <<<"$values" | uniq -d)" ]
}

tiny() {
    mkdir -p "$1"
    cat >"$1/convox.yml" <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
YML
}

@test "one app twice from one directory, and from another: three sessions" {
    tiny one/app
    tiny two/app
    other one/app 1
    other one/app 2
    other two/app 3
    files=(one/app/events.1 one/app/events.2 two/app/events.3)
    wait_for 60 all_ready "${files[@]}"
    distinct '.services[0].url' "${files[@]}"
    [ "$(session_census | grep -c ^container)" = 3 ]
    [ "$(rack_census | grep -c ^network)" = 3 ]
    others_down
    rack_is_empty
}

@test "twenty sessions at once: all ready, all gone" {
    files=()
    for i in $(seq 1 20); do
        tiny "app$i"
        other "app$i" 1
        files+=("app$i/events.1")
    done
    wait_for 90 all_ready "${files[@]}"
    distinct '.services[0].url' "${files[@]}"
    [ "$(session_census | grep -c '^container .* running$')" = 20 ]
    [ "$(api GET /networks | jq -r '.[].IPAM.Config[]?.Subnet' | sort | uniq -d)" = "" ]
    others_down
    rack_is_empty
}
