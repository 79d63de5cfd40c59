# Images that a start builds.
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
# An app that no other run has, since images are named after it.
setup() {
    rack_up
    SHOP=shop-$BATS_TEST_NUMBER-$RANDOM
}
teardown() {
    rack_down && remove_images
}

# What this test has built: labelled with its app.
remove_images() {
    local id

    for id in $(rack_images); do
        api DELETE "/images/$id?force=1" >/dev/null || true
    done
}

rack_images() {
    local filter

    filter=$(jq -rn --arg l "cvx.build=$SHOP" '{label: [$l]} | tojson | @uri')
    api GET "/images/json?filters=$filter" | jq -r '.[].Id'
}

# dockerfile [PATH]: stdin, after a FROM of the image with a shell.
dockerfile() {
    mkdir -p "$(dirname "${1:-Dockerfile}")"
    { echo "FROM $WEB_IMAGE"; cat; } >"${1:-Dockerfile}"
}

# one: an app of one service that is built here.
one() {
    app "$SHOP" <<YML
services:
  web:
    build: .
    termination: {grace: 1}
${1:-}
YML
}

built() { jq -r 'select(.type == "state" and .kind == "build") | "\(.name) \(.state)"' "$events"; }
build_log() { jq -r 'select(.type == "log" and .tag == "build").line' "$events"; }

# no_step_left: no container of a build of this test, whose RUN names the rack.
no_step_left() {
    api GET '/containers/json?all=1' |
        jq -e --arg mark "${RACK_HOME##*/}" 'all(.Command | contains($mark) | not)'
}

# says TAG LINE: sooner or later.
says() { wait_for 20 logged "$1" "$2"; }

@test "FROM debian: where no registry answers a stand-in is used, and said" {
    one
    printf 'FROM debian:trixie-slim\nCMD ["sh", "-c", "echo I am $(id -un); exec sleep 1000"]\n' >Dockerfile
    start_json
    wait_event ready
    says web "I am root"
    if api GET /images/debian:trixie-slim/json >/dev/null 2>&1; then
        skip "debian:trixie-slim is there: no stand-in is needed"
    fi
    [ "$(event warning | jq -r .text)" = "debian:trixie-slim: no registry answers; $WEB_IMAGE, made from Debian's packages, stands in" ]
    [ "$(built)" = $'web building\nweb built' ]
    stop_json INT
    [ "$cvx_status" = 0 ]
}

@test "the image's own command and working directory; the user's files" {
    one
    echo "from the context" >file.txt
    dockerfile <<'END'
WORKDIR /srv
COPY file.txt .
CMD ["sh", "-c", "pwd; cat file.txt; exec sleep 1000"]
END
    start_json
    wait_event ready
    says web /srv
    says web "from the context"
    stop_json INT
}

@test "the stage development is what is built, when there is one" {
    one
    cat >Dockerfile <<END
FROM $WEB_IMAGE AS base
RUN echo stage >/stage
FROM base AS development
RUN echo development >>/stage
CMD ["sh", "-c", "cat /stage; exec sleep 1000"]
FROM base AS production
RUN echo production is not built; exit 1
END
    start_json
    wait_event ready
    says web development
    stop_json INT
}

@test "an ARG gets its value from the app's environment; what is no ARG does not" {
    one '    environment: [COLOUR=red, SECRET=hidden]'
    dockerfile <<'END'
ARG COLOUR=none
ARG OTHER=default
RUN echo "built $COLOUR $OTHER <$SECRET>" >/said
CMD ["sh", "-c", "cat /said; exec sleep 1000"]
END
    start_json -e COLOUR=green -e SECRET=hidden
    wait_event ready
    says web "built green default <>"
    stop_json INT
}

@test ".dockerignore is obeyed, exceptions too" {
    one
    mkdir -p node_modules/deep docs
    touch node_modules/deep/junk docs/a.md docs/keep.md secret.env main.txt
    printf 'node_modules\n*.env\ndocs/*\n!docs/keep.md\n' >.dockerignore
    dockerfile <<'END'
COPY . /context
CMD ["sh", "-c", "cd /context; find . -type f | sort; echo end; exec sleep 1000"]
END
    start_json
    wait_event ready
    says web end
    jq -r 'select(.type == "log" and .tag == "web").line' "$events" >got
    matches_files got ./.dockerignore ./Dockerfile ./convox.yml ./docs/keep.md ./main.txt end
    stop_json INT
}

matches_files() {
    local file=$1

    shift
    diff <(printf '%s\n' "$@") "$file"
}

@test "several services of one Dockerfile are built once" {
    app "$SHOP" <<YML
services:
  web: {build: ., command: "echo I am web; exec sleep 1000", termination: {grace: 1}}
  worker: {build: ., command: "echo I am worker; exec sleep 1000", termination: {grace: 1}}
YML
    dockerfile <<<'RUN echo once'
    start_json
    wait_event ready
    says web "I am web"
    says worker "I am worker"
    [ "$(built)" = $'web, worker building\nweb, worker built' ]
    [ "$(build_log | grep -cx once)" -le 1 ]
    stop_json INT
}

@test "build.path and build.manifest" {
    app "$SHOP" <<YML
services:
  web: {build: {path: ./web}, termination: {grace: 1}}
  api: {build: {path: ., manifest: docker/api.docker}, termination: {grace: 1}}
YML
    dockerfile web/Dockerfile <<<'CMD ["sh", "-c", "echo from web; exec sleep 1000"]'
    dockerfile docker/api.docker <<<'CMD ["sh", "-c", "echo from api; exec sleep 1000"]'
    start_json
    wait_event ready
    says web "from web"
    says api "from api"
    stop_json INT
}

@test "the build's log is told as it comes, in order, under the tag build" {
    one
    dockerfile <<'END'
RUN for i in 1 2 3 4 5; do echo "line $i"; done; echo to stderr >&2
CMD ["sleep", "1000"]
END
    start_json --no-cache
    wait_event ready
    [ "$(build_log | grep '^line')" = $'line 1\nline 2\nline 3\nline 4\nline 5' ]
    build_log | grep -x "to stderr"
    stop_json INT
}

@test "a second start takes the cache; --no-cache builds again; --no-build not at all" {
    one
    dockerfile <<'END'
RUN cat /proc/sys/kernel/random/uuid >/id
CMD ["sh", "-c", "echo id $(cat /id); exec sleep 1000"]
END
    id_of_start() {
        start_json "$@" || return 1
        wait_event ready >/dev/null || return 1
        wait_for 20 grep -q '"line":"id ' "$events" || return 1
        stop_json INT
        jq -r 'select(.type == "log" and .tag == "web").line' "$events" | grep '^id '
    }
    first=$(id_of_start)
    [ "$(id_of_start)" = "$first" ]
    third=$(id_of_start --no-cache)
    [ "$third" != "$first" ]
    echo 'RUN exit 1' >>Dockerfile
    [ "$(id_of_start --no-build)" = "$third" ]
}

@test "--no-build before there was a build says so" {
    one
    dockerfile </dev/null
    run timeout 60 "$CVX" start --no-build
    [ "$status" = 1 ]
    [[ $output == *"ERROR: service web: cannot create its container
  why  "*"
  do   its image is not built yet: start without --no-build"* ]]
}

@test "Ctrl-C during a build: at once, and nothing is left" {
    one
    dockerfile <<<"RUN echo begun; : ${RACK_HOME##*/}; sleep 60"
    start_json --no-cache
    wait_for 30 logged build begun
    before=$SECONDS
    stop_json INT
    [ "$cvx_status" = 130 ]
    [ $((SECONDS - before)) -lt 10 ]
    rack_is_empty
    [ -z "$(rack_images)" ]
    wait_for 5 no_step_left
}

@test "cvx killed with -9 during a build" {
    one
    dockerfile <<<"RUN echo begun; : ${RACK_HOME##*/}; sleep 60"
    start_json --no-cache
    wait_for 30 logged build begun
    never no_step_left
    kill -9 "$cvx_pid"
    wait "$cvx_pid" || true
    cvx_pid=
    wait_for 10 rack_is_empty
    wait_for 10 no_step_left
    wait_for 10 eval '[ "$("$CVX" rackd status --json | jq .sessions)" = 0 ]'
}

@test "command is the ENTRYPOINT's argument, and never takes its place" {
    one '    command: ["one", "two words"]'
    dockerfile <<'END'
RUN printf '#!/bin/sh\necho "entered with: $*"\nexec sleep 1000\n' >/enter && chmod 755 /enter
ENTRYPOINT ["/enter"]
CMD ["default"]
END
    start_json
    wait_event ready
    says web "entered with: one two words"
    stop_json INT
}

@test "a build and a resource go side by side" {
    app "$SHOP" <<YML
resources:
  cache: {type: redis}
services:
  web: {build: ., resources: [cache], termination: {grace: 1}}
YML
    dockerfile <<'END'
RUN sleep 4; echo built at last
CMD ["sleep", "1000"]
END
    start_json --no-cache
    wait_event ready
    jq -r 'select(.type == "state") | "\(.kind) \(.name) \(.state)"' "$events" >states
    cache=$(grep -nx 'resource cache ready' states | cut -d: -f1)
    web=$(grep -nx 'build web built' states | cut -d: -f1)
    [ "$cache" -lt "$web" ]
    stop_json INT
}

@test "a rebuild leaves no image that nothing names" {
    app "$SHOP" <<<'services: {web: {build: .}}'
    for n in 1 2 3; do
        printf 'FROM %s\nLABEL cvx.test.again=%s\nRUN echo %s >/n\nCMD exec sleep 60\n' "$WEB_IMAGE" "$CVX_TEST_RUN" "$n" >Dockerfile
        start_json
        wait_event ready
        stop_json INT
    done
    # Besides the one with the tag there is none: intermediate ones are not listed.
    label=$(jq -rn --arg l "cvx.test.again=$CVX_TEST_RUN" '{label: [$l]} | tojson | @uri')
    one_is_left() { [ "$(api GET "/images/json?filters=$label" | jq length)" = 1 ]; }
    wait_for 10 one_is_left # it is taken away behind the session's end
}
