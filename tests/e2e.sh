#!/bin/bash
# e2e.sh [FILE.bats...] -- the end-to-end tests, files side by side.
#
# Each of $LANES lanes (default 3) is a machine of its own as far as tests can
# tell: namespaces with an own network, own processes, an own /run and a dockerd
# on an own data root, made by `unshare`. So fixed ports, process listings and
# a census of everything on an engine cannot meet another lane's, and all that a
# lane has made ends with its first process. The lanes have no way to the world.
#
# A lane needs root and a dockerd. Without them, with LANES=0, or with DOCKER_HOST
# set (that very engine is meant), the files run one after the other on the
# engine that answers.
#
# Files run longest first, as build/e2e/seconds has it from the last run; those
# of `first` before, those of `alone` when all others have ended. A file's TAP is
# printed when the file has ended. Ends with the failures, the slowest tests and
# the two lines that prove would print. Status 1 when a test has failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
. "$root/images/api.sh"

out=$root/build/e2e
store=/var/lib/cvx-e2e # images, and the data roots of the lanes of each run
run=${run:-$store/run.$$}
first="cli errors helpers"
alone="bench"
timeout=1200

say() { echo "# $*"; }

# ---- images ------------------------------------------------------------------

# Names the images by what they are, so that a rebuilt one makes a new store.
images_digest() {
    for name in $(stand_ins); do
        echo "$name $(api_curl GET "/images/$name/json" | json_string Id)"
    done | sha256sum | cut -c1-16
}

stand_ins() {
    api_curl GET '/images/json?filters=%7B%22label%22%3A%5B%22cvx.kind%3Dstandin%22%5D%7D' |
        grep -o '"cvx/[a-z]*:[^"]*"' | tr -d '"' | sort -u
}

# A data root that holds nothing but the stand-ins: made once, by loading them
# into an engine of its own (20 s, 1.2 GB), and kept for the next run. Two runs on
# one machine make it one after the other.
prepare_images() {
    local names= name to=$store/images-$(images_digest) begun=$SECONDS

    images=$to
    [ ! -e "$to/complete" ] || return 0
    say "Copying the images for the lanes"
    rm -rf "$store"/images-*
    mkdir -p "$to/data" "$to/var-tmp"
    for name in $(stand_ins); do names+="&names=$name"; done
    if ! api_curl GET "/images/get?${names#&}" -f |
        lane_unshare "$to" load >"$to/log" 2>&1; then
        tail -n 5 "$to/log" >&2
        say "No engine of our own can be had: one file after the other"
        rm -rf "$to"
        return 1
    fi
    : >"$to/complete"
    say "Copied in $((SECONDS - begun)) s"
}

# What is left of runs that were killed, whose lock nobody holds any more.
remove_stale() {
    local dir

    for dir in "$store"/run.*; do
        [ -d "$dir" ] || continue
        (flock -n 8 && remove_run "$dir") 8>>"$dir/lock" || true
    done
}

# The kernel takes a moment to end all processes of a lane; a cgroup can be removed
# when it is empty.
remove_run() { # DIR
    local groups="*/cvx-e2e-${1##*.}-*"

    for _ in $(seq 100); do
        find /sys/fs/cgroup -depth -type d -path "$groups" -exec rmdir {} + 2>/dev/null || true
        [ -n "$(find /sys/fs/cgroup -type d -path "$groups" -print -quit 2>/dev/null)" ] || break
        sleep 0.1
    done
    rm -rf "$1"
}

# ---- a lane ------------------------------------------------------------------

# lane_unshare DIR COMMAND...: runs `e2e.sh --lane DIR COMMAND...` as the first
# process of a lane. SIGKILL of this script ends it too. A background process is
# born with SIGINT ignored, which the tests' own programs must not inherit.
lane_unshare() {
    setpriv --pdeathsig KILL env --default-signal=INT,QUIT \
        unshare --fork --pid --kill-child --mount-proc --mount --net \
        "$here/e2e.sh" --lane "$@"
}

lane_engine() { # DIR
    local dir=$1

    mount --make-rprivate /
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock /var/lib/docker
    mount --bind "$dir/data" /var/lib/docker
    mount --bind "$dir/var-tmp" /var/tmp
    ip link set lo up
    unset DOCKER_CONTEXT
    export DOCKER_HOST=unix:///var/run/docker.sock HOME=/run
    api_use "$DOCKER_HOST"
    dockerd --cgroup-parent "/cvx-e2e-${run##*.}-${dir##*/}" >/run/dockerd.log 2>&1 </dev/null 9>&- &
    for _ in $(seq 300); do
        ! api_answers || return 0
        kill -0 $! 2>/dev/null || break
        sleep 0.1
    done
    tail -n 5 /run/dockerd.log >&2
    return 1
}

# Layers are complete when their engine has ended well.
lane_load() {
    api_curl POST "/images/load?quiet=1" -f -H 'Content-Type: application/x-tar' -T -
    kill %1
    wait %1 || true
}

# Runs what it takes from the queue; the first lane also what is to run alone.
lane_work() { # NUMBER
    local file

    while file=$(take queue); do run_file "$file"; done
    [ "$1" = 1 ] || return 0
    until [ -e "$run/others-ended" ]; do sleep 0.2; done
    while file=$(take alone); do run_file "$file"; done
}

# Takes the first line off a list that the lanes share.
take() {
    (
        flock 8
        head -n 1 "$run/$1" | grep . && sed -i 1d "$run/$1"
    ) 8>>"$run/take.lock"
}

run_file() {
    local file=$1 name tap begun=$SECONDS

    name=$(name_of "$file") tap=$out/$(name_of "$file").tap
    timeout --foreground $timeout bats --tap --timing "$file" >"$tap" 2>&1 </dev/null 8>&- 9>&- ||
        echo "# $name: bats ended with status $?" >>"$tap"
    (
        flock 8
        echo "$name $((SECONDS - begun))" >>"$run/seconds"
        say "$file ($((SECONDS - begun)) s)"
        cat "$tap"
    ) 8>>"$run/print.lock"
}

name_of() { basename "$1" .bats; }

# ---- the order -----------------------------------------------------------------

seconds_of() {
    cat "$out/seconds" "$here/e2e/seconds" 2>/dev/null |
        awk -v n="$1" '$1 == n {print $2; found = 1; exit} END {if (!found) print 60}'
}

# Two lists: what runs side by side, and what runs alone.
make_lists() { # FILE...
    local file name rank

    : >"$run/alone"
    for file; do
        name=$(name_of "$file")
        if [[ " $alone " = *" $name "* ]]; then
            echo "$file" >>"$run/alone"
            continue
        fi
        rank=1
        [[ " $first " != *" $name "* ]] || rank=0
        echo "$rank $(seconds_of "$name") $file"
    done | sort -k1,1n -k2,2nr | cut -d' ' -f3- >"$run/queue"
}

# ---- the end -------------------------------------------------------------------

# A file counts as broken off when it has told fewer results than it announced.
summary() { # FILE...
    local file name tap failed=0 tests=0 broken=

    echo
    for file; do
        name=$(name_of "$file") tap=$out/$(name_of "$file").tap
        [ -e "$tap" ] || echo "# not run: no lane was left" >"$tap"
        tests=$((tests + $(grep -cE '^(not )?ok ' "$tap" || true)))
        failed=$((failed + $(grep -c '^not ok ' "$tap" || true)))
        sed -n "/^not ok /,/^\(ok\|not ok\) /{/^ok /d;s|^not ok|not ok $name|;p}" "$tap"
        [ "$(grep -cE '^(not )?ok ' "$tap" || true)" = "$(sed -n 's/^1\.\.//p' "$tap")" ] || {
            echo "not ok $name.bats broke off"
            broken=yes
        }
    done
    say "the slowest tests"
    for file; do
        sed -nE "s/^(not )?ok [0-9]+ (.*) in ([0-9]+)ms$/\3 $(name_of "$file"): \2/p" \
            "$out/$(name_of "$file").tap"
    done | sort -rn | head -n 10 | awk '{ms = $1; $1 = ""; printf "#%7.1f s %s\n", ms / 1000, $0}'
    say "side by side: $lanes; seconds of each file:" $(sort -k2,2nr "$run/seconds" | awk '{printf "%s %s  ", $1, $2}')
    echo "Files=$#, Tests=$tests, $SECONDS wallclock secs"
    if [ "$failed" != 0 ] || [ -n "$broken" ]; then
        echo "Failed $failed/$tests tests"
        echo "Result: FAIL"
        return 1
    fi
    echo "Result: PASS"
}

# Of what is in build/e2e only the files that ran are renewed.
keep_seconds() {
    { cat "$run/seconds"; cat "$out/seconds" 2>/dev/null || true; } |
        awk '!seen[$1]++' >"$run/all" && cp "$run/all" "$out/seconds"
}

# ---- all of them -----------------------------------------------------------------

pids=()
ended() {
    trap '' INT TERM
    [ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null
    remove_run "$run"
}

has_lanes() {
    [ "$(id -u)" = 0 ] && [ "$lanes" -gt 0 ] &&
        [ -z "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ] && command -v dockerd >/dev/null &&
        unshare --pid --fork --mount --net true 2>/dev/null &&
        "$root/images/setup.sh" iproute2 iptables
}

# The engine only reads layers, so lanes share them by hard links; its databases
# it writes to, and locks.
copy_images() {
    local n

    for n in $(seq "$lanes"); do
        mkdir -p "$run/$n/data" "$run/$n/var-tmp"
        cp -al "$images/data/overlay2" "$run/$n/data/"
        cp -a "$images/data/image" "$run/$n/data/"
    done
}

start_lanes() {
    local n

    for n in $(seq "$lanes"); do
        lane_unshare "$run/$n" work "$n" &
        pids+=($!)
    done
    for n in $(seq 2 "$lanes"); do wait "${pids[n - 1]}" || true; done
    : >"$run/others-ended"
    wait "${pids[0]}" || true
    pids=()
}

if [ "${1:-}" = --lane ]; then
    dir=$2
    lane_engine "$dir"
    "lane_${@:3:1}" "${@:4}"
    exit
fi

[ $# -gt 0 ] || set -- "$here"/e2e/*.bats
lanes=${LANES:-3}
host=$("$root/images/engine.sh") # installs Docker on a fresh machine
! has_lanes || mine=yes
api_use "$host"
"$root/images/build.sh" --if-needed
mkdir -p "$out"
if [ -n "${mine:-}" ]; then mkdir -p "$store"; else run=$out/run.$$; fi
mkdir -p "$run"
exec 9>"$run/lock"
flock 9
trap 'exit 130' INT TERM
trap ended EXIT
export run
: >"$run/seconds"
make_lists "$@"
for file; do rm -f "$out/$(name_of "$file").tap"; done
if [ -n "${mine:-}" ]; then
    remove_stale
    exec 7>"$store/lock"
    flock 7 # another run may be making the very same
    prepare_images && copy_images || mine=
    exec 7>&-
fi
if [ -n "${mine:-}" ]; then
    start_lanes
else
    lanes=1
    export DOCKER_HOST=$host
    : >"$run/others-ended"
    lane_work 1
fi
keep_seconds
summary "$@"
