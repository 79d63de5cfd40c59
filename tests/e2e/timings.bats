# cvx timings: what a start's time went into, and a start slower than usual.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

# shop: a resource, and a service with an init container and a health check.
shop() {
    app shop <<YML
resources:
  cache: {type: redis}
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    health: /
    resources: [cache]
    termination: {grace: 1}
    initContainer: {command: sleep 0.3}
YML
}

# The file of the app's starts.
kept() { echo "$RACK_HOME/state/cvx/local/apps/shop.timings"; }

start_and_stop() {
    "$CVX" start --detach --wait-timeout 60 "$@" >out 2>&1 3>&-
    "$CVX" stop >/dev/null 3>&-
}

timings() { "$CVX" timings --json 3>&- | jq -er "$@"; }

# phases KIND NAME [MS]: the words of its spans that took so long (1), each once.
phases() {
    timings --arg k "$1" --arg n "$2" --argjson ms "${3:-1}" '.run.items[]
        | select(.kind == $k and .name == $n).spans
        | map(select(.end_ms - .begin_ms >= $ms).phase) | unique | join(" ")'
}

# usually JQ: three former starts, each the last one changed so.
usually() {
    local line

    line=$(tail -n 1 "$(kept)" | jq -c "$1")
    printf '%s\n' "$line" "$line" "$line" >"$(kept)"
}

@test "timings: what each thing spent, whom it waited for; as JSON, table and page" {
    shop
    run "$CVX" timings
    [ "$status" = 1 ]
    [[ $output == *"no start of app shop has been timed yet"* ]]
    start_and_stop
    [ "$(stat -c %a "$(kept)")" = 600 ]
    [[ $(phases resource cache) =~ create.*start ]]
    [[ $(phases init web) =~ run.*wait ]]
    [[ $(phases service web 0) =~ connect.*wait ]] # it may be up at once
    # The init container sleeps, and waits for the resource; the service for both.
    timings '.run.items[] | select(.kind == "init").own_ms > 300' >/dev/null
    [ "$(timings '.run.items[] | select(.kind == "service").spans | map(.for // []) | last(.[] | select(length > 0)) | last | "\(.kind) \(.name)"')" = "init web" ]
    # The path has no hole, ends with the service, and goes through all three.
    timings '.run | .path as $p | .ready_ms as $total
        | ($p[0].begin_ms == 0) and ($p[-1].end_ms == $total) and
          all(range(1; $p | length); $p[.].begin_ms == $p[. - 1].end_ms) and
          ([$p[].kind] | index("resource") < index("init") and
              index("init") < (length - 1)) and $p[-1].kind == "service"' >/dev/null
    timings '.run.items[] | select(.kind == "resource") | .from == "image" and .critical' >/dev/null
    NO_COLOR=1 "$CVX" timings >table
    grep -Eq '^shop: ready in [0-9.]+ s$' table
    grep -Eq '^\* init web +[0-9.]+ m?s +.*R' table
    grep -Eq 'wait [0-9.]+ m?s for .*init web' table
    [ "$(awk '{ print length }' table | sort -n | tail -n 1)" -le 80 ]
    run grep -P '[^\x20-\x7e]' table
    [ "$status" = 1 ]
    [ "$("$CVX" timings --html page.html)" = "wrote page.html" ]
    grep -q '^<title>shop: ready in' page.html
    grep -q 'class="run on"' page.html
    never grep -Eq '<script|https?:' page.html
    run "$CVX" timings --html no/such/page.html
    [ "$status" = 1 ]
    [[ $output == *"cannot write no/such/page.html: No such file or directory" ]]
    [[ $("$CVX" completion bash) == *"*:timings) words='--app --html --json --help'"* ]]
}

@test "a start slower than usual says so, and who it was; a broken file is ignored" {
    shop
    mkdir -p -m 700 "$RACK_HOME/state/cvx/local/apps"
    printf 'no JSON\n{"ready_ms":1}\n' >"$(kept)"
    start_and_stop
    grep -q 'timings of shop: ignored 2 malformed lines' \
        "$RACK_HOME/run/cvx/rackd.log"
    [ "$(wc -l <"$(kept)")" = 1 ]
    never grep -q usually out
    # All others have always been slow, the init container never was.
    "$CVX" rackd stop >/dev/null # another one knows them too
    usually '.ready_ms = 100 | .items[] |= (.own_ms = if .kind == "init" then 0 else 900000 end)'
    start_and_stop
    grep -Eq '^ready in [0-9.]+ s, usually 0.1 s: init container of web$' out
    [[ $("$CVX" timings) == "shop: ready in "*", usually 0.1 s: init container of web"* ]]
    usually '.ready_ms = 90000'
    start_and_stop --json
    [ "$(jq -cR 'fromjson? | select(.type == "ready") | has("usual")' out)" = false ]
}
