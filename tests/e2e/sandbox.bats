# Resources whose ports differ share one network namespace.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() {
    engine_clean
    rack_down
}

warned() {
    jq -e -s --arg t "$1" 'any(.type == "warning" and (.text | startswith($t)))' \
        "$events" >/dev/null
}

sandbox() { containers_of sandbox resources; }

# A rack's first session imports the image that sandboxes are of.
imports() {
    pair_runs
    wait_for 10 eval '[ -n "$(reaper_container)" ]'
    stop_json INT
}

# four_run: mariadb, which comes up last, has its own; three share.
four_run() {
    [ "$(builder)" != podman ] || skip "Podman ties containers that share a network to each other"
    imports
    app four <<YML
resources:
  main: {type: mariadb}
  db: {type: postgres}
  cache: {type: redis}
  mem: {type: memcached}
services:
  web:
    image: $WEB_IMAGE
    command: exec sleep 600
    termination: {grace: 1}
    resources: [main, db, cache, mem]
YML
    start_json --no-exit-on-failure
    wait_event ready
    web=$(containers_of service web)
    cache=$(containers_of resource cache)
}

network_of() { api GET "/containers/$1/json" | jq -r .HostConfig.NetworkMode; }
address_of() { container_exec "$web" getent hosts "resource-$1" | awk '{print $1}'; }

from_web() { # HOST PORT REQUEST
    container_exec "$web" bash -c "exec 3<>/dev/tcp/$1/$2 && printf '$3\r\n' >&3 && head -n 1 <&3" |
        tr -d '\r'
}
pongs() { [ "$(from_web resource-cache 6379 PING)" = +PONG ]; }

@test "three share an address and answer at their names, inside and out" {
    four_run
    [ "$(network_of "$cache")" = "container:$(sandbox)" ]
    [ "$(network_of "$(containers_of resource mem)")" = "container:$(sandbox)" ]
    [[ $(network_of "$(containers_of resource main)") != container:* ]]
    [ "$(address_of cache)" = "$(address_of mem)" ]
    [ "$(address_of cache)" = "$(address_of db)" ]
    [ "$(address_of cache)" != "$(address_of main)" ]
    pongs
    [ "$(from_web resource-mem 11211 version | cut -d' ' -f1)" = VERSION ]
    [ "$(ask 127.0.0.1 "$(event ready | jq '.resources[] | select(.name == "cache").host_port')" PING)" = +PONG ]
    "$CVX" ps | tee "$RACK_HOME/ps"
    never grep -q sandbox "$RACK_HOME/ps"
    stop_json INT
    [ "$cvx_status" = 0 ]
    [ "$(event removed | jq -r '"\(.containers) \(.networks)"')" = "6 1" ]
    rack_is_empty
}

@test "it is killed: those who share it are started again, with their data" {
    four_run
    [ "$(from_web resource-cache 6379 'SET a b')" = +OK ]
    [ "$(from_web resource-cache 6379 SAVE)" = +OK ]
    main=$(containers_of resource main)
    began=$(api GET "/containers/$main/json" | jq -r .State.StartedAt)
    api POST "/containers/$(sandbox)/kill"
    wait_for 10 warned "the network that db, cache, mem share ended: exit status 137 (killed by SIGKILL)"
    wait_for 20 pongs
    [ "$(containers_of resource cache)" = "$cache" ]
    wait_for 10 eval "from_web resource-cache 6379 'EXISTS a' | grep -x ':1'"
    [ "$(api GET "/containers/$main/json" | jq -r .State.StartedAt)" = "$began" ]
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}

@test "it is removed: it and those who share it are made again" {
    four_run
    api DELETE "/containers/$(sandbox)?force=1"
    wait_for 10 warned "the network that db, cache, mem share: its container was removed from outside; making it again" ||
        { jq -c 'select(.type == "warning")' "$events"; false; }
    wait_for 20 pongs
    [ "$(network_of "$(containers_of resource cache)")" = "container:$(sandbox)" ]
    wait_for 20 eval '[ "$(from_web resource-mem 11211 version | cut -d" " -f1)" = VERSION ]'
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}

@test "it is disconnected: connected again, with the names of all" {
    four_run
    before=$(address_of cache)
    net=$(api GET "/containers/$web/json" | jq -r '.NetworkSettings.Networks | keys[0]')
    api POST "/networks/$net/disconnect" "{\"Container\": \"$(sandbox)\"}"
    wait_for 10 warned "the network that db, cache, mem share was disconnected from the session's network from outside; connecting it again"
    wait_for 10 pongs
    [ "$(address_of mem)" = "$before" ]
    stop_json INT
    rack_is_empty
}

@test "all killed at once, as when the engine ends: all come back" {
    local kills=()

    four_run
    for id in $(sandbox) $(containers_of resource db) $cache $(containers_of resource mem); do
        api POST "/containers/$id/kill" &
        kills+=($!)
    done
    wait "${kills[@]}"
    wait_for 20 warned "resource cache ended"
    wait_for 20 pongs
    [ "$(containers_of resource cache)" = "$cache" ]
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}
