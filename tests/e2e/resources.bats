# Every resource type and every other name of one, as a service sees it.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

# variable NAME: what the service got.
variable() { curl -fsS --noproxy '*' "$(service_url web)/$1"; }

web_with() { # RESOURCES (flow style, indented by two)
    cat <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    resources: [$1]
YML
}

@test "rds and elasticache names are containers of the plain type" {
    app names <<YML
resources:
  pg: {type: rds-postgres}
  my: {type: rds-mysql}
  ma: {type: rds-mariadb}
  re: {type: elasticache-redis}
  me: {type: elasticache-memcached}
$(web_with "pg, my, ma, re, me")
YML
    start_json
    wait_event ready
    [[ $(variable PG_URL) == postgres://app:*@resource-pg:5432/app\?sslmode=disable ]]
    [[ $(variable MY_URL) == mysql://app:*@resource-my:3306/app ]]
    [[ $(variable MA_URL) == mysql://app:*@resource-ma:3306/app ]]
    [ "$(variable RE_URL)" = redis://resource-re:6379/0 ]
    [ "$(variable ME_URL)" = memcached://resource-me:11211 ]
    stop_json INT
}

@test "postgis and valkey" {
    app others <<YML
resources:
  geo: {type: postgis}
  val: {type: valkey}
$(web_with "geo, val")
YML
    start_json
    wait_event ready
    geo=$(containers_of resource geo)
    container_exec "$geo" psql "$(variable GEO_URL)" -Atc \
        "create extension if not exists postgis; select st_astext(st_point(1, 2))" | grep -x 'POINT(1 2)'
    [ "$(ask 127.0.0.1 "$(event ready | jq '.resources[] | select(.name == "val").host_port')" PING)" = +PONG ]
    [ "$(variable VAL_URL)" = redis://resource-val:6379/0 ]
    stop_json INT
}

@test "an alias gives that one variable, and dashes become underscores" {
    app alias <<YML
resources:
  my-cache: {type: redis}
  main: {type: redis}
$(web_with "my-cache, 'main:OTHER_URL'")
YML
    start_json
    wait_event ready
    [ "$(variable MY_CACHE_HOST)" = resource-my-cache ]
    [ "$(variable OTHER_URL)" = redis://resource-main:6379/0 ]
    [ "$(variable MAIN_URL)" = "" ]
    stop_json INT
}

@test "a resource's own image is used, and its name resolves where no service has it" {
    app own <<YML
resources:
  cache: {type: redis, image: cvx/valkey:8.1}
$(web_with cache)
YML
    start_json
    wait_event ready
    api GET "/containers/$(containers_of resource cache)/json" | jq -er .Config.Image | grep -x cvx/valkey:8.1
    container_exec "$(containers_of service web)" getent hosts cache
    stop_json INT
}

@test "the version asked for is the tag; a stand-in of another version says so" {
    app version <<YML
resources:
  db: {type: postgres, options: {version: 12.10}}
YML
    start_json
    wait_event ready
    jq -e -s 'any(.type == "warning" and (.text | test("postgres:12.10: no registry answers; cvx/postgres:17")))' "$events"
    stop_json INT
}

@test "every resource is reachable on 127.0.0.1 and nowhere else" {
    app loopback <<YML
resources:
  cache: {type: redis}
YML
    start_json
    wait_event ready
    api GET "/containers/$(containers_of resource cache)/json" |
        jq -e '[.NetworkSettings.Ports[][]?.HostIp] == ["127.0.0.1"]'
    stop_json INT
}

@test "passwords are on no command line and in no log" {
    app secret <<YML
resources:
  db: {type: postgres}
$(web_with db)
YML
    start_json
    wait_event ready
    password=$(variable DB_PASS)
    [ ${#password} -ge 20 ]
    ps -eo args >processes
    never grep -F "$password" processes
    never grep -F "$password" "$RACK_HOME/run/cvx/rackd.log"
    run "$CVX" plan
    [[ $output != *"$password"* ]]
    stop_json INT
}
