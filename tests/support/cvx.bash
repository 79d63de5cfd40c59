# cvx.bash -- what bats files need to run cvx itself on a real engine:
#
#     load ../support/engine
#     load ../support/cvx
#     setup_file() { engine_use; }
#     setup() { rack_up; }
#     teardown() { rack_down; }
#
#     app demo <<<'services: ...'         a directory with that convox.yml; cd
#     start_json --wait-timeout 60        cvx start --json, in the background
#     wait_event ready                    its last event of a type, as JSON
#     stop_json INT                       a signal; waits; $status is its own
#
# Every test has a rack of its own (its own rackd, state and rack id), so tests
# never meet each other nor a developer's rackd. rack_down fails the test when
# anything with that rack's label is left on the engine.

CVX=${CVX:-$ROOT/build/plain/bin/cvx}
# A service image with a shell, and what it needs to be a small web server.
WEB_IMAGE=cvx/base:trixie

rack_up() {
    RACK_HOME=$(mktemp -d "$BATS_TEST_TMPDIR/rack.XXXXXX")
    mkdir -m 700 "$RACK_HOME/run" "$RACK_HOME/state" "$RACK_HOME/home"
    export XDG_RUNTIME_DIR=$RACK_HOME/run XDG_STATE_HOME=$RACK_HOME/state
    export HOME=$RACK_HOME/home
    # A rack of one test's life has no use for them.
    export CVX_TEMPLATES_MB=${TEMPLATES_MB:-0}
    events=$RACK_HOME/events
    cvx_pid=
    cd "$RACK_HOME" || return 1
}

rack_id() { cat "$RACK_HOME/state/cvx/local/id" 2>/dev/null; }

# Everything of this test's rack on the engine, a line each; status 1 when the
# engine does not say.
rack_census() (
    set -o pipefail
    id=$(rack_id)
    [ -n "$id" ] || return 0
    filter=$(jq -rn --arg l "cvx.rack=$id" '{label: [$l]} | tojson | @uri')
    api GET "/containers/json?all=1&filters=$filter" |
        jq -r '.[] | "container \(.Names[0]) \(.State)"' || return 1
    api GET "/networks?filters=$filter" | jq -r '.[] | "network \(.Name)"' || return 1
    api GET "/volumes?filters=$filter" | jq -r '.Volumes[]? | "volume \(.Name)"'
)

rack_is_empty() {
    local left

    left=$(rack_census) && [ -z "$left" ]
}

# The same without the reaper, which a rack has besides while there are sessions.
session_census() { rack_census | grep -v '^container /cvx-reaper-'; }

rackd_pid() { "$CVX" rackd status --json | jq -er .pid; }

# What removes everything when rackd is killed: its container, its process.
reaper_container() { containers_of reaper reaper; }
reaper_process() { pgrep -f "^cvx-reaper .*cvx.rack=$(rack_id)"; }

# rackd_dies_alone: kill -9, and neither reaper is there to see it. A rackd that
# is not stopped first would start others.
rackd_dies_alone() {
    local pid

    pid=$(rackd_pid)
    kill -STOP "$pid"
    # shellcheck disable=SC2046
    kill -9 $(reaper_process)
    api DELETE "/containers/$(reaper_container)?force=1"
    kill -9 "$pid"
    wait_for 5 has_ended "$pid"
}

# has_ended PID: also one that only its parent has not heard of: rackd's is
# init, which in a container may take seconds.
has_ended() {
    [ ! -e "/proc/$1/stat" ] || grep -q ') Z ' "/proc/$1/stat" 2>/dev/null
}

rack_down() {
    local left pid

    if [ -n "$cvx_pid" ]; then
        kill "$cvx_pid" 2>/dev/null || true
        wait "$cvx_pid" 2>/dev/null || true
    fi
    pid=$("$CVX" rackd status --json 2>/dev/null | jq '.pid // empty')
    "$CVX" rackd stop >/dev/null 2>&1 || true
    # A sanitizer speaks last of all, when the process ends.
    [ -z "$pid" ] || wait_for 10 has_ended "$pid" || true
    rackd_is_sound || return 1
    left=$(rack_census) || return 1
    [ -z "$left" ] || {
        echo "left on the engine: $left" >&2
        sed 's/^/rackd: /' "$RACK_HOME/run/cvx/rackd.log" >&2 || true
        remove_labelled "cvx.rack=$(rack_id)"
        return 1
    }
}

# What a sanitizer build of rackd, or rackd itself, found wrong in its own life.
rackd_is_sound() {
    local log=$RACK_HOME/run/cvx/rackd.log

    [ -e "$log" ] || return 0
    ! grep -E -A 40 'ERROR: AddressSanitizer|LeakSanitizer|runtime error:|handles are left open' \
        "$log" >&2
}

# app NAME: a directory of that name with the convox.yml of stdin; goes there.
app() {
    mkdir -p "$RACK_HOME/$1"
    cd "$RACK_HOME/$1" || return 1
    cat >convox.yml
}

# cvx start --json in the background; its events go to $events.
start_json() {
    : >"$events"
    "$CVX" start --json "$@" >"$events" 2>"$RACK_HOME/errors" </dev/null 3>&- &
    cvx_pid=$!
}

# event TYPE: the last one of it, compact JSON; status 1 when there is none.
event() {
    local found

    found=$(jq -c --arg t "$1" 'select(.type == $t)' "$events" 2>/dev/null | tail -n 1)
    [ -n "$found" ] && echo "$found"
}

# wait_event TYPE [SECONDS]: until it is there or cvx has ended.
wait_event() {
    local end=$((SECONDS + ${2:-90}))

    until event "$1"; do
        if [ $SECONDS -ge $end ] || ! kill -0 "$cvx_pid" 2>/dev/null; then
            event "$1" && return
            echo "no event $1; the last ones:" >&2
            tail -n 20 "$events" "$RACK_HOME/errors" >&2
            return 1
        fi
        sleep 0.05
    done
}

# catches_int PID: or has ended. A shell's background process is born with SIGINT
# ignored, which cvx ends: one sent earlier would be lost, as at no terminal.
catches_int() {
    has_ended "$1" || (((0x$(sed -n 's/^SigCgt:\t//p' "/proc/$1/status") & 2) != 0))
}

# stop_json SIGNAL: sends it and waits; $cvx_status is cvx's own.
stop_json() {
    wait_for 20 catches_int "$cvx_pid"
    kill -s "$1" "$cvx_pid"
    end_json
}

end_json() {
    cvx_status=0
    wait "$cvx_pid" || cvx_status=$?
    cvx_pid=
}

# service_port NAME: where the ready event says it is.
service_url() { event ready | jq -er --arg n "$1" '.services[] | select(.name == $n).url'; }
resource_url() { event ready | jq -er --arg n "$1" '.resources[] | select(.name == $n).host_url'; }

# containers_of KIND NAME: ids of this rack's containers.
containers_of() {
    local filter

    filter=$(jq -rn --arg r "cvx.rack=$(rack_id)" --arg k "cvx.kind=$1" \
        --arg n "cvx.name=$2" '{label: [$r, $k, $n]} | tojson | @uri')
    api GET "/containers/json?all=1&filters=$filter" | jq -r '.[].Id'
}

# A web server for services: answers every request with the environment
# variable TEXT (or its path's), logs a line, ends on SIGTERM.
web_command() {
    cat <<'PERL'
perl -MIO::Socket::INET -e '$| = 1; $SIG{TERM} = sub { print "bye\n"; exit 0 }; $s = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 20, ReuseAddr => 1) or die "cannot listen: $!"; print "listening on $ENV{PORT}\n"; while (1) { $c = $s->accept or next; $l = <$c>; while (defined($h = <$c>) && $h =~ /\S/) {} ($p) = $l =~ m{^\S+ /(\S*)}; $b = $p eq "" ? "hello\n" : "$ENV{$p}\n"; print $c "HTTP/1.0 200 OK\r\nContent-Length: " . length($b) . "\r\n\r\n$b"; close $c; print "served /$p\n" }'
PERL
}

# pair [YAML]: an app of two, that web server and a redis which it lists; YAML:
# more of the server, in flow style.
pair() {
    app pair <<YML
resources:
  cache: {type: redis}
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    resources: [cache]
    ${1:-}
YML
}

# pair_runs [ARGS]: the same, started and ready.
pair_runs() {
    pair
    start_json "$@"
    wait_event ready
}

# logged TAG LINE: such a line has been told.
logged() {
    jq -e -s --arg t "$1" --arg l "$2" \
        'any(.type == "log" and .tag == $t and .line == $l)' "$events" >/dev/null
}

# matches FILE: its lines are those of stdin, in which "..." stands for the rest
# of a line, or for what another machine would print.
matches() {
    perl -e '
        my @want = <STDIN>;
        open my $f, "<", $ARGV[0] or die;
        my @got = <$f>;
        my $re = join "", map { join "[^\n]*", map { quotemeta } split /\.\.\./, $_, -1 } @want;
        exit 0 if join("", @got) =~ /^$re$/;
        print STDERR "expected:\n", @want, "but it is:\n", @got;
        exit 1' "$1"
}

# never COMMAND...: fails where it succeeds. `! COMMAND` in the middle of a test
# never fails it: bash's errexit overlooks what is negated.
never() {
    if "$@"; then
        echo "this should have failed: $*" >&2
        return 1
    fi
}
