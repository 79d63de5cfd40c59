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
MAKEFLAGS= make -C "$top" -s
DOCKER_HOST=$("$here/engine.sh")
export DOCKER_HOST
say "engine: $DOCKER_HOST"
"$here/build.sh" --if-needed

cd "$app"
if [ -t 0 ] && [ -t 1 ]; then
    say "cvx start; Ctrl-C ends it and removes everything"
    exec "$bin/cvx" start --wait-timeout $wait_timeout
fi

page=$(mktemp)
started=
# Whatever happens, the session ends with this script; --ttl is for the case
# that even this line is not reached.
finish() {
    [ -z "$started" ] || "$bin/cvx" stop >&2 || true
    rm -f "$page"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

say "cvx start --detach"
started=yes
"$bin/cvx" start --detach --ttl 15m --wait-timeout $wait_timeout || {
    status=$?
    started=
    fail "cvx start ended before it was ready (status $status)"
}

url=$("$bin/cvx" services --json | grep -o 'http://[0-9.:]*' | head -n 1)
say "the page at $url:"
code=$(curl -sS --noproxy '*' -m 30 -o "$page" -w '%{http_code}' "$url/") ||
    fail "the page could not be fetched"
cat "$page"

say "cvx stop"
started=
"$bin/cvx" stop || fail "cvx stop failed"
[ "$code" = 200 ] || fail "the page answered with status $code"
