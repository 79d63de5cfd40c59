#!/bin/bash
# choices.sh -- what each choice of how a container is asked for costs the
# engine, by build/plain/bin/floor: six containers, side by side.
#
#   RUNS=5 tests/bench/choices.sh [PATTERN]       only rows that match
#
# Every round runs every row once, so that what else the machine does falls on
# all of them. "each" is the difference to the first row, for one container.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
floor=${FLOOR:-$top/build/plain/bin/floor}
runs=${RUNS:-5} count=${COUNT:-6}
. "$top/tests/bench/stats.sh"

titles=() # in order
declare -A command
start="network create,start"
stop="remove no-network"

# row TITLE OPTIONS PHASES: OPTIONS and PHASES are words; JSON has no blanks.
choice() {
    [[ $1 =~ ${pattern:-.} ]] || [ ${#titles[@]} = 0 ] || return 0
    titles+=("$1")
    command[$1]="-n $count $2 ${3:-$start $stop}"
}
with() { choice "$1" "-c $2"; }
host() { choice "$1" "-c {\"HostConfig\":$2}"; }
net() { choice "$1" "-w $2"; }

pattern=${1:-}
choice "nothing asked for" ""
choice "all created, then all started" "" "network create start $stop"
choice "attached before the start" "" "network create,attach,start $stop"
choice "network and create side by side" "" "network,create start $stop"
choice "2 at a time" "-j 2"
choice "4 at a time" "-j 4"
host "log driver local" '{"LogConfig":{"Type":"local"}}'
host "log driver none" '{"LogConfig":{"Type":"none"}}'
host "an init" '{"Init":true}'
with "health check NONE" '{"Healthcheck":{"Test":["NONE"]}}'
with "health check every second" \
    '{"Healthcheck":{"Test":["CMD","true"],"Interval":1000000000}}'
port='"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]'
with "a port published" \
    "{\"ExposedPorts\":{\"80/tcp\":{}},\"HostConfig\":{\"PortBindings\":{$port}}}"
choice "two aliases" '-e {"Aliases":["one","two"]}'
choice "static address" "-a 10.213.77"
with "anonymous volume" '{"Volumes":{"/var/lib/data":{}}}'
with "tmpfs over the volume" \
    '{"Volumes":{"/var/lib/data":{}},"HostConfig":{"Tmpfs":{"/var/lib/data":""}}}'
host "tmpfs" '{"Tmpfs":{"/var/lib/data":""}}'
host "bind mount" '{"Binds":["/etc:/mnt:ro"]}'
host "read-only root" '{"ReadonlyRootfs":true}'
host "no seccomp filter" '{"SecurityOpt":["seccomp=unconfined"]}'
host "no new privileges" '{"SecurityOpt":["no-new-privileges"]}'
host "privileged" '{"Privileged":true}'
host "host's IPC" '{"IpcMode":"host"}'
host "no IPC" '{"IpcMode":"none"}'
host "host's cgroup namespace" '{"CgroupnsMode":"host"}'
host "host's PIDs" '{"PidMode":"host"}'
host "no masked paths" '{"MaskedPaths":[],"ReadonlyPaths":[]}'
host "memory limit" '{"Memory":268435456}'
with "attached in the create" '{"AttachStdout":true,"AttachStderr":true}'
with "stdin open" '{"OpenStdin":true,"StdinOnce":true}'
with "a terminal" '{"Tty":true}'
net "network: internal" '{"Internal":true}'
net "network: no masquerade" \
    '{"Options":{"com.docker.network.bridge.enable_ip_masquerade":"false"}}'
net "network: no icc" \
    '{"Options":{"com.docker.network.bridge.enable_icc":"false"}}'
choice "default bridge" "-m bridge" "create,start remove"
choice "no network" "-m none" "create,start remove"
choice "host's network" "-m host" "create,start remove"
choice "network disabled" '-m none -c {"NetworkDisabled":true}' "create,start remove"
choice "no network, connected later" "-m none" \
    "network create,start,disconnect=none,connect $stop"

# What is handed over is made before the clock runs: only the last phase before
# the removal counts.
choice "> pause" "" "network create,start pause $stop"
choice "> unpause" "" "network create,start,pause unpause $stop"
choice "> rename" "" "network create,start,pause rename $stop"
choice "> connect, running" "-m bridge" \
    "network create,start connect $stop"
choice "> connect, paused" "-m bridge" \
    "network create,start,pause connect $stop"
choice "> disconnect, paused" "-m bridge" \
    "network create,start,pause,connect disconnect=bridge $stop"
choice "> none left, connect, paused" "-m none" \
    "network create,start,pause disconnect=none,connect $stop"
choice "> pool: disconnect, connect, unpause, rename" "-m pool" \
    "network=pool network create,start,pause disconnect=pool,connect,unpause,rename $stop no-network=pool"
choice "> pool: connect, unpause, rename" "-m pool" \
    "network=pool network create,start,pause connect,unpause,rename $stop no-network=pool"
choice "> pool: unpause, rename" "" \
    "network create,start,pause unpause,rename $stop"
choice "> start of a created one" "" "network create start $stop"
choice "> stop, with an init" "-c {\"HostConfig\":{\"Init\":true}}" \
    "network create,start stop $stop"
choice "> kill" "" "network create,start kill $stop"

# The phases between the network (or, handed over, the last of them) and the
# removal; the removal is the rest.
split() { # TITLE, floor's lines on stdin
    awk -v handed="$([[ $1 == ">"* ]] && echo 1)" '
        $1 ~ /^(remove|no-network)/ { gone += $NF; next }
        { if (handed) made = $NF; else made += $NF }
        END { printf "%.1f %.1f\n", made, gone }'
}

for run in $(seq "$runs"); do
    echo "round $run of $runs" >&2
    for title in "${titles[@]}"; do
        # shellcheck disable=SC2086
        lines=$($floor ${command[$title]}) || continue # said why
        read -r made gone < <(split "$title" <<<"$lines")
        times["$title/made"]+="$made "
        times["$title/gone"]+="$gone "
    done
done

first=${titles[0]}
printf '%-46s %22s %9s %22s\n' "$count containers, $runs runs: ms" "there (min - max)" each "gone (min - max)"
for title in "${titles[@]}"; do
    has "$title/made" || continue
    m=$(median "$title/made") g=$(median "$title/gone")
    awk -v t="$title" -v m="$m" -v g="$g" -v n="$count" -v m0="$(median "$first/made")" \
        -v ml="$(sorted "$title/made" | head -n 1)" -v mh="$(sorted "$title/made" | tail -n 1)" \
        -v gl="$(sorted "$title/gone" | head -n 1)" -v gh="$(sorted "$title/gone" | tail -n 1)" '
        BEGIN { each = substr(t, 1, 1) == ">" ? sprintf("%.1f", m / n) : sprintf("%+.1f", (m - m0) / n)
            printf "%-46s %8.0f (%4.0f - %4.0f) %9s %8.0f (%4.0f - %4.0f)\n", t, m, ml, mh, each, g, gl, gh }'
done
