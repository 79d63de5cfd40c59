# The errors a user meets: what a person reads on stderr, word for word, the
# exit status, and that nothing is left. In expected texts "..." stands for
# the rest of a line, or for what another machine would print.

load ../support/engine
load ../support/cvx

setup_file() {
    engine_use
    export SLEEPER=cvx-test/sleeper:$CVX_TEST_RUN
    sleeper_image
}
teardown_file() { api DELETE "/images/$SLEEPER?force=1" >/dev/null; }
setup() { rack_up; }
teardown() {
    [ -z "${listener:-}" ] || kill "$listener"
    rack_down
}

# An image that starts and then does nothing, whatever it is told.
sleeper_image() {
    local dir=$BATS_FILE_TMPDIR/sleeper

    mkdir "$dir"
    printf 'FROM %s\nENTRYPOINT ["sh", "-c", "echo I only sleep; exec sleep 1000"]\n' \
        "$WEB_IMAGE" >"$dir/Dockerfile"
    tar -c -C "$dir" Dockerfile | api_curl POST "/build?t=$SLEEPER" -f \
        --data-binary @- -H 'Content-Type: application/x-tar' >"$dir/log"
    image_there "$SLEEPER"
}

# fails STATUS [ARG...]: cvx start ends with that status and stdin's words.
fails() {
    local want=$1 status=0

    shift
    timeout 90 "$CVX" start "$@" >"$RACK_HOME/out" 2>"$RACK_HOME/err" </dev/null 3>&- ||
        status=$?
    matches "$RACK_HOME/err"
    [ "$status" = "$want" ] || {
        echo "status $status, not $want" >&2
        return 1
    }
    rack_is_empty
}

# service COMMAND [MORE KEYS]: an app of one service.
service() {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $1
    termination: {grace: 1}
${2:-}
YML
}

# listen: a program of this machine takes a port; $port and $listener.
listen() {
    perl -MIO::Socket::INET -e '
        $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
        open $f, ">", "$ARGV[0]~" or die;
        print $f $s->sockport, "\n";
        close $f;
        rename "$ARGV[0]~", $ARGV[0];
        sleep 1000' "$RACK_HOME/port" 3>&- &
    listener=$!
    wait_for 5 test -e "$RACK_HOME/port"
    port=$(cat "$RACK_HOME/port")
}

# ---- the engine -------------------------------------------------------------

@test "no engine at DOCKER_HOST" {
    service 'sleep 1'
    DOCKER_HOST=unix:///nowhere/docker.sock fails 1 <<'END'
ERROR: no container engine answers
  why  no container engine at /nowhere/docker.sock: there is no such socket
  do   is DOCKER_HOST right? without it the engine of this machine is used; cvx doctor says more
END
}

@test "a socket nobody listens on" {
    service 'sleep 1'
    perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)' \
        "$RACK_HOME/dead.sock"
    DOCKER_HOST=unix://$RACK_HOME/dead.sock fails 1 <<END
ERROR: no container engine answers
  why  nobody listens on $RACK_HOME/dead.sock: the container engine is not running (sudo systemctl start docker)
  do   is DOCKER_HOST right? without it the engine of this machine is used; cvx doctor says more
END
}

@test "permission denied on the engine's socket" {
    [ "$(id -u)" = 0 ] || skip "only root can become somebody else"
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    home=$(mktemp -d /tmp/cvx-nobody.XXXXXX)
    mkdir -m 700 "$home/run" "$home/state" "$home/app"
    cp "$CVX" "$(dirname "$CVX")/rackd" "$home"
    printf 'services:\n  web: {image: x}\n' >"$home/app/convox.yml"
    chown -R nobody: "$home"
    perl -MIO::Socket::UNIX -e '
        $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die;
        chmod 0600, $ARGV[0];
        sleep 1000' "$home/engine.sock" 3>&- &
    listener=$!
    wait_for 5 test -S "$home/engine.sock"
    as_nobody() {
        (cd "$home/app" && setpriv --reuid nobody --regid nogroup --clear-groups \
            env -i PATH="$PATH" HOME="$home" XDG_RUNTIME_DIR="$home/run" \
            XDG_STATE_HOME="$home/state" DOCKER_HOST="unix://$home/engine.sock" \
            "$home/cvx" "$@" </dev/null 3>&-)
    }
    status=0
    as_nobody start >"$RACK_HOME/out" 2>"$RACK_HOME/err" || status=$?
    as_nobody rackd stop
    rm -r "$home"
    [ "$status" = 1 ]
    matches "$RACK_HOME/err" <<END
ERROR: no container engine answers
  why  permission denied on $home/engine.sock: add yourself to its group (sudo usermod -aG docker "\$USER") and log in again, or use a rootless engine
  do   is DOCKER_HOST right? without it the engine of this machine is used; cvx doctor says more
END
}

# ---- the manifest and the environment ---------------------------------------

@test "no convox.yml" {
    fails 1 <<'END'
ERROR: open convox.yml: no such file or directory
  do   run cvx where convox.yml is, or name it with -m FILE
END
    fails 1 -m deploy/other.yml <<'END'
ERROR: open deploy/other.yml: no such file or directory
  do   run cvx where convox.yml is, or name it with -m FILE
END
}

@test "required env missing: all of it at once, and the place" {
    app shop <<YML
environment:
  - REGION
services:
  web:
    image: $WEB_IMAGE
    environment:
      - GREETING=hi
      - SECRET_KEY
      - TOKEN
YML
    fails 1 -e REGION=eu <<'END'
ERROR: convox.yml: 1 error; nothing was started
convox.yml:8:9: required env: SECRET_KEY, TOKEN (service web): set them with `cvx env set SECRET_KEY=...`, in .env, or with -e SECRET_KEY=...
     8 |       - SECRET_KEY
       |         ^
END
}

@test "unknown resource type, with the one that was meant" {
    app shop <<'YML'
resources:
  db: {type: postgress}
  queue: {type: kafka}
services:
  web: {image: x}
YML
    fails 1 <<'END'
ERROR: convox.yml: 2 errors; nothing was started
convox.yml:2:14: unknown resource type: postgress (did you mean postgres?); the types are postgres, ...
     2 |   db: {type: postgress}
       |              ^
convox.yml:3:17: unknown resource type: kafka; the types are postgres, ...
     3 |   queue: {type: kafka}
       |                 ^
END
}

@test "a manifest that is no YAML" {
    printf 'services:\n  web: [\n' >convox.yml
    fails 1 <<'END'
ERROR: convox.yml: 1 error; nothing was started
convox.yml:...
...
...
END
}

@test "an --env-file that is not there" {
    service 'sleep 1'
    fails 1 --env-file nosuch.env <<'END'
ERROR: open nosuch.env: no such file or directory
END
}

# ---- images and builds ------------------------------------------------------

@test "image not found" {
    app shop <<'YML'
services:
  web: {image: registry.invalid/nosuch/image:1}
YML
    fails 1 <<'END'
ERROR: image registry.invalid/nosuch/image:1 not found, needed by service web
  why  ...registry.invalid...
  do   no registry answers: check the network connection
END
}

failed_build_classic() {
    cat <<'END'
ERROR: build of web failed
  why  The command '/bin/sh -c echo about to fail; exit 3' returned a non-zero code: 3
       the build's last lines:
         | Step 1/...
         |  ---> ...
         | Step 2/...
         |  ---> Running in ...
         | about to fail
         | Removing intermediate container ...
  do   the whole build log is above, with tag build
END
}

failed_build_buildkit() {
    cat <<'END'
ERROR: build of web failed
  why  process "/bin/sh -c echo about to fail; exit 3" did not complete successfully: exit code: 3
       the build's last lines:
         | [1/2] FROM ...
         | CACHED [1/2] FROM ...
         | [2/2] RUN echo about to fail; exit 3
         | about to fail
         | ERROR [2/2] RUN echo about to fail; exit 3: process ...
  do   the whole build log is above, with tag build
END
}

failed_build_podman() {
    cat <<'END'
ERROR: build of web failed
  why  building at STEP "RUN echo about to fail; exit 3": while running runtime: exit status 3
       the build's last lines:
         | STEP 1/...
         | STEP 2/...
         | about to fail
  do   the whole build log is above, with tag build
END
}

@test "a build that fails: the log, the engine's words, what to do" {
    app shop <<'YML'
services:
  web: {build: .}
YML
    printf 'FROM %s\nRUN echo about to fail; exit 3\n' "$WEB_IMAGE" >Dockerfile
    # BuildKit says "CACHED" from the second time on.
    "$CVX" start >/dev/null 2>&1 </dev/null 3>&- || true
    failed_build_"$(builder)" >want
    fails 1 <want
    grep -x 'build  | about to fail' "$RACK_HOME/out"
}

@test "Dockerfile missing, and build.manifest missing" {
    app shop <<'YML'
services:
  web: {build: .}
YML
    fails 1 <<END
ERROR: build of web failed
  why  no such file: $RACK_HOME/shop/Dockerfile
  do   \`build\` in convox.yml names the directory, \`build.manifest\` the Dockerfile in it
END
    app shop <<'YML'
services:
  web: {build: {path: ./sub, manifest: Dockerfile.web}}
YML
    fails 1 <<END
ERROR: build of web failed
  why  no such file: $RACK_HOME/shop/sub/Dockerfile.web
  do   \`build\` in convox.yml names the directory, \`build.manifest\` the Dockerfile in it
END
}

# ---- resources --------------------------------------------------------------

@test "a resource that never becomes ready" {
    app shop <<YML
resources:
  db: {type: postgres, image: "$SLEEPER"}
YML
    fails 1 --wait-timeout 10 <<'END'
ERROR: not ready within 10 s
  why  resource db: checking: last answer on port 5432: connection refused
       its last lines:
         | I only sleep
  do   give it more time with --wait-timeout
END
}

@test "a resource whose image is no such database" {
    app shop <<YML
resources:
  db: {type: postgres, image: "$WEB_IMAGE"}
YML
    fails 1 <<'END'
ERROR: resource db: cannot start its container
  why  ...exec: "-c": executable file not found...
  do   is it an image of that type? check `image` of the resource in convox.yml
END
}

# ---- services ---------------------------------------------------------------

@test "a service that exits at once: its last 20 lines, its status is the session's" {
    service 'for i in $(seq 25); do echo "line $i"; done; exit 3'
    fails 3 <<END
ERROR: service web ended...: exit status 3
  why  its last lines:
$(seq -f '         | line %g' 6 25)
  do   mend what its lines say; with --no-exit-on-failure it is started again
END
    grep -x 'web    | line 1' "$RACK_HOME/out"
}

@test "a service that exits without a word" {
    service 'exit 1'
    fails 1 <<'END'
ERROR: service web ended...: exit status 1
  why  it printed nothing
  do   with --no-exit-on-failure it is started again
END
}

# To stderr all of it: the engine does not keep the order of the two streams.
@test "a command that is not in the image: 127" {
    service 'echo first >&2; nosuchprogram --serve'
    fails 127 <<'END'
ERROR: service web ended...: exit status 127 (command not found)
  why  its last lines:
         | first
         | ...nosuchprogram: not found
  do   check `command` in convox.yml: is that program in the image?
END
}

@test "a command that is no program: 126" {
    service 'echo first >&2; /etc/passwd'
    fails 126 <<'END'
ERROR: service web ended...: exit status 126 (the command cannot be executed)
  why  its last lines:
         | first
         | .../etc/passwd: Permission denied
  do   is it executable? chmod +x it in the Dockerfile
END
}

@test "a service killed by SIGKILL: 137" {
    service 'echo alive; kill -9 $$'
    fails 137 <<'END'
ERROR: service web ended...: exit status 137 (killed by SIGKILL)
  why  its last lines:
         | alive
  do   mend what its lines say; with --no-exit-on-failure it is started again
END
}

@test "with --no-exit-on-failure it is started again, and each warning has its own run's lines" {
    service 'echo I go; sleep 0.3; exit 3'
    "$CVX" start --no-exit-on-failure >out 2>err </dev/null 3>&- &
    cvx_pid=$!
    wait_for 30 grep -q 'again in 2.0 s' err
    kill -INT "$cvx_pid"
    end_json
    [ "$cvx_status" = 0 ]
    head -n 9 err >first
    matches first <<'END'
WARNING: service web ended: exit status 3; starting it again in 0.5 s
its last lines:
  | I go
WARNING: service web ended: exit status 3; starting it again in 1.0 s
its last lines:
  | I go
WARNING: service web ended: exit status 3; starting it again in 2.0 s
its last lines:
  | I go
END
}

@test "an initContainer that fails" {
    service 'exec sleep 100' '    initContainer: {command: "echo preparing; exit 4"}'
    fails 4 <<'END'
ERROR: initContainer of service web ended: exit status 4
  why  its last lines:
         | preparing
  do   mend `initContainer` of that service in convox.yml
END
}

@test "a service that ignores its port" {
    service 'echo here I am; exec sleep 1000' '    port: 3000
    health: {path: /check, grace: 1, interval: 1, timeout: 1}'
    fails 1 --wait-timeout 12 <<'END'
WARNING: service web does not answer on port 3000: GET /check: ...
  does it listen on 0.0.0.0:3000 (variable PORT)? is /check the right health path?
ERROR: not ready within 12 s
  why  service web: checking: GET /check on port 3000: ...
       its last lines:
         | here I am
  do   does it listen on 0.0.0.0 and the port of its variable PORT? or give it more time with --wait-timeout
END
}

# ---- ports ------------------------------------------------------------------

@test "port already taken: by whom, and where the service is instead" {
    listen
    service "$(web_command)" "    port: $port"
    "$CVX" start >out 2>err </dev/null 3>&- &
    cvx_pid=$!
    wait_for 30 grep -q '^ready in' out
    url=$(sed -n 's/^web .*\(http.*\)/\1/p' out)
    curl -fsS --noproxy '*' "$url/" | grep -x hello
    kill -INT "$cvx_pid"
    end_json
    matches err <<END
WARNING: port $port is already taken by perl (pid $listener); web is on 127.0.0.1:${url##*:} instead
END
}

@test "an nlb port already taken is an error" {
    listen
    service 'exec sleep 1000' "    nlb:
      - {port: $port, protocol: tcp, containerPort: 3000}"
    fails 1 <<END
ERROR: service web: port $port is already taken
  why  perl (pid $listener) listens on it
  do   stop that program, or change the nlb port in convox.yml
END
}
