# peer.sh -- docker compose, and the racks that are measured beside it. Sourced
# by bench.sh.

export IMAGE_POSTGRES=cvx/postgres:17 IMAGE_MYSQL=cvx/mysql:9.7
export IMAGE_MARIADB=cvx/mariadb:11.8 IMAGE_REDIS=cvx/redis:8.0
export IMAGE_MEMCACHED=cvx/memcached:1.6 IMAGE_WEB=cvx/base:trixie
images=()
for name in "${!IMAGE_@}"; do
    images+=(-e "$name=${!name}")
done

# ---- the peer: version 2, as a plugin or on its own --------------------------

compose=() peer_name=
home=$HOME # the plugin may be in it
if [ "${PEER:-}" = none ]; then
    echo "PEER=none: the peer's columns stay empty" >&2
elif docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif docker-compose version --short 2>/dev/null | grep -q '^v\?2'; then
    compose=(docker-compose)
else
    echo "docker compose is not installed: its columns stay empty" >&2
fi
[ ${#compose[@]} = 0 ] ||
    peer_name="compose $("${compose[@]}" version --short)"

# peer FILE TIME-NAME ARG...
peer() {
    local file=$1 name=$2

    shift 2
    [ ${#compose[@]} = 0 ] || timed "$name" env HOME="$home" \
        "${compose[@]}" -p cvx-bench -f "$file" "$@"
}

# ---- racks ------------------------------------------------------------------

# rack_new NAME: a rack that has never been used, with a state and a rackd of
# its own; a developer's is not disturbed.
rack_new() {
    mkdir -p "$work/$1"
    mkdir -m 700 "$work/$1/run" "$work/$1/state" "$work/$1/home"
    rack_use "$1"
}
rack_use() {
    export XDG_RUNTIME_DIR=$work/$1/run XDG_STATE_HOME=$work/$1/state
    export HOME=$work/$1/home
}

# Until nothing of the rack is on the engine: what is still being removed would
# be the next one's time.
rack_settles() {
    local end=$((SECONDS + 10))

    while [ $SECONDS -lt $end ] && [ -n "$(rack_containers)" ]; do
        sleep 0.05
    done
}
rackd_stop() {
    "$cvx" rackd stop >/dev/null 2>&1 || true
    rack_settles
}
rack_containers() {
    local id filter

    id=$(cat "$XDG_STATE_HOME/cvx/local/id" 2>/dev/null) || return 0
    filter=$(jq -rn --arg l "cvx.rack=$id" '{label: [$l]} | tojson | @uri')
    api_curl GET "/containers/json?all=1&filters=$filter" | jq -r '.[].Id'
}

# knows COMMAND: does this cvx have it?
knows() { "$cvx" help 2>/dev/null | grep -Eq "^ *(cvx )?$1( |\$)"; }

racks_remove() {
    local dir

    for dir in "$work"/*/state; do
        [ -d "$dir" ] || continue
        rack_use "$(basename "$(dirname "$dir")")"
        ! knows templates || "$cvx" templates prune >/dev/null 2>&1 || true
        rackd_stop
    done
    rm -rf "$work"
}
