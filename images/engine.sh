#!/bin/bash
# engine.sh -- prints the DOCKER_HOST of a container engine that answers.
#
# Looks where rackd looks: DOCKER_HOST, DOCKER_CONTEXT, the current docker
# context, the usual sockets. Where nothing answers it installs Debian's
# docker.io and starts dockerd detached; where that cannot run, Podman's
# service. What is going on goes to stderr.
#
#   engine.sh            find or start
#   engine.sh --find     find only; status 1 when there is none
#   engine.sh --podman-settings
#                        prints a containers.conf that Podman runs with here
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/api.sh"
. "$here/root.sh"

log=/var/log/dockerd.log
runtime=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}
podman_socket=$runtime/podman/podman.sock
[ "$(id -u)" != 0 ] || podman_socket=/run/podman/podman.sock

say() { echo "$*" >&2; }

answers() { api_use "$1" && command -v curl >/dev/null && api_answers; }

# Prints the endpoint and ends when it answers.
try() {
    if answers "$1"; then
        echo "$1"
        exit 0
    fi
}

# What the docker command would use by name must answer: to start another
# engine in its place is not what was asked for.
must() {
    try "$1"
    say "ERROR: no engine answers at $1 ($2)"
    exit 1
}

# The endpoint of docker context `$1`, or nothing.
context_host() {
    local meta

    for meta in "${DOCKER_CONFIG:-$HOME/.docker}"/contexts/meta/*/meta.json; do
        [ -f "$meta" ] || continue
        [ "$(json_string Name <"$meta")" = "$1" ] || continue
        json_string Host <"$meta"
        return
    done
}

find_engine() {
    local config=${DOCKER_CONFIG:-$HOME/.docker}/config.json context= socket

    [ -z "${DOCKER_HOST:-}" ] || must "$DOCKER_HOST" DOCKER_HOST
    context=${DOCKER_CONTEXT:-}
    if [ -z "$context" ] && [ -f "$config" ]; then
        context=$(json_string currentContext <"$config" || true)
    fi
    if [ -n "$context" ] && [ "$context" != default ]; then
        must "$(context_host "$context")" "docker context $context"
    fi
    for socket in /var/run/docker.sock "$runtime/docker.sock" \
        "$HOME/.docker/run/docker.sock" "$HOME/.docker/desktop/docker.sock" \
        "$HOME/.colima/default/docker.sock" "$HOME/.orbstack/run/docker.sock" \
        "$HOME/.rd/docker.sock" "$runtime/podman/podman.sock" \
        /run/podman/podman.sock; do
        [ ! -S "$socket" ] || try "unix://$socket"
    done
}

# A process that has ended may stay as a zombie for a while.
is_alive() {
    [ -e "/proc/$1" ] && ! grep -qs '^State:.Z' "/proc/$1/status"
}

# Waits up to `$2` seconds for endpoint `$1`; gives up when process `$3` ends.
wait_for() {
    local end=$((SECONDS + $2))

    while [ $SECONDS -lt $end ]; do
        answers "$1" && return 0
        [ -z "${3:-}" ] || is_alive "$3" || return 1
        sleep 0.1
    done
    return 1
}

# systemd starts the service when the package is installed; its socket
# belongs to group docker, so a user who may use sudo is let in here.
adopt_service() {
    local end=$((SECONDS + 15))

    [ -d /run/systemd/system ] || return 1
    as_root systemctl start docker >&2 || return 1
    while [ $SECONDS -lt $end ] && [ ! -S /var/run/docker.sock ]; do
        sleep 0.1
    done
    if [ ! -w /var/run/docker.sock ]; then
        say "Giving $(id -un) the engine's socket until the engine restarts"
        as_root chgrp "$(id -gn)" /var/run/docker.sock
    fi
    wait_for unix:///var/run/docker.sock 15
}

start_docker() {
    local extra=

    can_be_root || return 1
    # The daemon refuses to start where the kernel has AppArmor and its
    # parser is missing.
    if grep -qs Y /sys/module/apparmor/parameters/enabled; then
        extra=apparmor
    fi
    command -v dockerd >/dev/null ||
        "$here/setup.sh" docker.io iptables ca-certificates $extra || return 1
    adopt_service && return 0
    say "Starting dockerd (log: $log)"
    # The socket is given to the caller's group; root's own for root.
    as_root sh -c 'PATH=$PATH:/usr/sbin:/sbin
        setsid dockerd -G "$1" >"$2" 2>&1 </dev/null & echo $! >"$2.pid"' \
        sh "$(id -gn)" "$log"
    wait_for unix:///var/run/docker.sock 30 "$(cat $log.pid)" && return 0
    as_root tail -n 5 "$log" >&2
    say "dockerd does not run here; trying Podman"
    return 1
}

# Settings for the service we start, beside the user's own. Podman asks for
# limits that a container or a small machine may not give: it gets those that
# hold here. crun refuses a machine with both generations of cgroups.
podman_settings() {
    local files processes

    files=$(ulimit -Hn) processes=$(ulimit -Hu)
    [ "$files" != unlimited ] || files=1048576
    [ "$processes" != unlimited ] || processes=1048576
    # Podman lowers its own limit to this, and cannot raise it for others.
    [ "$processes" -le "$(cat /proc/sys/kernel/pid_max)" ] ||
        processes=$(cat /proc/sys/kernel/pid_max)
    echo '[containers]'
    echo "default_ulimits = [\"nofile=$files:$files\", \"nproc=$processes:$processes\"]"
    echo '[network]'
    echo 'network_backend = "netavark"'
    echo '[engine]'
    [ -f /sys/fs/cgroup/cgroup.controllers ] || echo 'runtime = "runc"'
    [ -d /run/systemd/system ] || echo 'cgroup_manager = "cgroupfs"'
    [ -d /run/systemd/system ] || echo 'events_logger = "file"'
}

start_podman() {
    local work log

    "$here/setup.sh" podman runc uidmap slirp4netns fuse-overlayfs netavark \
        aardvark-dns catatonit iptables ca-certificates || return 1
    work=$(dirname "$podman_socket")
    mkdir -p "$work" 2>/dev/null || {
        say "ERROR: XDG_RUNTIME_DIR is not set and $runtime cannot be written"
        return 1
    }
    log=$work/cvx-service.log
    podman_settings >"$work/cvx-containers.conf"
    say "Starting Podman's service (log: $log)"
    XDG_RUNTIME_DIR=$runtime CONTAINERS_CONF=$work/cvx-containers.conf \
        setsid podman system service --time=0 "unix://$podman_socket" \
        >"$log" 2>&1 </dev/null &
    wait_for "unix://$podman_socket" 20 $! && return 0
    tail -n 5 "$log" >&2
    return 1
}

if [ "${1:-}" = --podman-settings ]; then
    podman_settings
    exit 0
fi
find_engine
[ "${1:-}" != --find ] || exit 1
"$here/setup.sh" curl
find_engine
if start_docker; then
    try unix:///var/run/docker.sock
elif start_podman; then
    try "unix://$podman_socket"
fi
say "ERROR: no container engine answers, and none could be started"
exit 1
