# The commands that start no container: what they print, and their status.
bats_require_minimum_version 1.5.0
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

shop() {
    app shop <<'YML'
resources:
  db: {type: postgres}
services:
  web:
    image: nginx:1
    port: 3000
    environment: [GREETING=hi, "TOKEN=not for eyes"]
    resources: [db]
    prt: 1
    deployment: {minimum: 50}
YML
}

broken() {
    app broken <<'YML'
services:
  web:
    image: nginx:1
    port: many
    resources: [db]
    environment: [NEEDED]
YML
}

pids_of_rackd() { pgrep -f "rackd --socket $RACK_HOME/run/"; }

# ---- validate ---------------------------------------------------------------

@test "validate: a good manifest, its warnings on stderr" {
    shop
    run --separate-stderr "$CVX" validate
    [ "$status" = 0 ]
    [ "$output" = "convox.yml: ok (1 warning)" ]
    [ "$stderr" = "convox.yml:9:5: warning: unknown key services.web.prt, did you mean port?
     9 |     prt: 1
       |     ^" ]
}

@test "validate: every error at once, each with its place and a caret" {
    broken
    run --separate-stderr "$CVX" validate
    [ "$status" = 1 ]
    [ "$output" = "" ]
    [[ $stderr == *"convox.yml:4:11: "*"
     4 |     port: many
       |           ^
"* ]]
    [[ $stderr == *"convox.yml:5:17: "*"db"*"
     5 |     resources: [db]
       |                 ^
"* ]]
    [[ $stderr == *"convox.yml:6:19: required env: NEEDED (service web): "*"
     6 |     environment: [NEEDED]
       |                   ^
"* ]]
    [[ $stderr == *"convox.yml: 3 errors" ]]
}

@test "validate: what is required may come from -e, --env-file and .env" {
    app shop <<'YML'
services:
  web: {image: x, environment: [A, B, C]}
YML
    run "$CVX" validate
    [ "$status" = 1 ]
    echo A=1 >.env
    echo B=1 >more.env
    run "$CVX" validate --env-file more.env -e C=1
    [ "$status" = 0 ]
    [ "$output" = "convox.yml: ok" ]
}

@test "validate --strict: a warning is an error" {
    shop
    run --separate-stderr "$CVX" validate --strict
    [ "$status" = 1 ]
    [[ $stderr == "convox.yml:9:5: unknown key services.web.prt, did you mean port?"*"convox.yml: 1 error" ]]
    run "$CVX" start --strict
    [ "$status" = 1 ]
    [[ ${lines[0]} == "ERROR: convox.yml: 1 error; nothing was started" ]]
}

@test "validate -v: keys without a meaning on this machine" {
    shop
    run --separate-stderr "$CVX" validate -v
    [ "$status" = 0 ]
    [ "$output" = "convox.yml: ok (1 warning, 1 note)" ]
    [[ $stderr == *"convox.yml:10:5: services.web.deployment has no meaning on a local rack"* ]]
}

@test "validate --json: lists, places, counts" {
    shop
    run --separate-stderr "$CVX" validate --json
    [ "$status" = 0 ]
    jq -e '.ok and .errors == [] and .services == 1 and .resources == 1 and
        (.warnings | length) == 1 and .app == "shop" and
        (.warnings[0] | .line == 9 and .col == 5 and .level == "warning" and .file == "convox.yml")' <<<"$output"
    broken
    run --separate-stderr "$CVX" validate --json
    [ "$status" = 1 ]
    jq -e '(.ok | not) and [.errors[].line] == [4, 5, 6]' <<<"$output"
}

@test "validate -m: another file, named so in messages" {
    broken
    mkdir sub
    mv convox.yml sub/other.yml
    run --separate-stderr "$CVX" validate -m sub/other.yml
    [ "$status" = 1 ]
    [[ $stderr == *"sub/other.yml:4:11: "* ]]
    run --separate-stderr "$CVX" validate
    [ "$status" = 1 ]
    [ "$stderr" = "ERROR: open convox.yml: no such file or directory" ]
}

@test "validate looks at no engine and no Dockerfile" {
    app shop <<'YML'
services:
  web: {build: ./nowhere}
YML
    DOCKER_HOST=unix:///nowhere run "$CVX" validate
    [ "$status" = 0 ]
}

# ---- plan -------------------------------------------------------------------

@test "plan: twice the same, and no secret in it" {
    shop
    run --separate-stderr "$CVX" plan
    [ "$status" = 0 ]
    first=$output
    [[ $first == *"service web"* ]]
    [[ $first == *"resource db"* ]]
    [[ $first == *"GREETING=hi"* ]]
    [[ $first == *"TOKEN="* ]]
    [[ $first != *"not for eyes"* ]]
    password=$(cat "$RACK_HOME"/state/cvx/local/*password* 2>/dev/null)
    [ -n "$password" ]
    [[ $first != *"$password"* ]]
    "$CVX" rackd stop
    run --separate-stderr "$CVX" plan
    [ "$output" = "$first" ]
}

@test "plan --json is JSON, and a wrong manifest has none" {
    shop
    "$CVX" plan --json 2>/dev/null | jq -e '.ok and (.plan | length > 0) and (.tree | type == "object")'
    broken
    run --separate-stderr "$CVX" plan
    [ "$status" = 1 ]
    [ "$output" = "" ]
    [[ $stderr == *"convox.yml:4:11: "* ]]
}

# ---- doctor -----------------------------------------------------------------

@test "doctor: all is well, with the engine's name and version" {
    version=$(api GET /version | jq -r .Version)
    run "$CVX" doctor
    [ "$status" = 0 ]
    [[ $output == *" engine: "*"$version"*"API "*"$DOCKER_HOST"* ]]
    [[ $output == *"rackd socket: $RACK_HOME/run/cvx/rackd.sock"* ]]
    [[ $output != *", ,"* ]]
    "$CVX" doctor --json | jq -es 'any(.name == "engine" and .ok) and (.[-1] | .type == "end" and .status == 0)'
}

@test "doctor: an engine that is not there, and what to do" {
    DOCKER_HOST=unix:///nowhere run "$CVX" doctor
    [ "$status" = 1 ]
    [[ $output == *" engine: no container engine at /nowhere: there is no such socket
  do   start Docker"* ]]
}

# ---- env --------------------------------------------------------------------

@test "env: set, get, list, replace, unset" {
    mkdir shop
    cd shop
    run "$CVX" env set B=x=y A='two words' E=
    [ "$status" = 0 ]
    [[ $output =~ ^"Setting A, B, E... OK"$'\n'"Release: R"[A-Z]{10}$ ]]
    [ "$("$CVX" env)" = $'A=two words\nB=x=y\nE=' ]
    [ "$("$CVX" env get B)" = x=y ]
    [ "$("$CVX" env --json | jq -c '[.env[].key]')" = '["A","B","E"]' ]
    [ "$("$CVX" env -a other)" = "" ]
    printf 'C=3\nD=4\n' | "$CVX" env set --replace
    [ "$("$CVX" env)" = $'C=3\nD=4' ]
    "$CVX" rackd stop
    "$CVX" env unset C
    [ "$("$CVX" env)" = D=4 ]
    run "$CVX" env get C
    [ "$status" = 1 ]
    [ "$output" = "ERROR: env not found: C" ]
    run "$CVX" env set nonsense
    [ "$status" = 1 ]
    [ "$output" = "ERROR: Key=Value expected: nonsense" ]
}

@test "env: what is stored is nobody else's to read" {
    "$CVX" env set -a shop SECRET=hidden
    [ "$(find "$RACK_HOME/state/cvx" -perm /077 | wc -l)" = 0 ]
    grep -rq hidden "$RACK_HOME/state/cvx"
    never grep -q hidden "$RACK_HOME/run/cvx/rackd.log"
}

# ---- rackd ------------------------------------------------------------------

@test "rackd: started by the first who needs it, status, stop" {
    run "$CVX" rackd status
    [ "$status" = 1 ]
    [ "$output" = "Status  not running" ]
    run "$CVX" ps -a shop
    [ "$status" = 1 ]
    [ "$output" = "ERROR: app not running: shop" ]
    [ -z "$(pids_of_rackd)" ]
    "$CVX" env -a shop
    run "$CVX" rackd status
    [ "$status" = 0 ]
    [[ ${lines[0]} =~ ^Status\ +running$ ]]
    [[ $output == *"Socket  "*"$RACK_HOME/run/cvx/rackd.sock"* ]]
    [[ $output == *"Log "*"$RACK_HOME/run/cvx/rackd.log"* ]]
    [ "$(stat -c %a "$RACK_HOME/run/cvx/rackd.sock")" = 600 ]
    [ "$("$CVX" rackd status --json | jq .pid)" = "$(pids_of_rackd)" ]
    run "$CVX" rackd stop
    [ "$output" = "Stopping rackd... OK" ]
    [ -z "$(pids_of_rackd)" ]
    run "$CVX" rackd stop
    [ "$status" = 0 ]
    [ "$output" = "Stopping rackd... OK, it was not running" ]
}

@test "many cvx at once start one rackd" {
    pids=
    for i in 1 2 3 4 5 6 7 8; do
        "$CVX" env set -a "app$i" "N=$i" >"said$i" 2>&1 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do wait "$pid"; done
    [ "$(pids_of_rackd | wc -l)" = 1 ]
    [ "$(grep -l OK said* | wc -l)" = 8 ]
}

@test "a rackd that was killed leaves no obstacle" {
    "$CVX" env set -a shop A=1
    kill -9 "$(pids_of_rackd)"
    run "$CVX" env get -a shop A
    [ "$status" = 0 ]
    [ "$output" = 1 ]
}

@test "a rackd of another build is replaced when it is idle" {
    mkdir old
    cp "$CVX" "$(dirname "$CVX")/rackd" old
    build=$("$CVX" version --json | jq -r .build)
    other=$(tr 0-9a-f 1-9a-f0 <<<"$build")
    perl -pi -e "s/$build/$other/g" old/cvx old/rackd
    old/cvx env set -a shop A=1
    [ "$("$CVX" rackd status --json | jq -r .build)" = "$other" ]
    [ "$("$CVX" env get -a shop A)" = 1 ]
    [ "$("$CVX" rackd status --json | jq -r .build)" = "$build" ]
    [ "$(pids_of_rackd | wc -l)" = 1 ]
}

# ---- the command line -------------------------------------------------------

@test "version, alone and with rackd" {
    run "$CVX" version
    [ "$status" = 0 ]
    [[ ${lines[0]} =~ ^client:\ [0-9]+\.[0-9]+\.[0-9]+\ \([0-9a-f]+\)$ ]]
    [ "${lines[1]}" = "server: not running" ]
    "$CVX" env -a shop
    run "$CVX" --version
    [ "${lines[1]}" = "${lines[0]/client/server}" ]
    "$CVX" version --json | jq -e '.build == .rackd.build'
}

@test "help: the list, and every command of it" {
    run "$CVX" help
    [ "$status" = 0 ]
    [ "$("$CVX")" = "$output" ]
    [ "$("$CVX" --help)" = "$output" ]
    commands=$(sed -n 's/^  \([a-z]*\( [a-z]*\)\?\) .*/\1/p' <<<"$output" | sed 's/ *$//')
    [ "$(wc -l <<<"$commands")" -ge 18 ]
    while read -r command; do
        # shellcheck disable=SC2086
        run "$CVX" $command --help
        [ "$status" = 0 ]
        [[ $output == "usage: cvx $command"* ]]
    done <<<"$commands"
}

@test "a wrong command line: 64, with the way out" {
    run --separate-stderr "$CVX" nosuch
    [ "$status" = 64 ]
    [ "$stderr" = "ERROR: unknown command: nosuch
the commands: cvx help" ]
    run --separate-stderr "$CVX" start --nosuch
    [ "$status" = 64 ]
    [ "$stderr" = "ERROR: unknown flag: --nosuch
usage: cvx start [flags] [SERVICE...] (more: cvx help start)" ]
    run --separate-stderr "$CVX" start -m
    [ "$status" = 64 ]
    [ "${stderr_lines[0]}" = "ERROR: flag needs a value: -m FILE" ]
    run --separate-stderr "$CVX" env get
    [ "$status" = 64 ]
    [ "${stderr_lines[0]}" = "ERROR: 1 arg required" ]
    run --separate-stderr "$CVX" validate extra
    [ "$status" = 64 ]
    [ "${stderr_lines[0]}" = "ERROR: no args expected" ]
    run --separate-stderr "$CVX" start --wait-timeout soon
    [[ $stderr == "ERROR: "*soon* ]]
    [ "$status" != 0 ]
    [ -z "$(pids_of_rackd)" ]
}

@test "an app that does not run" {
    for command in services resources logs stop; do
        run "$CVX" $command -a nosuch
        [ "$status" = 1 ]
        [ "$output" = "ERROR: app not running: nosuch" ]
    done
}

@test "completion: scripts that their shells read" {
    "$CVX" completion bash >bash
    bash -n bash
    grep -q rackd bash
    for shell in zsh fish; do
        "$CVX" completion $shell >$shell
        [ -s $shell ]
        ! command -v $shell || $shell -n $shell
    done
    run "$CVX" completion tcsh
    [ "$status" != 0 ]
}

@test "colour only where it is wanted" {
    broken
    run --separate-stderr "$CVX" start
    [[ $stderr == "ERROR: "* ]]
    run --separate-stderr "$CVX" start --color always
    [[ $stderr == *$'\033[1;31mERROR:'* ]]
}
