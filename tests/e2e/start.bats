# cvx start, end to end: databases, variables, logs, listings, and nothing left.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

five() {
    app five <<YML
resources:
  db: {type: postgres}
  sql: {type: mysql}
  maria: {type: mariadb}
  cache: {type: redis}
  mem: {type: memcached}
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    environment: [GREETING=hi]
    resources: [db, sql, maria, cache, mem]
YML
}

@test "five resources and a service: ready, reachable, and gone after Ctrl-C" {
    five
    start_json
    wait_event ready
    curl -fsS --noproxy '*' "$(service_url web)/" | grep -x hello
    [ "$(curl -fsS --noproxy '*' "$(service_url web)/GREETING")" = hi ]
    # And a sandbox, where the engine has its image already.
    [ "$(session_census | grep ^container | grep -vc -e -sandbox)" = 6 ]
    [ "$(rack_census | grep -c ^network)" = 1 ]
    stop_json INT
    [ "$cvx_status" = 0 ]
    [[ $(event removed | jq -c '[.containers, .networks]') =~ ^\[[67],1\]$ ]]
    rack_is_empty
}

@test "the six variables of each resource reach the service, and connect" {
    five
    start_json
    wait_event ready
    url=$(service_url web)
    get() { curl -fsS --noproxy '*' "$url/$1"; }
    [[ $(get DB_URL) =~ ^postgres://app:[0-9a-f]+@resource-db:5432/app\?sslmode=disable$ ]]
    [[ $(get SQL_URL) =~ ^mysql://app:[0-9a-f]+@resource-sql:3306/app$ ]]
    [[ $(get MARIA_URL) =~ ^mysql://app:[0-9a-f]+@resource-maria:3306/app$ ]]
    [ "$(get CACHE_URL)" = redis://resource-cache:6379/0 ]
    [ "$(get MEM_URL)" = memcached://resource-mem:11211 ]
    [ "$(get DB_USER) $(get DB_HOST) $(get DB_PORT) $(get DB_NAME)" = "app resource-db 5432 app" ]
    [ "$(get CACHE_USER)$(get CACHE_PASS)$(get CACHE_NAME)" = "" ]
    # Real clients, from inside the databases' own containers, by those URLs.
    db=$(containers_of resource db) sql=$(containers_of resource sql)
    maria=$(containers_of resource maria)
    container_exec "$db" psql "$(get DB_URL)" -Atc 'select 41 + 1' | grep -x 42
    container_exec "$sql" mysql -h "$(get SQL_HOST)" -u app "-p$(get SQL_PASS)" app -BNe 'create database other; select 41 + 1' | grep -x 42
    container_exec "$maria" mariadb -h "$(get MARIA_HOST)" -u app "-p$(get MARIA_PASS)" app -BNe 'create database other; select 41 + 1' | grep -x 42
    # And from this machine, by the published port.
    [ "$(ask 127.0.0.1 "$(event ready | jq '.resources[] | select(.name == "cache").host_port')" PING)" = +PONG ]
    [[ $(ask 127.0.0.1 "$(event ready | jq '.resources[] | select(.name == "mem").host_port')" version) == VERSION* ]]
    stop_json TERM
}

@test "the service starts only when its resources answer" {
    five
    start_json
    wait_event ready
    jq -r 'select(.type == "state") | "\(.kind) \(.name) \(.state)"' "$events" >states
    started=$(grep -n 'service web starting' states | head -n 1 | cut -d: -f1)
    for r in db sql maria cache mem; do
        ready=$(grep -n "resource $r ready" states | cut -d: -f1)
        [ "$ready" -lt "$started" ]
    done
    stop_json INT
}

@test "logs have every line, the first one too, and are in order" {
    app logs <<YML
services:
  web:
    image: $WEB_IMAGE
    command: for i in \$(seq 2000); do echo "line \$i"; done; echo "to stderr" >&2; printf 'no end'; exec sleep 60
YML
    start_json
    wait_event ready
    wait_for 10 grep -q 'to stderr' "$events"
    wait_for 10 eval '[ "$(grep -c "\"line\":\"line " "$events")" = 2000 ]'
    jq -r 'select(.type == "log" and .tag == "web" and .stream == "stdout").line' "$events" | head -n 2000 >got
    seq -f 'line %g' 2000 >want
    cmp got want
    stop_json INT
    logged web "no end"
}

@test "detached: ready, listed, and stopped from elsewhere" {
    five
    run "$CVX" start --detach
    [ "$status" = 0 ]
    [[ $output == *"ready in "* ]]
    run "$CVX" ps
    [ "$status" = 0 ]
    [[ ${lines[0]} == "ID"*"SERVICE"*"STATUS"*"RELEASE"*"STARTED"*"COMMAND" ]]
    [[ ${lines[1]} == *"web"*"running"* ]]
    run "$CVX" resources
    [[ $output == *"db"*"postgres"*"postgres://app:"* ]]
    run "$CVX" resources url cache
    [ "$output" = redis://resource-cache:6379/0 ] || [[ $output == redis://127.0.0.1:* ]]
    run "$CVX" resources url nosuch
    [ "$status" = 1 ]
    [ "$output" = "ERROR: no such resource: nosuch" ]
    run "$CVX" logs -s web
    [[ $output == *"listening on 3000"* ]]
    run "$CVX" stop
    [ "$status" = 0 ]
    rack_is_empty
    run "$CVX" ps -a five
    [ "$status" = 1 ]
    [ "$output" = "ERROR: app not running: five" ]
}

@test "a detached session ends when its time is over" {
    app short <<YML
services:
  web: {image: $WEB_IMAGE, command: exec sleep 1000, termination: {grace: 1}}
YML
    "$CVX" start --detach --ttl 2s
    wait_for 15 rack_is_empty
}

@test "the app's environment: stored, .env, --env-file and -e, the later wins" {
    app env <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    environment: [A=default, B=default, C=default, D=default, E=default]
YML
    "$CVX" env set B=stored C=stored D=stored E=stored
    printf 'C=dotenv\nD=dotenv\nE=dotenv\n' >.env
    printf 'D=file\nE=file\n' >more.env
    run "$CVX" env get B
    [ "$output" = stored ]
    start_json --env-file more.env -e E=arg
    wait_event ready
    url=$(service_url web)
    [ "$(curl -fsS --noproxy '*' "$url/{A,B,C,D,E}" | tr '\n' ' ')" = "default stored dotenv file arg " ]
    stop_json INT
    "$CVX" env unset B
    run "$CVX" env get B
    [ "$status" = 1 ]
    [ "$output" = "ERROR: env not found: B" ]
}

@test "a URL in the environment switches the container off" {
    app overlay <<YML
resources:
  db: {type: postgres}
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    resources: [db]
YML
    start_json -e DB_URL=postgres://me:pw@db.example:6000/mine
    wait_event ready
    url=$(service_url web)
    [ "$(curl -fsS --noproxy '*' "$url/{DB_HOST,DB_PORT,DB_USER,DB_PASS,DB_NAME}" | tr '\n' ' ')" = "db.example 6000 me pw mine " ]
    [ "$(event ready | jq -r '.resources[0].external')" = true ]
    [ -z "$(containers_of resource db)" ]
    stop_json INT
}

@test "replicas, links by name, and one port for two services" {
    app pair <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    scale: 2
  api:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
YML
    start_json
    wait_event ready
    [ "$(containers_of service web | wc -l)" = 2 ]
    web=$(service_url web) api=$(service_url api)
    [ "$web" != "$api" ]
    curl -fsS --noproxy '*' "$web/" "$api/"
    first=$(containers_of service web | head -n 1)
    container_exec "$first" perl -MIO::Socket::INET -e 'IO::Socket::INET->new("api:3000") or die; print "reached\n"' | grep -x reached
    stop_json INT
}

@test "two sessions of one app at once do not meet" {
    pair_runs
    first_events=$events first_pid=$cvx_pid first=$(service_url web)
    events=$RACK_HOME/events2
    start_json
    wait_event ready
    second=$(service_url web)
    [ "$first" != "$second" ]
    curl -fsS --noproxy '*' "$first/" "$second/"
    stop_json INT
    curl -fsS --noproxy '*' "$first/"
    events=$first_events cvx_pid=$first_pid
    stop_json INT
    rack_is_empty
}

@test "kept data is there again at the next start, and only then" {
    app kept <<YML
resources:
  db: {type: postgres}
YML
    start_json --keep-data
    wait_event ready
    container_exec "$(containers_of resource db)" psql -U app -h 127.0.0.1 app -c 'create table kept (n int)' || \
        container_exec "$(containers_of resource db)" psql -U app app -c 'create table kept (n int)'
    stop_json INT
    [ "$(rack_census | grep -c ^volume)" = 1 ]
    start_json --keep-data
    wait_event ready
    container_exec "$(containers_of resource db)" psql -U app app -Atc "select count(*) from pg_tables where tablename = 'kept'" | grep -x 1
    run "$CVX" resources reset db # in use: refused, in the engine's words
    [ "$status" = 1 ]
    [[ $output =~ "ERROR: ".*("in use"|"being used") ]]
    stop_json INT
    start_json
    wait_event ready
    container_exec "$(containers_of resource db)" psql -U app app -Atc "select count(*) from pg_tables where tablename = 'kept'" | grep -x 0
    stop_json INT
    run "$CVX" resources reset db
    [ "$status" = 0 ]
    [ "$output" = "Resetting db... OK" ]
    rack_is_empty
    run "$CVX" resources reset db
    [ "$status" = 1 ]
    [[ $output == *"ERROR: no data is kept for resource: db" ]]
}

@test "an efs volume is shared, writable, and gone at the end" {
    app files <<YML
resources:
  files: {type: efs}
services:
  one:
    image: $WEB_IMAGE
    command: echo shared >/data/file; stat -c '%u %a' /data; exec sleep 60
    resources: [files]
    volumes: ["files:/data"]
  two:
    image: $WEB_IMAGE
    command: until cat /mnt/file 2>/dev/null; do sleep 0.1; done; exec sleep 60
    resources: [files]
    volumes: ["files:/mnt"]
YML
    start_json
    wait_event ready
    wait_for 10 logged two shared
    logged one "1000 777"
    stop_json INT
    [ "$(event removed | jq .volumes)" = 1 ]
}

@test "rackd ends by itself, leaving no handle open" {
    app bye <<YML
services:
  web: {image: $WEB_IMAGE, command: exec sleep 1000, termination: {grace: 1}}
YML
    start_json
    wait_event ready
    stop_json INT
    pid=$("$CVX" rackd status --json | jq .pid)
    "$CVX" rackd stop
    wait_for 5 has_ended "$pid"
    grep -q 'info main: gone' "$RACK_HOME/run/cvx/rackd.log"
    never grep -q 'handles are left open' "$RACK_HOME/run/cvx/rackd.log"
}
