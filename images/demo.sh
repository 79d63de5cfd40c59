#!/bin/bash
# demo.sh -- `make demo`: everything a fresh machine needs, then `cvx start` in
# fixtures/apps/demo.
#
# On a terminal the demo stays until Ctrl-C. Without one (CI) it fetches the
# page once, prints it, tears down, prints what was removed; the status is 0
# when all of that went well.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
bin=$top/build/plain/bin
app=$top/fixtures/apps/demo
wait_timeout=300 # the first start on a slow machine also builds the service

say() { echo "== $*" >&2; }
fail() { echo "ERROR: $*" >&2; exit 1; }

"$here/setup.sh" packages
make -C "$top" -s
DOCKER_HOST=$("$here/engine.sh")
export DOCKER_HOST
say "engine: $DOCKER_HOST"
"$here/build.sh" --if-needed

cd "$app"
if [ -t 0 ] && [ -t 1 ]; then
    say "cvx start; Ctrl-C ends it and removes everything"
    exec "$bin/cvx" start --wait-timeout $wait_timeout
fi

work=$(mktemp -d)
events=$work/events
cvx=
# Whatever happens, the session ends with this script: cvx is its lease.
finish() {
    [ -z "$cvx" ] || ! kill "$cvx" 2>/dev/null || wait "$cvx" || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# type_of TYPE: the last event of that type, or nothing.
event() { grep "\"type\": *\"$1\"" "$events" | tail -n 1 || true; }

# field NAME: a number or a string of the JSON object on stdin.
field() {
    grep -o "\"$1\": *\(\"[^\"]*\"\|[0-9.]*\)" | head -n 1 |
        sed 's/^"[^"]*": *//; s/^"//; s/"$//'
}

# Shows the steps as they come, and ends when the session is ready or over.
follow() {
    local line type

    while IFS= read -r line; do
        type=$(field type <<<"$line")
        case $type in
        state)
            echo "$(field kind <<<"$line") $(field name <<<"$line"):" \
                "$(field state <<<"$line")" "$(field text <<<"$line")"
            ;;
        log) echo "$(field tag <<<"$line") | $(field line <<<"$line")" ;;
        ready | error | end) return ;;
        esac
    done
}

say "cvx start --json"
: >"$events"
"$bin/cvx" start --json --wait-timeout $wait_timeout >"$events" 2>"$work/errors" \
    </dev/null &
cvx=$!
follow < <(tail -n +1 -f --pid=$cvx "$events")

if [ -z "$(event ready)" ]; then
    wait "$cvx" && status=0 || status=$?
    cvx=
    cat "$work/errors" >&2
    event error >&2
    fail "cvx start ended before it was ready (status $status)"
fi

url=$(event ready | sed 's/.*"services": *//' | field url)
say "ready in $(event ready | field seconds) s; the page at $url:"
curl -sS --noproxy '*' -m 30 -w '\n%{http_code}\n' "$url/" >"$work/page" ||
    fail "the page could not be fetched"
sed '$d' "$work/page"
code=$(tail -n 1 "$work/page")

say "cvx stop"
"$bin/cvx" stop || fail "cvx stop failed"
wait "$cvx" || true
cvx=
removed=$(event removed)
[ -n "$removed" ] || fail "nothing says that the session was removed"
say "removed $(field containers <<<"$removed") containers," \
    "$(field networks <<<"$removed") network(s)," \
    "$(field volumes <<<"$removed") volume(s) in $(field seconds <<<"$removed") s"
[ "$code" = 200 ] || fail "the page answered with status $code"
