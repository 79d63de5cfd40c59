#!/bin/bash
# engine.sh -- an engine that may be killed: a dockerd of our own, with its
# network, data and socket apart from those of the machine's engine.
#
#   engine.sh up            starts it, with the images that chaos.sh needs from
#                           the first engine (DOCKER_HOST); prints its DOCKER_HOST
#   engine.sh exec CMD...   runs CMD where its containers can be reached
#   engine.sh kill          SIGKILL; its containers run on
#   engine.sh stop          SIGTERM, as at an upgrade; waits for its end
#   engine.sh start         starts it again; does not wait for it to answer
#   engine.sh mend          starts one that its own death has left unable to
#   engine.sh down          stops it and removes what it stored
#
# Root only: it needs a network namespace.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/images/api.sh"

ns=cvx-chaos dir=/var/tmp/cvx-chaos-engine run=/run/cvx-chaos-engine
host=unix://$run/docker.sock
images="cvx/base:trixie cvx/redis:8.0"

pid() { cat "$run/dockerd.pid" 2>/dev/null; }

is_ours() { [ -n "${1:-}" ] && grep -qsz -- "$run/" "/proc/$1/cmdline"; }

# Apart from dockerd, as a distribution's service runs it: it lives on.
start_containerd() {
    local sock=$run/containerd/containerd.sock

    ! is_ours "$(cat "$run/containerd.pid" 2>/dev/null)" || return 0
    mkdir -p "$run/containerd"
    printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$run/containerd.toml"
    rm -f "$sock"
    setsid nsenter --net=/run/netns/$ns containerd --config "$run/containerd.toml" \
        --root "$dir/containerd" --state "$run/containerd" --address "$sock" \
        >>"$run/log" 2>&1 </dev/null 9>&- &
    echo $! >"$run/containerd.pid"
    wait_until test -S "$sock"
}

start() {
    start_containerd
    rm -f "$run/dockerd.pid"
    setsid nsenter --net=/run/netns/$ns dockerd -H "$host" --data-root "$dir" \
        --containerd "$run/containerd/containerd.sock" \
        --exec-root "$run/exec" --pidfile "$run/dockerd.pid" \
        >>"$run/log" 2>&1 </dev/null 9>&- &
}

answers() { (api_use "$host" && api_answers); }

wait_until() {
    for _ in $(seq 300); do
        ! "$@" || return 0
        sleep 0.1
    done
    tail -n 5 "$run/log" >&2
    return 1
}

copy_images() {
    local names= image

    for image in $images; do
        (api_use "$host" && [ "$(api_status "/images/$image/json")" = 200 ]) || names+="&names=$image"
    done
    [ -n "$names" ] || return 0
    (api_use "$first" && api_curl GET "/images/get?${names#&}" -f) |
        (api_use "$host" && api_curl POST "/images/load?quiet=1" -f -o /dev/null \
            -H 'Content-Type: application/x-tar' -T -)
}

is_gone() { ! is_ours "$1"; }

end() { # SIGNAL
    local p

    p=$(pid || true)
    is_ours "$p" || return 0
    kill -s "$1" "$p"
    wait_until is_gone "$p"
}

# Docker 20.10, killed while it writes down a new network, panics at every start
# from then on (libnetwork's reservePools); its networks have to be forgotten.
mend() {
    is_ours "$(pid || true)" && return 1
    grep -q 'libnetwork.*reservePools' "$run/log" || return 1
    rm -f "$dir/network/files/local-kv.db"
    : >"$run/log"
    start
}

case ${1:-} in
up)
    first=$("$root/images/engine.sh")
    "$root/images/setup.sh" iproute2 iptables >&2
    mkdir -p "$dir" "$run"
    [ -e /run/netns/$ns ] || ip netns add $ns
    ip -n $ns link set lo up
    answers || start
    wait_until answers
    copy_images
    echo "$host"
    ;;
exec)
    shift
    exec nsenter --net=/run/netns/$ns env DOCKER_HOST="$host" "$@"
    ;;
kill) end KILL ;;
stop) end TERM ;;
start) start ;;
mend) mend ;;
down)
    end TERM
    containerd=$(cat "$run/containerd.pid" 2>/dev/null || true)
    if is_ours "$containerd"; then
        kill "$containerd"
        wait_until is_gone "$containerd"
    fi
    # What a killed dockerd had mounted.
    awk -v d="$dir" -v r="$run" 'index($2, d) == 1 || index($2, r) == 1 {print $2}' \
        /proc/mounts | sort -r | xargs -r umount -l
    ip netns del $ns 2>/dev/null || true
    rm -rf "$dir" "$run"
    ;;
*)
    echo "usage: engine.sh up|exec CMD...|kill|stop|start|mend|down" >&2
    exit 64
    ;;
esac
