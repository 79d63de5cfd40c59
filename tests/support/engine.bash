# engine.bash -- what bats files need to test against a real engine:
#
#     load ../support/engine
#     setup_file() { engine_use; }
#     teardown() { engine_clean; }
#
#     id=$(container redis:8.0 '{"Cmd":["--port","7000"]}')
#     wait_for 10 port_open "$(container_ip "$id")" 7000
#
# Containers made here carry the label cvx.test=RUN, RUN being this bats run,
# and engine_clean removes those and no others. Everything goes over the
# engine's API, so the docker command is not needed; jq is.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$ROOT/images/api.sh"
[ -z "${DOCKER_HOST:-}" ] || api_use "$DOCKER_HOST"

# Finds (or starts) the engine and exports DOCKER_HOST. In setup_file.
engine_use() {
    DOCKER_HOST=$("$ROOT/images/engine.sh") || return 1
    export DOCKER_HOST CVX_TEST_RUN=$$-$RANDOM
    api_use "$DOCKER_HOST"
}

# api METHOD PATH [JSON]: the answer's body; status 1, with the engine's words
# on stderr, for anything but a 2xx or a 304.
api() {
    local answer status body=()

    [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' -d "$3")
    answer=$(api_curl "$1" "$2" -m 120 -w '\n%{http_code}' "${body[@]}") || return 1
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    case $status in
    2?? | 304) printf '%s' "$answer" ;;
    *)
        echo "$1 $2: $status $answer" >&2
        return 1
        ;;
    esac
}

# wait_for SECONDS COMMAND...: until it succeeds; says which did not in time.
wait_for() {
    local end=$((SECONDS + $1))

    shift
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            echo "gave up waiting for: $*" >&2
            return 1
        fi
        sleep 0.1
    done
}

# image_there NAME: for `image_there X || skip`.
image_there() { api GET "/images/$1/json" >/dev/null 2>&1; }

# What builds images here, each with words of its own: classic, buildkit, podman.
builder() {
    case $(api_curl GET /_ping -o /dev/null -D -) in
    *Libpod*) echo podman ;;
    *Builder-Version:\ 2*) echo buildkit ;;
    *) echo classic ;;
    esac
}

# container_create IMAGE [JSON of /containers/create]: its id, not started.
container_create() {
    local spec

    spec=$(jq -cn --arg image "$1" --arg run "$CVX_TEST_RUN" --argjson more "${2:-{\}}" \
        '$more + {Image: $image} | .Labels["cvx.test"] = $run') || return 1
    api POST /containers/create "$spec" | jq -er .Id
}

container_start() { api POST "/containers/$1/start"; }

# container IMAGE [JSON]: created and started.
container() {
    local id

    id=$(container_create "$@") && container_start "$id" && echo "$id"
}

# container_put ID DIR FILE...: copies host files into a container.
container_put() {
    local id=$1 dir=$2

    shift 2
    tar -c --owner=0 --group=0 -C "$(dirname "$1")" "${@##*/}" |
        api_curl PUT "/containers/$id/archive?path=$dir" -f --data-binary @- \
            -H 'Content-Type: application/x-tar'
}

container_ip() {
    api GET "/containers/$1/json" |
        jq -er '[.NetworkSettings.Networks[].IPAddress] | map(select(. != "")) | first'
}

# container_state ID: "running 0", "exited 137", ...
container_state() {
    api GET "/containers/$1/json" | jq -r '"\(.State.Status) \(.State.ExitCode)"'
}

# container_exits ID SECONDS: its exit status, once it has ended.
container_exits() {
    wait_for "$2" eval "container_state $1 | grep -q '^exited'" || return 1
    container_state "$1" | cut -d' ' -f2
}

# What it has printed: both streams, without the frames' heads.
container_logs() {
    api_curl GET "/containers/$1/logs?stdout=1&stderr=1" | perl -e '
        binmode STDIN;
        while (read(STDIN, $head, 8) == 8) {
            read STDIN, $text, unpack("x4N", $head);
            print $text;
        }'
}

# container_exec ID COMMAND...: its output and its status.
container_exec() {
    local id=$1 exec status

    shift
    exec=$(api POST "/containers/$id/exec" "$(jq -cn '{AttachStdout: true,
        AttachStderr: true, Tty: true, Cmd: $ARGS.positional}' --args -- "$@")" |
        jq -er .Id) || return 125
    api_curl POST "/exec/$exec/start" -d '{"Detach":false,"Tty":true}' \
        -H 'Content-Type: application/json' -m 60 | tr -d '\r'
    status=$(api GET "/exec/$exec/json" | jq -r .ExitCode)
    return "$status"
}

port_open() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# ask HOST PORT TEXT: sends a line over TCP, prints the first line that comes.
ask() {
    local line

    exec 3<>"/dev/tcp/$1/$2" || return 1
    printf '%s\r\n' "$3" >&3
    read -r -t 5 line <&3
    exec 3>&-
    echo "${line%$'\r'}"
}

# labelled LABEL: lines "containers ID", "networks ID", "volumes NAME" of all
# that carries the label, "key" or "key=value". The engine's answer is looked
# at again: a filter that it did not understand would give everything there is.
labelled() {
    local key=${1%%=*} value=${1#*=} kind path filters

    [[ $1 =~ ^[a-z.]+(=.+)?$ ]] || {
        echo "labelled: '$1' is not a label" >&2
        return 1
    }
    [[ $1 = *=* ]] || value=
    filters=$(jq -rn --arg text "$1" '{"label": [$text]} | tojson | @uri') || return 1
    for kind in containers networks volumes; do
        path=/$kind
        [ $kind != containers ] || path=/containers/json
        api GET "$path?all=1&filters=$filters" | jq -r --arg kind "$kind" \
            --arg key "$key" --arg value "$value" '
            (if type == "object" then .Volumes // [] else . end)[]
            | select((.Labels // {}) | has($key) and
                     ($value == "" or .[$key] == $value))
            | "\($kind) \(.Id // .Name)"' || return 1
    done
}

# census [LABEL]: "CONTAINERS NETWORKS VOLUMES" that carry the label, stopped
# ones too. `cvx.rack` (the default) is everything of every rack; a test that
# shares the engine counts its own: census cvx.session=ID.
census() {
    local list

    list=$(labelled "${1:-cvx.rack}") || return 1
    echo "$(grep -c ^containers <<<"$list")" "$(grep -c ^networks <<<"$list")" \
        "$(grep -c ^volumes <<<"$list")"
}

# remove_labelled KEY=VALUE: removes every container (with its volumes),
# network and volume of that label; a key alone is refused.
remove_labelled() {
    local list kind id

    if [[ $1 != *=?* ]]; then
        echo "remove_labelled: '$1' has no value" >&2
        return 1
    fi
    list=$(labelled "$1") || return 1
    while read -r kind id; do
        [ -n "$id" ] || continue
        api DELETE "/$kind/$id?force=1&v=1" >/dev/null || true
    done <<<"$list"
}

engine_clean() { remove_labelled "cvx.test=${CVX_TEST_RUN:?}"; }
