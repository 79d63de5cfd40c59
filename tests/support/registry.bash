# registry.bash -- registries of a test's own, Debian's docker-registry:
#
#     load ../support/engine
#     load ../support/registry
#
#     registry_start open                   $OPEN is its 127.0.0.1:PORT
#     registry_start private user password  $PRIVATE is, and wants that login
#     push cvx/base:trixie app:1            into the storage that all share
#     teardown_file() { registries_stop; }
#
# An engine takes 127.0.0.1 without TLS. All registries of a file share one
# storage: what is pushed to one can be pulled from any.

REGISTRY_DIR=${BATS_FILE_TMPDIR:?}/registries

free_port() {
    perl -MIO::Socket::INET -e '
        print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

# registry_config NAME PORT: its configuration file's text.
registry_config() {
    cat <<YML
version: 0.1
log: {level: info}
storage: {filesystem: {rootdirectory: $REGISTRY_DIR/storage}}
http: {addr: "127.0.0.1:$2"}
YML
    [ ! -e "$REGISTRY_DIR/$1.htpasswd" ] ||
        echo "auth: {htpasswd: {realm: $1, path: $REGISTRY_DIR/$1.htpasswd}}"
}

# registry_start NAME [USER PASSWORD]: exports NAME in capitals, 127.0.0.1:PORT.
registry_start() {
    local name=$1 port

    mkdir -p "$REGISTRY_DIR"
    [ $# -lt 3 ] || htpasswd -iBn "$2" <<<"$3" >"$REGISTRY_DIR/$name.htpasswd"
    port=$(free_port) || return 1
    registry_config "$name" "$port" >"$REGISTRY_DIR/$name.yml"
    docker-registry serve "$REGISTRY_DIR/$name.yml" \
        >"$REGISTRY_DIR/$name.log" 2>&1 </dev/null 3>&- &
    echo $! >"$REGISTRY_DIR/$name.pid"
    wait_for 10 port_open 127.0.0.1 "$port" || {
        cat "$REGISTRY_DIR/$name.log" >&2
        return 1
    }
    export "${name^^}=127.0.0.1:$port"
}

# What it was asked for: lines of its log.
registry_log() { cat "$REGISTRY_DIR/$1.log"; }

registries_stop() {
    local file

    for file in "$REGISTRY_DIR"/*.pid; do
        [ ! -e "$file" ] || kill "$(cat "$file")" || true
    done
}

# push IMAGE NAME:TAG: into the storage, by way of the open registry. The name
# it had to be given for that is gone again.
push() {
    local to=$OPEN/$2 said

    api POST "/images/$1/tag?repo=${to%:*}&tag=${to##*:}" || return 1
    said=$(api_curl POST "/images/${to%:*}/push?tag=${to##*:}" -f -m 120 \
        -H "X-Registry-Auth: $(printf '{}' | base64)") || return 1
    api DELETE "/images/$to" >/dev/null
    ! grep '"errorDetail"' <<<"$said" >&2
}

# push_new BASE NAME:TAG [LAYERS]: an image of BASE and that many layers of
# 2 MB on top which nobody has seen before, and which the engine forgets again,
# so that a pull has something to fetch.
push_new() {
    local dir i made=cvx-test/pushed:$CVX_TEST_RUN

    dir=$(mktemp -d "$BATS_FILE_TMPDIR/push.XXXXXX")
    echo "FROM $1" >"$dir/Dockerfile"
    for ((i = 1; i <= ${3:-1}; i++)); do
        head -c 2000000 /dev/urandom >"$dir/file$i"
        echo "COPY file$i /pushed/" >>"$dir/Dockerfile"
    done
    tar -c -C "$dir" . | api_curl POST "/build?t=$made" -f -m 120 --data-binary @- \
        -H 'Content-Type: application/x-tar' >"$dir/log" || return 1
    push "$made" "$2" || return 1
    api DELETE "/images/$made" >/dev/null
}

# What was pulled from these registries, off the engine: names, and with them
# the layers nobody else has.
forget_pulled() {
    local name registries

    registries="^($(cat "$REGISTRY_DIR"/*.yml | sed -n 's/.*addr: "\(.*\)".*/\1/p' | paste -sd'|'))/"
    api GET /images/json | jq -r '.[].RepoTags[]?' | grep -E "$registries" |
        while read -r name; do
            api DELETE "/images/$name?force=1" >/dev/null
        done
}
