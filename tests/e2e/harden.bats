# What others do to rackd: users, clients and services that mean no good.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() {
    for pid in "${helpers[@]}"; do
        kill -CONT "$pid" 2>/dev/null || true
        kill "$pid" 2>/dev/null || true
    done
    rack_down
}

helpers=()

sleeper() {
    app "${1:-quiet}" <<YML
services:
  web: {image: $WEB_IMAGE, command: exec sleep 600, termination: {grace: 1}}
YML
}

# In kB; VmHWM is the most it ever was.
memory_of() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }

open_files() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

# A sanitizer's own memory is no measure.
is_sanitized() { grep -q libasan "/proc/$1/maps"; }

# hold COUNT [REQUEST]: so many connections, each after such a request, kept
# open until killed; nothing is read.
hold() {
    perl -MIO::Socket::UNIX -e '
        my ($path, $count, $request) = @ARGV;
        for (1 .. $count) {
            my $s = IO::Socket::UNIX->new(Peer => $path) or die "connect: $!";
            syswrite $s, $request if defined $request;
            push @all, $s;
        }
        open my $f, ">", "held" or die;
        sleep 600' "$XDG_RUNTIME_DIR/cvx/rackd.sock" "$@" 3>&- &
    helpers+=($!)
    wait_for 10 test -e held
}

# ---- files -------------------------------------------------------------------

@test "whatever the umask: sockets, logs and state are for their owner only" {
    for mask in 0000 0777; do
        (umask $mask && "$CVX" env set -a modes TOKEN=abc)
        [ "$(stat -c %a "$XDG_RUNTIME_DIR/cvx")" = 700 ]
        [ "$(stat -c %a "$XDG_RUNTIME_DIR/cvx/rackd.sock")" = 600 ]
        [ "$(stat -c %a "$XDG_STATE_HOME/cvx/local")" = 700 ]
        [ "$(find "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx/local" -type f | wc -l)" -ge 5 ]
        [ -z "$(find "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx/local" -type f ! -perm 600)" ]
        [ -z "$(find "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx" -type d ! -perm 700)" ]
        "$CVX" rackd stop
        rm -r "$XDG_STATE_HOME/cvx" "$XDG_RUNTIME_DIR/cvx"
    done
}

@test "directories and files that were open to others are closed" {
    "$CVX" env set -a modes TOKEN=abc
    "$CVX" rackd stop
    chmod 755 "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx/local" "$XDG_STATE_HOME/cvx/local/apps"
    chmod 644 "$XDG_STATE_HOME/cvx/local/"{password,id} "$XDG_STATE_HOME/cvx/local/apps/modes.env"
    chmod 666 "$XDG_RUNTIME_DIR/cvx/rackd.log"
    [ "$("$CVX" env get -a modes TOKEN)" = abc ]
    [ -z "$(find "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx/local" -type f ! -perm 600)" ]
    [ -z "$(find "$XDG_RUNTIME_DIR/cvx" "$XDG_STATE_HOME/cvx/local" -type d ! -perm 700)" ]
}

@test "links in place of its files are refused, and nothing is written through them" {
    mkdir -m 700 "$XDG_RUNTIME_DIR/cvx"
    echo kept >aim
    for name in rackd.sock rackd.lock rackd.log; do
        ln -s "$PWD/aim" "$XDG_RUNTIME_DIR/cvx/$name"
        run "$CVX" env -a x
        [ "$status" = 1 ]
        [[ "$output" = "ERROR: a link, not a "*"/$name (remove it)" ]]
        rm "$XDG_RUNTIME_DIR/cvx/$name"
    done
    mkdir -p "$XDG_STATE_HOME/cvx/local"
    ln -s "$PWD/aim" "$XDG_STATE_HOME/cvx/local/password"
    run "$CVX" env -a x
    [ "$status" = 1 ]
    [[ "$output" = *"rackd cannot start: "*"/password: it is a link: remove it"* ]]
    [ "$(cat aim)" = kept ]
}

@test "another user is refused, in words, also where the modes were loosened" {
    [ "$(id -u)" = 0 ] || skip "only root can be somebody else"
    "$CVX" env set -a mine TOKEN=sesame1234
    socket=$XDG_RUNTIME_DIR/cvx/rackd.sock
    chmod 666 "$socket"
    for ((dir = 0, at = 1; at; )); do
        dir=${dir/#0/$socket} && dir=${dir%/*}
        [ -n "$dir" ] && chmod o+x "$dir" || at=0
    done
    other="setpriv --reuid 65534 --regid 65534 --clear-groups curl -s -m 5 --unix-socket $socket"
    [ "$(curl -s -m 5 --unix-socket "$socket" 'http://x/env?app=mine' | jq -r .env[0].key)" = TOKEN ]
    run $other -w ' %{http_code}' 'http://x/env?app=mine'
    [[ "$output" = *"belongs to another user"*" 403" ]]
    run $other -w ' %{http_code}' -X POST 'http://x/quit'
    [[ "$output" = *" 403" ]]
    "$CVX" rackd status
}

# ---- clients -----------------------------------------------------------------

@test "a client too many is told so, and who is there goes on" {
    sleeper
    start_json
    wait_event ready
    hold 255
    run "$CVX" ps
    [ "$status" = 1 ]
    [[ "$output" = "ERROR: too many clients: 256 are connected; "* ]]
    kill -0 "$cvx_pid"
    stop_json INT # nobody hears it ask: it hangs up
    [ "$cvx_status" = 0 ]
    wait_for 10 rack_is_empty
    kill "${helpers[0]}"
    wait_for 5 "$CVX" rackd status
}

@test "slow and silent clients do not keep others waiting" {
    sleeper
    start_json
    wait_event ready
    hold 60 $'POST /start HTTP/1.1\r\nContent-Length: 9\r\n\r\n{'
    rm held
    hold 60 $'GET /logs?app=quiet&follow=1 HTTP/1.1\r\n\r\n'
    timeout 5 "$CVX" ps
    stop_json INT
    rack_is_empty
}

# A few hundred requests that make no sense, always the same ones.
fuzz() {
    perl -MIO::Socket::UNIX -e '
        use bytes;
        my $path = shift;
        srand 7;
        my @bodies = ("{", "[", "nul", "\"", "{\"dir\":", "[1]", "7", "\0",
            "{\"dir\":1}", "{\"dir\":\"/\",\"env\":{}}", "{\"dir\":\"/nowhere\"}",
            "{\"dir\":\"/tmp\",\"manifest\":\"/dev/zero\"}", "{\"set\":7}",
            "{\"dir\":\"/tmp\",\"client_env\":[1,{}],\"env\":[null]}",
            "{\"set\":[1,null,\"=\",\"A\",\"A=\0\"],\"unset\":{\"a\":1}}",
            "{\"ttl\":1e999,\"wait_timeout\":-1e308,\"dir\":\"" . "/x" x 5000 . "\"}",
            "[" x 100000, "{\"a\":" x 5000, "{\"dir\":\"\xff\xfe\"}", "x" x 200000);
        my @targets = ("/start", "/validate", "/plan", "/env?app=a", "/env", "/doctor",
            "/logs?app=a&tail=1e99", "/ps?app=%00", "/ps?app=%", "/%2e%2e/start", "*",
            "/apps//stop", "/apps/" . "a" x 9000 . "/stop", "/sessions/%ff/stop?now=1",
            "/resources?app=" . "b" x 300, "/resources/reset?app=a&name=b", "/nope", "/" . "?" x 2000);
        my @methods = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "G\0T", "get", "");
        sub any { $_[int rand @_] }
        for my $n (1 .. 400) {
            my $s = IO::Socket::UNIX->new(Peer => $path) or die "connect: $!";
            my $out = "";
            for (1 .. 1 + int rand 3) {
                my ($body, $len) = (any(@bodies));
                $len = any(length $body, length $body, length $body, 1e18, -1, "0x9", 3);
                $out .= any(@methods) . " " . any(@targets) . " HTTP/" . any(1.1, 1.1, 1.0, 9, "")
                    . "\r\nContent-Length: $len\r\n" . any("", "", "Transfer-Encoding: chunked\r\n", "A\0: b\r\n", ": \r\n")
                    . "\r\n$body";
            }
            substr $out, int(rand length $out), int(rand 40), any("", "\0", "\xff" x 9, "\r\n") if $n % 3 == 0;
            $SIG{PIPE} = "IGNORE";
            $s->blocking(0);
            my $sent = 0;
            for (1 .. 20) {
                my $k = syswrite $s, $out, length($out) - $sent, $sent;
                $sent += $k if $k;
                sysread $s, my $in, 65536;
                last if $sent == length $out;
                select undef, undef, undef, 0.002;
            }
            shutdown $s, $n % 2 if $n % 5 == 0;
            sysread $s, my $in, 65536 if $n % 2;
            close $s;
        }' "$XDG_RUNTIME_DIR/cvx/rackd.sock"
}

@test "requests that make no sense: rackd serves on, and holds nothing of them" {
    sleeper
    start_json
    wait_event ready
    rackd=$(rackd_pid)
    fuzz
    settled() { [ "$(open_files "$rackd")" = "$before" ]; }
    before=$(open_files "$rackd")
    # Connections that were refused linger for 2 s: what is counted is the rest.
    sleep 2.2
    before=$(open_files "$rackd")
    fuzz
    wait_for 10 settled
    [ "$(rackd_pid)" = "$rackd" ]
    kill -0 "$cvx_pid"
    never event end
    stop_json INT
    [ "$cvx_status" = 0 ]
}

# ---- floods ------------------------------------------------------------------

# As fast as they can: lines, very long lines, none at all, no text.
flood() {
    app flood <<YML
services:
  short: {image: $WEB_IMAGE, command: "exec yes 0123456789012345678901234567890123456789", termination: {grace: 1}}
  long: {image: $WEB_IMAGE, command: "while :; do head -c 6000000 /dev/zero | tr '\\\\0' x; echo; done", termination: {grace: 1}}
  binary: {image: $WEB_IMAGE, command: "exec cat /dev/urandom", termination: {grace: 1}}
  endless: {image: $WEB_IMAGE, command: "exec cat /dev/zero", termination: {grace: 1}}
YML
}

# cvx start --json; of its events those that are no lines go to $events.
start_flood() {
    flood
    mkfifo pipe
    "$CVX" start --json >pipe 2>"$RACK_HOME/errors" </dev/null 3>&- &
    cvx_pid=$!
    grep --line-buffered -a -v '^{"type":"log"' <pipe >"$events" 3>&- &
    helpers+=($!)
    wait_event ready 30
    rackd=$(rackd_pid)
}

@test "twenty services: rackd needs 15 MB at most" {
    app twenty < <(
        echo services:
        for i in $(seq 20); do
            echo "  s$i: {image: $WEB_IMAGE, command: exec sleep 600, termination: {grace: 1}}"
        done
    )
    "$CVX" start --detach
    rackd=$(rackd_pid)
    [ "$(session_census | wc -l)" = 21 ]
    echo "# $(memory_of "$rackd" VmRSS) kB" >&3
    is_sanitized "$rackd" || [ "$(memory_of "$rackd" VmRSS)" -lt 15360 ]
    "$CVX" stop -a twenty
    rack_is_empty
}

@test "a flood of output: rackd stays small and answers, whoever reads" {
    start_flood
    sleep 1 # the flood has to last before it can do harm
    timeout 5 "$CVX" ps | grep short

    # A reader that hangs, one that reads, and the start's own one asleep.
    hold 3 $'GET /logs?app=flood&follow=1 HTTP/1.1\r\n\r\n'
    timeout 3 "$CVX" logs -f >read 3>&- || [ $? = 124 ]
    [ -s read ]
    kill -STOP "$cvx_pid"
    # rackd waits 5 s for a reader before it drops lines; this one sleeps longer.
    sleep 8
    timeout 5 "$CVX" ps | grep binary
    is_sanitized "$rackd" || [ "$(memory_of "$rackd" VmHWM)" -lt 65536 ]

    # It awakes, and is told what it missed.
    count=$(grep -c '"type":"lost"' "$events" || true)
    kill -CONT "$cvx_pid"
    wait_for 10 eval '[ "$(grep -c "\"type\":\"lost\"" "$events")" -gt '"$count"' ]'
    event lost | jq -e '.lines > 0'
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}

@test "a flood and a start whose client sleeps: it can be stopped from elsewhere" {
    start_flood
    kill -STOP "$cvx_pid"
    sleep 1 # until all buffers on the way to the sleeping client are full
    timeout 30 "$CVX" stop
    rack_is_empty
    is_sanitized "$rackd" || [ "$(memory_of "$rackd" VmHWM)" -lt 65536 ]
    kill -CONT "$cvx_pid"
    end_json
    wait_event end 5 | jq -e '.status == 0'
    event removed
}

@test "in text a flood's dropped lines are counted" {
    flood
    mkfifo pipe
    "$CVX" start >pipe 2>errors </dev/null 3>&- &
    cvx_pid=$!
    exec 7<pipe # somebody who does not read
    # rackd waits 5 s for a reader before it drops lines; this one sleeps longer.
    sleep 9
    (timeout 3 cat <&7 3>&- || true) | grep -a -m 1 'log lines dropped: they came faster than they could be shown'
    exec 7<&-
    end_json
    wait_for 15 rack_is_empty
}

# ---- secrets -----------------------------------------------------------------

# All that anybody but the owner's services may read of it.
nothing_tells() {
    never grep -a -n sesame "$@"
}

# The command lines of every cvx and rackd of this build, now.
command_lines() {
    local dir

    for dir in /proc/[0-9]*; do
        [[ "$(readlink "$dir/exe")" = "$(dirname "$(realpath "$CVX")")"/* ]] || continue
        tr '\0' ' ' <"$dir/cmdline"
        echo
    done
}

secretive() {
    app secretive <<YML
resources:
  db: {type: postgres}
services:
  web:
    image: $WEB_IMAGE
    command: sleep 600 || echo \${API_TOKEN} stored1sesame
    environment: [API_TOKEN, PLAIN, CHOSEN_KEY=]
    resources: [db]
    termination: {grace: 1}
YML
    cat >.env <<'ENV'
API_TOKEN=sesame-of-dotenv
DB_URL=postgres://me:sesame-of-url@db.example.com/shop
ENV
    "$CVX" env set PLAIN=stored1sesame | tee set
}

@test "secrets: in no event, table, listing, log or command line" {
    export RACKD_LOG=all
    secretive
    start_json -e CHOSEN_KEY=sesame-of-the-command-line
    wait_event ready
    command_lines >commands
    grep -F 'start --json -e CHOSEN_KEY=****' commands
    grep -F rackd.sock commands
    "$CVX" ps >ps
    "$CVX" ps --json >ps.json
    grep -F 'sleep 600 || echo **** ****' ps.json
    "$CVX" resources >resources
    grep -F 'postgres://me:****@db.example.com/shop' resources
    "$CVX" resources --json >resources.json
    "$CVX" resources info db >info
    "$CVX" plan >plan
    "$CVX" plan --json >plan.json
    [ "$("$CVX" resources url db)" = postgres://me:sesame-of-url@db.example.com/shop ]
    stop_json INT
    grep -F 'web: ATTACHING -> STARTING' "$XDG_RUNTIME_DIR/cvx/rackd.log" # it was talkative
    nothing_tells "$events" "$RACK_HOME/errors" "$XDG_RUNTIME_DIR/cvx/rackd.log" \
        set commands ps ps.json resources resources.json info plan plan.json
}

@test "secrets: not in what a start prints, nor on a terminal" {
    secretive
    timeout 60 "$CVX" start --detach >text 2>&1 3>&-
    grep -F 'postgres://me:****@db.example.com/shop' text
    "$CVX" stop >>text 2>&1
    if command -v script; then
        : >typescript
        script -qfc "$CVX start" typescript </dev/null >/dev/null 2>&1 3>&- &
        helpers+=($!)
        wait_for 30 grep -q 'ready in' typescript
        "$CVX" stop >>text 2>&1
        cat typescript >>text
    fi
    nothing_tells text
}

@test "secrets: not in the errors of starts and builds that fail" {
    export RACKD_LOG=all
    secretive
    for broken in 'image: cvx/base:trixie, command: [/no/sesame-of-dotenv]' \
        'image: "cvx.invalid/sesame-of-dotenv:1"' \
        'build: .'; do
        printf 'services:\n  web: {%s, environment: [API_TOKEN, PLAIN]}\n' "$broken" >convox.yml
        printf 'FROM %s\nARG API_TOKEN\nRUN echo; exit 3 # sesame-of-dotenv\n' "$WEB_IMAGE" >Dockerfile
        start_json --wait-timeout 30
        end_json
        [ "$cvx_status" != 0 ]
        event error >>failed
        cat "$RACK_HOME/errors" >>failed
    done
    [ "$(grep -c '"type":"error"' failed)" = 3 ]
    nothing_tells failed "$XDG_RUNTIME_DIR/cvx/rackd.log"
}
