#!/bin/bash
# build.sh [--if-needed] [TYPE...] -- builds the images that stand in for the
# official ones where no registry can be reached.
#
#   TYPE           a folder in the table below; all of them when none is named
#   --if-needed    only those whose official image is neither in the engine nor
#                  to be had from its registry, and that are missing or out of
#                  date (their folder has changed since)
#
# Each folder is one image: Dockerfile and docker-entrypoint.sh. What they
# share (base/*.sh) is added to each build context. Two builds run
# at a time; what the engine says is kept in build/images/TYPE.log.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/api.sh"
. "$here/root.sh"
out=$(dirname "$here")/build/images

suite=trixie
# One row per image: its folder, the image it is built from (- for none), the
# version of what Debian has, the official image that it stands in for.
images='
base      -        trixie debian:trixie-slim
mysql     base     9.7    mysql:8.4
postgres  base     17     postgres:17
mariadb   base     11.8   mariadb:11.8
postgis   postgres 17-3.5 postgis/postgis:17-3.5
redis     base     8.0    redis:8.0
valkey    base     8.1    valkey/valkey:8.1
memcached base     1.6    memcached:1.6
'
all=
declare -A version official parent
while read -r type from number image; do
    [ -n "$type" ] || continue
    all+="${all:+ }$type"
    version[$type]=$number
    official[$type]=$image
    parent[$type]=${from#-}
done <<<"$images"

say() { echo "$*" >&2; }

name_of() { echo "cvx/$1:${version[$1]}"; }

# What an image is made from: its folder, the shared code, its parent.
source_of() {
    local type=$1 files=("$here"/base/{entrypoint,sql-server}.sh "$here/$1"/*)

    [ "$type" != base ] || files=("$here/base/rootfs.sh")
    {
        cat "${files[@]}"
        [ -z "${parent[$type]}" ] || source_of "${parent[$type]}"
    } | sha256sum | cut -c1-16
}

is_built() {
    local label

    label=$(api_curl GET "/images/$(name_of "$1")/json" | json_string cvx.source || true)
    [ "$label" = "$(source_of "$1")" ]
}

# Has a registry the image? One that does not answer is asked only once. Podman
# cannot be asked ("not supported"): there the pull itself is the question.
is_pullable() {
    local ref=$1 answer

    [ ! -e "$out/no-registry" ] || return 1
    answer=$(api_curl GET "/distribution/$ref/json" -m 30 -w ' %{http_code}' 2>&1 || true)
    [ "${answer##* }" != 200 ] || return 0
    if [[ $answer = *"not supported"* || $answer = *"page not found"* ]]; then
        answer=$(api_curl POST \
            "/images/create?fromImage=${ref%:*}&tag=${ref##*:}" -m 900 2>&1 || true)
        [ "$(api_status "/images/$ref/json")" != 200 ] || return 0
    fi
    if grep -qiE 'dial|lookup|timed? ?out|refused|unreachable|EOF' <<<"$answer"; then
        touch "$out/no-registry"
    fi
    return 1
}

is_needed() {
    [ "$(api_status "/images/${official[$1]}/json")" != 200 ] &&
        ! is_pullable "${official[$1]}" && ! is_built "$1"
}

# The texts of the engine's stream of JSON, as they were meant.
texts_of() {
    grep -oE '"(stream|error|message)":"(\\.|[^"\\])*"' "$1" |
        sed -E 's/^"[a-z]*":"//; s/"$//; s/\\n$//; s/\\u003e/>/g; s/\\u003c/</g;
            s/\\u0026/\&/g; s/\\n/\n/g; s/\\t/\t/g; s/\\(["\\])/\1/g'
}

# The engine answers 200 and then tells of failures in its stream.
check() {
    local type=$1 log=$2

    if grep -q '"error"' "$log" || ! is_built "$type"; then
        { texts_of "$log" || cat "$log"; } | grep . | tail -n 20 >&2
        say "ERROR: image $(name_of "$type") was not built (log: $log)"
        return 1
    fi
}

# Percent-encodes what goes into a query.
encode() {
    local text=$1 i c

    for ((i = 0; i < ${#text}; i++)); do
        c=${text:i:1}
        case $c in
        [a-zA-Z0-9._-]) printf '%s' "$c" ;;
        *) printf '%%%02X' "'$c" ;;
        esac
    done
}

# As root where that can be had; else in a user namespace, which not every
# kernel gives.
make_root() {
    local make=("$here/base/rootfs.sh" $suite "$1")

    if can_be_root; then
        as_root env ${MIRROR:+MIRROR="$MIRROR"} "${make[@]}"
    else
        "${make[@]}"
    fi
}

build_base() {
    local log=$out/base.log tar=$out/base.tar changes label

    "$here/setup.sh" mmdebstrap curl
    rm -f "$tar"
    if ! make_root "$tar" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        say "ERROR: mmdebstrap could not make Debian $suite (log: $log)"
        return 1
    fi
    changes="changes=$(encode 'CMD ["bash"]')"
    for label in kind=standin standin=base "version=$suite" "source=$(source_of base)"; do
        changes+="&changes=$(encode "LABEL cvx.$label")"
    done
    # Podman does not look at "tag".
    api_curl POST "/images/create?fromSrc=-&repo=cvx/base:$suite&$changes" \
        -H 'Content-Type: application/x-tar' -T "$tar" >>"$log" || true
    rm -f "$tar"
    check base "$log"
}

build_image() {
    local type=$1 log=$out/$1.log labels

    labels=$(printf '{"cvx.kind":"standin","cvx.standin":"%s","cvx.version":"%s","cvx.source":"%s"}' \
        "$type" "${version[$type]}" "$(source_of "$type")")
    tar -C "$here/$type" --owner=0 --group=0 --numeric-owner -c . \
        -C "$here/base" ./entrypoint.sh ./sql-server.sh |
        api_curl POST "/build?version=1&rm=1&forcerm=1&t=$(encode "$(name_of "$type")")&labels=$(encode "$labels")" \
            -H 'Content-Type: application/x-tar' --data-binary @- >"$log" || true
    check "$type" "$log"
}

id_of() { api_curl GET "/images/$(name_of "$1")/json" | json_string Id || true; }

# What the new image replaces is removed, unless something still uses it.
build() {
    local begun=$SECONDS old

    say "Building $(name_of "$1")"
    old=$(id_of "$1")
    if [ "$1" = base ]; then build_base; else build_image "$1"; fi || return 1
    if [ -n "$old" ] && [ "$old" != "$(id_of "$1")" ]; then
        api_curl DELETE "/images/$old" -o /dev/null
    fi
    say "Built $(name_of "$1") in $((SECONDS - begun)) s"
}

# An image's parents before it; the base of official name may be missing too.
add() {
    [[ " $todo " != *" $1 "* ]] || return 0
    [ -z "${parent[$1]}" ] || is_built "${parent[$1]}" || add "${parent[$1]}"
    todo+=" $1"
}

is_running() { jobs -rp | grep -qx "$1"; }

# Two at a time; a parent is awaited before its child.
build_all() {
    local type parent_pid
    declare -A pid

    for type in $todo; do
        parent_pid=${pid[${parent[$type]:-none}]:-}
        while [ "$(jobs -rp | wc -l)" -ge 2 ] ||
            { [ -n "$parent_pid" ] && is_running "$parent_pid"; }; do
            wait -n || true
        done
        [ ! -e "$out/failed" ] || break
        { build "$type" || touch "$out/failed"; } &
        pid[$type]=$!
    done
    wait
    [ ! -e "$out/failed" ]
}

if_needed= todo= types=
for arg; do
    case $arg in
    --if-needed) if_needed=yes ;;
    *)
        if [ -z "${version[$arg]:-}" ]; then
            say "usage: build.sh [--if-needed] [TYPE...], TYPE one of: $all"
            exit 64
        fi
        types+=" $arg"
        ;;
    esac
done

host=$("$here/engine.sh")
api_use "$host"
mkdir -p "$out"
exec 9>"$out/lock" # not before an engine was started: it would inherit it
flock 9            # another run may be building the very same
rm -f "$out/no-registry" "$out/failed"
for type in ${types:-$all}; do
    if [ -z "$if_needed" ] || is_needed "$type"; then
        add "$type"
    fi
done
build_all
