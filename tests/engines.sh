#!/bin/bash
# engines.sh [FILE.bats...] -- the end-to-end tests on other engines than the
# first, and a table of what came out. `make check-engines` runs it.
#
#   ENGINES="podman docker28"   which ones (the default)
#   ENGINES=unix:///x.sock      any DOCKER_HOST that answers, too
#
# Podman's service is started here, with storage and run-time state of its own
# (/var/tmp/cvx-podman, kept for the next run), beside whatever runs on this
# machine. A second Docker comes
# from the project's shared tools, where that folder is ($CVX_SHARED, default
# ../shared). An engine that cannot be had is skipped. The stand-in images are
# copied from the first engine; what was started here is stopped at the end.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
. "$root/images/api.sh"
. "$root/images/root.sh"

out=$root/build/engines
tools=${CVX_SHARED:-$root/../shared}/tools
standins='{"label":["cvx.kind=standin"]}'
files=("$@")
[ ${#files[@]} -gt 0 ] || files=("$here"/e2e/{start,teardown}.bats)

say() { echo "$*" >&2; }

answers() { (api_use "$1" && api_answers); }

# Also one that its parent has not asked for yet.
has_ended() { [ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"; }

# ---- engines: each sets `host`, `enter` and `sees`, or prints why not --------

started=()
stop_all() {
    local stop

    for stop in "${started[@]}"; do $stop || true; done
}
trap stop_all EXIT

# Mounts of its own: two Podmans must not share /run/containers, where the one
# takes the other's DNS server for its own. They stay when it is killed, or it
# would forget what runs; in new ones it must think that the machine is new.
podman_dir=/var/tmp/cvx-podman
podman_mounts() {
    mount --make-rprivate /
    mkdir -p /run/containers
    mount -t tmpfs tmpfs /run/containers
    rm -rf "$podman_dir/tmp"
    touch /run/containers/ours
    exec sleep infinity
}

podman_hold() {
    setsid unshare -m bash "$here/engines.sh" --podman-mounts >/dev/null 2>&1 </dev/null 9>&- &
    echo $! >"$podman_dir/hold"
    started+=(podman_release)
    for _ in $(seq 100); do
        ! nsenter -t $! -m test -e /run/containers/ours 2>/dev/null || return 0
        sleep 0.05
    done
    return 1
}

podman_pid() { cat "$podman_dir/pid"; }
podman_stop() { kill "$(podman_pid)" 2>/dev/null; }
podman_release() { kill "$(cat "$podman_dir/hold")" 2>/dev/null; }

# Not a test's: its directories go, and what the engine runs would miss them.
own_environment() { cd / && exec env -i PATH="$PATH" HOME=/root "$@"; }

podman_start() {
    own_environment CONTAINERS_CONF=$podman_dir/containers.conf setsid nsenter -t "$(cat "$podman_dir/hold")" -m \
        podman --root "$podman_dir/storage" --runroot /run/containers/storage \
        --tmpdir "$podman_dir/tmp" system service --time=0 "unix://$podman_dir/podman.sock" \
        >>"$podman_dir/log" 2>&1 </dev/null 9>&- &
    echo $! >"$podman_dir/pid"
}

up_podman() {
    local dir=$podman_dir

    [ "$(id -u)" = 0 ] || { echo "not root"; return 1; }
    "$root/images/setup.sh" podman runc catatonit netavark aardvark-dns \
        iptables >&2 || { echo "podman cannot be installed"; return 1; }
    mkdir -p "$dir"
    host=unix://$dir/podman.sock enter=
    control="$here/engines.sh --control podman"
    if ! answers "$host"; then
        "$root/images/engine.sh" --podman-settings >"$dir/containers.conf"
        : >"$dir/log"
        podman_hold || { echo "it cannot have mounts of its own"; return 1; }
        podman_start
        started+=(podman_stop)
    fi
    for _ in $(seq 100); do
        ! answers "$host" || return 0
        sleep 0.1
    done
    tail -n 5 "$dir/log" >&2
    echo "it does not start (log: $dir/log)"
    return 1
}

docker28_run=/run/engine-docker28
docker28_pid() { cat "$docker28_run/dockerd.pid"; }
docker28_stop() { "$tools/engine-docker28" down; }
docker28_release() { kill "$(cat "$out/docker28.hold")" 2>/dev/null; }

# Its mounts stay when it is killed: a new dockerd in new mounts would not find
# the containers that the old one ran. And what it was started with.
docker28_hold() {
    local pid

    pid=$(docker28_pid)
    cat "/proc/$pid/cmdline" >"$out/docker28.command"
    setsid nsenter -t "$pid" -m -n sleep infinity >/dev/null 2>&1 </dev/null 9>&- &
    echo $! >"$out/docker28.hold"
    started+=(docker28_release)
}

docker28_start() {
    local command

    mapfile -d '' -t command <"$out/docker28.command"
    rm -f "$docker28_run/dockerd.pid"
    own_environment setsid nsenter -t "$(cat "$out/docker28.hold")" -m -n "${command[@]}" \
        >>"$docker28_run/log" 2>&1 </dev/null 9>&- &
}

up_docker28() {
    local sock=unix://$docker28_run/docker.sock

    [ -x "$tools/engine-docker28" ] || { echo "no second engine"; return 1; }
    [ "$(id -u)" = 0 ] || { echo "not root"; return 1; }
    answers "$sock" || started+=(docker28_stop)
    host=$("$tools/engine-docker28" up) || { echo "it does not start"; return 1; }
    docker28_hold
    # From where we are, not from the engine's namespaces: /sys is another there.
    control="nsenter -t $$ -m -n $here/engines.sh --control docker28"
    enter="$tools/engine-docker28 exec" # its ports are reachable there only
    sees=$docker28_run                  # its root is another one
}

# Kills, stops and starts an engine for tests/chaos, which knows no other's ways.
# A second Docker keeps its containerd as a child, which a kill takes along.
control() { # ENGINE kill|stop|start
    local pid signal=KILL

    [ "$2" != start ] || {
        "$1_start"
        return
    }
    [ "$2" != stop ] || signal=TERM
    pid=$("$1_pid")
    kill -s $signal "$pid"
    for _ in $(seq 300); do
        has_ended "$pid" && return
        sleep 0.1
    done
    say "ERROR: $1 (process $pid) does not end"
    return 1
}

# ---- images ------------------------------------------------------------------

# "postgres:17 SOURCE" of every stand-in on engine $1.
list_images() {
    api_use "$1"
    api_curl GET "/images/json?filters=$(jq -rn --arg f "$standins" '$f | @uri')" |
        jq -r '.[] | .Labels["cvx.source"] as $source | .RepoTags[]?
            | sub("^localhost/"; "") | select(startswith("cvx/"))
            | . + " " + $source' | sort
}

# Copies what $2 does not have, or has from another source, from $1.
copy_images() {
    local missing names= name

    missing=$(comm -23 <(list_images "$1") <(list_images "$2") | cut -d' ' -f1)
    [ -n "$missing" ] || return 0
    say "Copying" $missing
    for name in $missing; do names+="&names=$name"; done
    (api_use "$1" && api_curl GET "/images/get?${names#&}" -f) |
        (api_use "$2" && api_curl POST "/images/load?quiet=1" -f -o "$out/load.log" \
            -H 'Content-Type: application/x-tar' -T -)
}

# ---- tests -------------------------------------------------------------------

# "20.10.24 1.41"
version_of() {
    api_use "$1"
    api_curl GET /version | jq -r '"\(.Version) \(.ApiVersion)"'
}

count() { grep -c "$@" || true; }

# A row of the table; status 1 when a test has failed.
row() {
    local tap=$4 ok skipped failed

    skipped=$(count -E '^ok .*# skip' <"$tap")
    ok=$(($(count '^ok ' <"$tap") - skipped))
    failed=$(count '^not ok ' <"$tap")
    # A file that broke off has told fewer results than it announced.
    [ "$(count -E '^(not )?ok ' <"$tap")" = "$(sed -n 's/^1\.\.//p' "$tap")" ] ||
        failed="$failed (broke off)"
    printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$ok" "$failed" "$skipped"
    [ "$failed" = 0 ]
}

run_engine() {
    local name=$1 host= enter= sees= control= why version tap

    case $name in
    podman | docker28) why=$out/why; up_"$name" >"$why" || {
            say "skipped: $name: $(cat "$why")"
            echo "| $name | – | – | skipped: $(cat "$why") | | |" >>"$out/table"
            return 0
        } ;;
    *://*) host=$name; answers "$host" || { say "ERROR: no engine at $host"; return 1; } ;;
    *) say "ERROR: '$name' is neither podman, docker28 nor a DOCKER_HOST"; return 64 ;;
    esac
    copy_images "$first" "$host" || { say "ERROR: $name: images could not be copied"; return 1; }
    read -r version api <<<"$(version_of "$host")"
    tap=$out/$(tr -c 'a-z0-9\n' - <<<"$name").tap
    say "== $name: version $version, API $api, $host"
    CHAOS_ON=yes CHAOS_ENGINE=$control ENGINE_SEES=$sees DOCKER_HOST=$host \
        $enter bats --tap "${files[@]}" 2>&1 | tee "$tap" >&2 || true
    row "$name" "$version" "$api" "$tap" >>"$out/table"
}

case ${1:-} in
--podman-mounts) podman_mounts ;;
--control)
    shift
    trap - EXIT
    control "$@"
    exit
    ;;
esac
"$root/images/setup.sh" jq bats curl
first=$("$root/images/engine.sh")
mkdir -p "$out"
exec 9>"$out/lock"
flock 9
{
    echo "| engine | version | API | passed | failed | skipped |"
    echo "|---|---|---|---|---|---|"
} >"$out/table"
status=0
for name in ${ENGINES:-podman docker28}; do
    run_engine "$name" || status=1
done
cat "$out/table"
exit $status
