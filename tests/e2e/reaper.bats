# Whatever is killed, nothing is left, and nobody else's things are touched: the
# container and the process that remove what a dead rackd cannot.

load ../support/engine
load ../support/cvx

setup_file() {
    engine_use
    bystanders
}

setup() {
    rack_up
    rackd=
}

teardown() {
    [ -z "$rackd" ] || kill -CONT "$rackd" 2>/dev/null || true
    ! id=$(rack_id) || echo "$id" >>"$BATS_FILE_TMPDIR/racks"
    rack_down
}

# A process looks for late arrivals yet when all is gone; then it goes too.
teardown_file() {
    local racks late=0

    engine_clean
    racks=$(paste -sd'|' "$BATS_FILE_TMPDIR/racks")
    wait_for 20 eval "! pgrep -f '^cvx-reaper .*cvx.rack=($racks)'" || late=1
    [ ! -e "$BATS_FILE_TMPDIR/relays" ] || xargs kill <"$BATS_FILE_TMPDIR/relays"
    return $late
}

# ---- who else is on the engine -------------------------------------------------

# named NAME [JSON]: a container of nobody's session, running, with that name.
named() {
    local id

    id=$(container "$WEB_IMAGE" "$(jq -cn --argjson more "${2:-{\}}" \
        '$more + {Cmd: ["sleep", "600"], StopSignal: "KILL"}')")
    api POST "/containers/$id/rename?name=$1"
    echo "$id"
}

# Names like ours without our labels, and another rack's labels.
bystanders() {
    local n=$RANDOM
    local labels='{"cvx.rack": "0123456789abcdef", "cvx.kind": "service", "cvx.name": "web"}'
    local more

    more=$(jq -cn --argjson l "$labels" --arg run "$CVX_TEST_RUN" \
        '{Labels: ($l + {"cvx.test": $run})}')
    named "pair-s$n-web-1"
    named "cvx-reaper-$n"
    named "cvx-test-other-$n" "$more"
    api POST /networks/create "$(jq -c --arg n "pair-s$n" '.Name = $n' <<<"$more")"
    api POST /volumes/create "$(jq -c --arg n "pair-s$n-files" '.Name = $n' <<<"$more")"
}

# Kind and id of all there is, but for what other runs and racks have here.
listing() (
    set -o pipefail
    for what in '/containers/json?all=1' /networks /volumes; do
        api GET "$what" || exit 1
    done | jq -rs --arg run "$CVX_TEST_RUN" --arg rack "$(rack_id)" '
        def ours: (.Labels // {}) | if has("cvx.test") then .["cvx.test"] == $run
            else (has("cvx.rack") | not) or .["cvx.rack"] == $rack end;
        [.[0][] | select(ours | not) | .Mounts[] | .Name // empty] as $theirs |
        (.[0][] | select(ours) | "container \(.Id)"),
        (.[1][] | select(ours) | "network \(.Id)"),
        (.[2].Volumes[]? | select(ours and (.Name | IN($theirs[]) | not)) |
            "volume \(.Name)")' | sort
)

is_as_before() {
    listing >"$RACK_HOME/after" && cmp -s "$RACK_HOME/before" "$RACK_HOME/after"
}

# ---- a session, and its end ----------------------------------------------------

pair_with_files() { pair 'volumes: ["files:/data"]'; }

guarded_pair_runs() {
    pair_with_files
    listing >"$RACK_HOME/before"
    start_json "$@"
    wait_event ready
    rackd=$(rackd_pid)
    wait_for 5 eval '[ "$(rack_census | wc -l)" = 5 ]' # two services, the reaper, network, volume
    never is_as_before
}

now_ms() { date +%s%3N; }

# gone_in MS: nothing of the rack is there any more.
gone_in() {
    local begun end

    begun=$(now_ms)
    until rack_is_empty; do
        [ $(($(now_ms) - begun)) -lt "$1" ] || return 1
    done
    end=$(now_ms)
    echo "# gone $((end - begun)) ms after it" >&3
}

# all_is_gone: soon, and the engine has what it had, and still has it later.
all_is_gone() {
    gone_in 3000
    end_json
    [ "$cvx_status" != 0 ]
    wait_for 3 is_as_before || diff "$RACK_HOME/before" "$RACK_HOME/after"
}

@test "kill -9 of rackd" {
    guarded_pair_runs
    kill -9 "$rackd"
    all_is_gone
}

@test "kill -9 of cvx and rackd" {
    guarded_pair_runs
    kill -9 "$cvx_pid" "$rackd"
    all_is_gone
}

# group_of PID
group_of() { ps -o pgid= -p "$1" | tr -d ' '; }

@test "kill -9 of the whole process group, cvx's and rackd's" {
    pair_with_files
    listing >"$RACK_HOME/before"
    setsid bash -c 'echo $$ >group; "$0" start --json >"$1" & wait' "$CVX" "$events" \
        </dev/null >/dev/null 2>&1 3>&- &
    cvx_pid=$!
    wait_event ready
    rackd=$(rackd_pid)
    # From the outside as from a CI system: what is in the group is gone.
    [ "$(group_of "$(pgrep -f "^$CVX start --json" -g "$(cat group)")")" = "$(cat group)" ]
    kill -9 -- "-$(cat group)" "-$(group_of "$rackd")"
    all_is_gone
}

@test "kill -9 of rackd and the process: the container does it alone" {
    guarded_pair_runs
    kill -STOP "$rackd" # or it would start another
    kill -9 "$(reaper_process)"
    kill -9 "$rackd"
    all_is_gone
}

@test "kill -9 of rackd, and its container is removed: the process does it alone" {
    guarded_pair_runs
    kill -STOP "$rackd"
    api DELETE "/containers/$(reaper_container)?force=1"
    kill -9 "$rackd"
    all_is_gone
}

@test "SIGSTOP, then SIGKILL" {
    guarded_pair_runs
    kill -STOP "$rackd"
    sleep 1 # a reaper that took it for dead would have begun by now
    [ "$(rack_census | wc -l)" = 5 ]
    kill -9 "$rackd"
    all_is_gone
}

@test "the terminal closes while rackd is killed" {
    command -v script || skip "script(1) is not installed"
    pair_with_files
    listing >"$RACK_HOME/before"
    : >typescript
    script -qfc "$CVX start" typescript </dev/null >/dev/null 2>&1 3>&- &
    terminal=$!
    wait_for 60 grep -q 'ready in' typescript
    rackd=$(rackd_pid)
    kill -9 "$rackd" "$terminal"
    gone_in 3000
    wait_for 3 is_as_before
}

@test "kill -9 of rackd while the start is under way" {
    pair_with_files
    listing >"$RACK_HOME/before"
    for delay in 0.05 0.15 0.3 0.5; do
        "$CVX" env >/dev/null # a rackd, whose pid can be asked for
        rackd=$(rackd_pid)
        start_json
        sleep "$delay" # the moment of the kill is what the rounds differ in
        kill -9 "$rackd"
        all_is_gone
    done
}

# ---- only what is its own ------------------------------------------------------

@test "only what carries both its rack's and its own rackd's label is removed" {
    guarded_pair_runs
    owner=$(api GET "/containers/$(reaper_container)/json" | jq -r '.Config.Labels["cvx.owner"]')
    [ -n "$owner" ]
    one=$(container_create "$WEB_IMAGE" "$(jq -cn --arg o "$owner" \
        '{Labels: {"cvx.rack": "fedcba9876543210", "cvx.owner": $o}}')")
    two=$(container_create "$WEB_IMAGE" "$(jq -cn --arg r "$(rack_id)" \
        '{Labels: {"cvx.rack": $r, "cvx.owner": "another"}}')")
    kill -9 "$rackd"
    wait_for 3 eval '[ "$(rack_census | wc -l)" = 1 ]'
    end_json
    container_state "$one"
    container_state "$two"
    api DELETE "/containers/$one"
    api DELETE "/containers/$two"
    wait_for 3 is_as_before
}

# kept_start: a session that keeps its data; $address is the redis'.
kept_start() {
    start_json --keep-data
    wait_event ready
    address=$(resource_url cache)
    address=${address#redis://} address=${address%/*}
}

@test "kept data survives kills and sweeps" {
    app kept <<<'resources: {cache: {type: redis}}'
    kept_start
    [ "$(ask "${address%:*}" "${address#*:}" "SET kept 1")" = +OK ]
    [ "$(ask "${address%:*}" "${address#*:}" SAVE)" = +OK ]
    kill -9 "$(rackd_pid)"
    wait_for 3 eval '[[ "$(rack_census)" =~ ^volume\ [^[:space:]]*cache[^[:space:]]*$ ]]'
    end_json
    kept=$(rack_census)
    kept_start
    rackd_dies_alone # both reapers with it: the next rackd sweeps
    end_json
    [ "$(rack_census | wc -l)" = 3 ]
    "$CVX" sweep
    [ "$(rack_census)" = "$kept" ]
    kept_start
    [ "$(ask "${address%:*}" "${address#*:}" "EXISTS kept")" = :1 ]
    stop_json INT
    "$CVX" resources reset cache
    rack_is_empty
}

# ---- the doctor ----------------------------------------------------------------

# relay [SOCAT OPTIONS]: the engine's socket under another path, $relay, that the
# engine itself finds: one with a root of its own has few files of this machine.
relay() {
    command -v socat || skip "socat is not installed"
    [[ $DOCKER_HOST == unix://* ]] || skip "the engine is not on a unix socket"
    relay=${ENGINE_SEES:-$RACK_HOME}/relay-$CVX_TEST_RUN-$BATS_TEST_NUMBER.sock
    socat "UNIX-LISTEN:$relay,fork${1:-}" \
        "UNIX-CONNECT:${DOCKER_HOST#unix://}" 3>&- &
    echo $! >>"$BATS_FILE_TMPDIR/relays" # until its reapers have ended
    wait_for 5 test -S "$relay"
    DOCKER_HOST=unix://$relay
}

doctor_says() { "$CVX" doctor --json | jq -r 'select(.name == "reaper") | "\(.level): \(.text)"'; }

@test "doctor: the reapers, without and with a session" {
    [[ $(doctor_says) == "ok: ready: "* ]]
    guarded_pair_runs
    wait_for 5 eval '[[ $(doctor_says) == "ok: a container on the engine and a process here stand by "* ]]'
    "$CVX" doctor | grep -F "a container on the engine and a process here stand by"
    stop_json INT
    [[ $(doctor_says) == "ok: ready: "* ]]
}

@test "doctor: another path to the engine's socket is as good" {
    relay
    guarded_pair_runs
    wait_for 5 eval '[[ $(doctor_says) == "ok: a container on the engine and a process here stand by "* ]]'
    api GET "/containers/$(reaper_container)/json" | jq -er '.Mounts[].Source' |
        grep -x "$relay"
    kill -STOP "$rackd"
    kill -9 "$(reaper_process)" "$rackd"
    all_is_gone
}

@test "doctor: a socket that a container cannot use is said, and the process does it alone" {
    relay ,mode=600,user=65534
    pair_with_files
    listing >"$RACK_HOME/before"
    start_json
    wait_event ready
    rackd=$(rackd_pid)
    wait_for 10 eval '[[ $(doctor_says) == "warn: a process on this machine only, since a container cannot: "* ]]'
    [[ $(doctor_says) == *"the engine's socket cannot be used from a container" ]]
    "$CVX" doctor | grep -F 'cvx sweep'
    [ -z "$(reaper_container)" ]
    kill -9 "$rackd"
    all_is_gone
}

# ---- the two themselves --------------------------------------------------------

@test "the container has no network, no capabilities, a read-only root, and is small" {
    guarded_pair_runs
    api GET "/containers/$(reaper_container)/json" >"$RACK_HOME/reaper"
    # Podman lists what ALL took away of what it gives by default.
    jq -e '.HostConfig | .NetworkMode == "none" and .ReadonlyRootfs and
        (.CapDrop == ["ALL"] or ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL",
            "MKNOD", "NET_RAW", "SETFCAP", "SETUID", "SYS_CHROOT"] - .CapDrop == []) and
        (.CapAdd // []) == [] and (.Privileged | not) and
        any(.SecurityOpt[]; startswith("no-new-privileges"))' "$RACK_HOME/reaper"
    jq -e '[.Mounts[].Destination] == ["/engine.sock"] and
        (.NetworkSettings.Ports // {}) == {}' "$RACK_HOME/reaper"
    # As the kernel sees it, where its processes are ours to see.
    pid=$(jq .State.Pid "$RACK_HOME/reaper")
    if grep -qx cvx-reaper "/proc/$pid/comm"; then
        grep -x $'CapEff:\t0000000000000000' "/proc/$pid/status"
        grep -x $'CapBnd:\t0000000000000000' "/proc/$pid/status"
        grep -x $'NoNewPrivs:\t1' "/proc/$pid/status"
        [ "$(tail -n +3 "/proc/$pid/net/dev" | cut -d: -f1 | tr -d ' ')" = lo ]
    fi
    size=$(api GET "/images/$(jq -r .Config.Image "$RACK_HOME/reaper")/json" | jq .Size)
    [ "$size" -gt 10000 ]
    [ "$size" -lt 2000000 ]
    stop_json INT
}

@test "both are there with the first session, and gone with the last" {
    guarded_pair_runs --detach
    end_json
    reaper=$(reaper_container) process=$(reaper_process)
    "$CVX" start --detach -a second
    [ "$(reaper_container)" = "$reaper" ]
    "$CVX" stop -a pair
    [ "$(reaper_container)" = "$reaper" ]
    [ "$(reaper_process)" = "$process" ]
    "$CVX" stop -a second
    rack_is_empty
    "$CVX" rackd stop
    wait_for 2 has_ended "$process"
}

# is_another_reaper ID: one runs, and it is not that.
is_another_reaper() {
    local now

    now=$(reaper_container)
    [ -n "$now" ] && [ "$now" != "$1" ] && container_state "$now" | grep -q ^running
}

@test "the container killed or removed by hand is made again, and works" {
    guarded_pair_runs
    first=$(reaper_container)
    api POST "/containers/$first/kill"
    wait_for 8 is_another_reaper "$first"
    second=$(reaper_container)
    api DELETE "/containers/$second?force=1"
    wait_for 8 is_another_reaper "$second"
    curl -fsS --noproxy '*' "$(service_url web)/" | grep -x hello
    kill -STOP "$rackd"
    kill -9 "$(reaper_process)" "$rackd"
    all_is_gone
}

@test "the process killed by hand is started again, and works" {
    guarded_pair_runs
    first=$(reaper_process)
    kill -9 "$first"
    wait_for 3 eval '[ -n "$(reaper_process)" ] && [ "$(reaper_process)" != "'"$first"'" ]'
    curl -fsS --noproxy '*' "$(service_url web)/" | grep -x hello
    kill -STOP "$rackd"
    api DELETE "/containers/$(reaper_container)?force=1"
    kill -9 "$rackd"
    all_is_gone
}

# The process of this rackd is another than PID, or has been given up.
is_another_process() { [ "$(reaper_process)" != "$1" ]; }

@test "the process killed again and again is given up; the container goes with the session" {
    guarded_pair_runs
    for i in 1 2 3 4 5 6; do
        process=$(reaper_process)
        kill -9 "$process"
        wait_for 3 is_another_process "$process"
        [ $i = 6 ] || wait_for 3 reaper_process
    done
    wait_for 3 eval '[[ $(doctor_says) == "ok: a container on the engine; no process here: it was killed again and again" ]]'
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}

@test "rackd stopped for a while and continued: the session lives" {
    guarded_pair_runs
    reaper=$(reaper_container) process=$(reaper_process)
    kill -STOP "$rackd"
    sleep 3 # the same
    kill -CONT "$rackd"
    curl -fsS --noproxy '*' "$(service_url web)/" | grep -x hello
    "$CVX" ps | grep web
    sleep 0.5 # a reaper that rackd replaced would be another one by now
    [ "$(reaper_container)" = "$reaper" ]
    [ "$(reaper_process)" = "$process" ]
    [ "$(rack_census | wc -l)" = 5 ]
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}
