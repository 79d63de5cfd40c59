# What a service of convox.yml can ask for, seen from outside.
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

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

# inspect JQ-FILTER: of the one container of service web.
inspect() { api GET "/containers/$(containers_of service web)/json" | jq -r "$1"; }

get() { curl -fsS --noproxy '*' "$@"; }
says() { wait_for 20 logged "$1" "$2"; }
states() { jq -r 'select(.type == "state") | "\(.kind) \(.name) \(.state)"' "$events"; }

# ended: nothing is left after a Ctrl-C.
ended() {
    stop_json INT
    [ "$cvx_status" = 0 ]
    rack_is_empty
}

# ---- health -----------------------------------------------------------------

# A web server that answers 200 where the Perl expression $1 holds, else 500,
# and says so.
health_command() {
    cat <<PERL
perl -MIO::Socket::INET -e '\$| = 1; \$SIG{TERM} = sub { exit 0 }; \$begun = time; \$s = IO::Socket::INET->new(LocalPort => \$ENV{PORT}, Listen => 20, ReuseAddr => 1) or die; while (1) { \$c = \$s->accept or next; \$l = <\$c>; while (defined(\$h = <\$c>) && \$h =~ /\S/) {} (\$p) = \$l =~ m{^\S+ (\S*)}; \$a = ($1) ? "200 OK" : "500 No"; print "\$p \$a\n"; print \$c "HTTP/1.0 \$a\r\nContent-Length: 0\r\n\r\n"; close \$c }'
PERL
}

@test "health: a service is ready when its path answers well, not before" {
    service "$(health_command 'time > $begun + 1')" '    port: 3000
    health: {path: /check, grace: 5, interval: 1}'
    start_json
    wait_event ready
    logged web "/check 500 No"
    says web "/check 200 OK"
    event ready | jq -e '.seconds > 1'
    [ "$(states | grep '^service web' | tail -n 2)" = $'service web checking\nservice web ready' ]
    [ -z "$(event warning)" ]
    ended
}

@test "health: a service is not asked for its health when it has no port" {
    service 'exec sleep 1000'
    start_json
    wait_event ready
    ended
}

@test "health: a service that falls ill later is warned of, once" {
    service "$(health_command '! -e "/ill"')" '    port: 3000
    health: {path: /check, grace: 1, interval: 1, timeout: 1}'
    start_json
    wait_event ready
    container_exec "$(containers_of service web)" touch /ill
    wait_event warning
    [ "$(event warning | jq -r .text)" = "service web does not answer on port 3000: GET /check: HTTP 500
  does it listen on 0.0.0.0:3000 (variable PORT)? is /check the right health path?" ]
    sleep 2.5 # two more checks fail meanwhile, and say nothing
    [ "$(grep -c '"type":"warning"' "$events")" = 1 ]
    ended
}

# ---- init containers and hooks ----------------------------------------------

@test "initContainer: runs to its end before the service starts, on shared volumes" {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: cat /data/prepared; exec sleep 1000
    termination: {grace: 1}
    volumeOptions:
      - emptyDir: {id: data, mountPath: /data}
    initContainer:
      command: sleep 1; echo "prepared for \$NAME" >/out/prepared
      volumeOptions:
        - emptyDir: {id: data, mountPath: /out}
    environment: [NAME=shop]
YML
    start_json
    wait_event ready
    says web "prepared for shop"
    states >list
    [ "$(grep -nx 'init web ready' list | cut -d: -f1)" -lt "$(grep -nx 'service web starting' list | cut -d: -f1)" ]
    ended
}

@test "initContainer that fails: an error, and the service never starts" {
    service 'echo started; exec sleep 1000' '    initContainer: {command: "exit 4"}'
    start_json
    end_json
    [ "$cvx_status" = 4 ]
    [ "$(event error | jq -r .text)" = "initContainer of service web ended: exit status 4" ]
    states >states
    never grep 'service web starting' states
    rack_is_empty
}

@test "lifecycle.postStart that fails is a warning" {
    service 'exec sleep 1000' '    lifecycle: {postStart: "sh -c \"exit 5\""}'
    start_json
    wait_event ready
    wait_event warning
    [ "$(event warning | jq -r .text)" = "service web: lifecycle.postStart ended with status 5" ]
    ended
}

# ---- who reaches whom -------------------------------------------------------

@test "links: the other's URL, which works" {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    links: [back-end]
  back-end:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 4000
YML
    start_json
    wait_event ready
    url=$(get "$(service_url web)/BACK_END_URL")
    [ "$url" = http://back-end:4000 ]
    web=$(containers_of service web)
    container_exec "$web" perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("back-end:4000") or die; print $s "GET / HTTP/1.0\r\n\r\n"; print <$s>' | grep -x hello
    ended
}

@test "a volume shared by two services, by its name" {
    app shop <<YML
services:
  writer:
    image: $WEB_IMAGE
    command: echo written >/out/file; exec sleep 1000
    termination: {grace: 1}
    volumes: ["shared:/out"]
  reader:
    image: $WEB_IMAGE
    command: until cat /in/file 2>/dev/null; do sleep 0.1; done; exec sleep 1000
    termination: {grace: 1}
    volumes: ["shared:/in"]
YML
    start_json
    wait_event ready
    says reader written
    [ "$(rack_census | grep -c ^volume)" = 1 ]
    ended
}

@test "internal: no port on this machine, and others reach it" {
    app shop <<YML
services:
  web: {image: "$WEB_IMAGE", command: exec sleep 1000, termination: {grace: 1}}
  api:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    internal: true
YML
    start_json
    wait_event ready
    event ready | jq -e '.services[] | select(.name == "api") | .internal'
    container_exec "$(containers_of service web)" perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("api:3000") or die; print $s "GET / HTTP/1.0\r\n\r\n"; print <$s>' | grep -x hello
    ended
}

# ---- how many ---------------------------------------------------------------

@test "replicas: so many containers, one of them on the port, all by name" {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    scale: 3
  other: {image: "$WEB_IMAGE", command: exec sleep 1000, termination: {grace: 1}}
YML
    start_json
    wait_event ready
    [ "$(containers_of service web | wc -l)" = 3 ]
    [ "$(event ready | jq '.services[] | select(.name == "web").replicas')" = 3 ]
    get "$(service_url web)/"
    [ "$(container_exec "$(containers_of service other)" getent ahostsv4 web | awk '{print $1}' | sort -u | wc -l)" = 3 ]
    ended
}

@test "scale 0: nothing of it is started" {
    app shop <<YML
services:
  web: {image: "$WEB_IMAGE", command: exec sleep 1000, termination: {grace: 1}}
  job: {image: registry.invalid/never:1, scale: 0}
YML
    start_json
    wait_event ready
    [ -z "$(containers_of service job)" ]
    [ "$(session_census | grep -c ^container)" = 1 ]
    ended
}

# ---- an end and a new start -------------------------------------------------

@test "a service that ends is started again: why, after how long, and it is back" {
    service 'echo run; trap "exit 9" USR1; while :; do sleep 0.1; done'
    start_json --no-exit-on-failure
    wait_event ready
    says web run
    api POST "/containers/$(containers_of service web)/kill?signal=USR1"
    wait_event warning
    [ "$(event warning | jq -r .text)" = "service web ended: exit status 9; starting it again in 0.5 s
its last lines:
  | run" ]
    jq -se 'any(.type == "state" and .name == "web" and .state == "exited" and .exit == 9)' "$events"
    wait_for 20 eval '[ "$(states | tail -n 1)" = "service web ready" ]'
    [ "$(inspect .State.Status)" = running ]
    ended
}

@test "the pause before a new start doubles" {
    service 'sleep 0.2; exit 1'
    start_json --no-exit-on-failure
    wait_for 40 eval '[ "$(grep -c "starting it again" "$events")" -ge 3 ]'
    [ "$(jq -r 'select(.type == "warning").text' "$events" | sed -n 's/.*again in \(.*\) s$/\1/p' | head -n 3 | tr '\n' ' ')" = "0.5 1.0 2.0 " ]
    stop_json INT
}

@test "a container that somebody removes comes back" {
    service "$(web_command)" '    port: 3000'
    start_json --no-exit-on-failure
    wait_event ready
    url=$(service_url web)
    before=$(containers_of service web)
    api DELETE "/containers/$before?force=1"
    wait_for 20 eval '[ -n "$(containers_of service web)" ] && [ "$(containers_of service web)" != "'"$before"'" ]'
    wait_for 20 get "$url/"
    ended
}

@test "termination.grace: so long it may take its time" {
    service 'trap "echo asked; sleep 2; echo done; exit 0" TERM; while :; do sleep 0.1; done' \
        '    # its own grace, below'
    sed -i 's/grace: 1/grace: 20/' convox.yml
    start_json
    wait_event ready
    [ "$(inspect .Config.StopTimeout)" = 20 ]
    stop_json INT
    logged web asked
    logged web done
}

# ---- its container ----------------------------------------------------------

@test "init: a small process 1 that reaps, or none" {
    for init in true false; do
        service 'exec sleep 1000' "    init: $init"
        start_json
        wait_event ready
        [ "$(inspect '.HostConfig.Init // false')" = $init ]
        ended
    done
}

@test "privileged: all rights, where the engine can give them" {
    service 'exec sleep 1000' '    privileged: true'
    start_json
    if wait_event ready; then
        [ "$(inspect .HostConfig.Privileged)" = true ]
        ended
    else # it is confined itself; so it was asked
        end_json
        [[ $(event error | jq -r .why) == *"unable to apply caps"* ]]
        [ "$(event error | jq -r .todo)" = "this engine cannot give a container all rights: is \`privileged\` needed?" ]
    fi
}

@test "securityContext: the user, and a file system that is read only" {
    service 'id -u; touch /here 2>&1 || echo refused; exec sleep 1000' '    securityContext: {runAsUser: 1234, readOnlyRootFilesystem: true}'
    start_json
    wait_event ready
    says web 1234
    says web refused
    [ "$(inspect '"\(.Config.User) \(.HostConfig.ReadonlyRootfs)"')" = "1234 true" ]
    ended
}

@test "labels say whose it is" {
    service 'exec sleep 1000'
    start_json
    wait_event ready
    [ "$(inspect '.Config.Labels | "\(."cvx.app") \(."cvx.kind") \(."cvx.name") \(."cvx.rack")"')" = "shop service web $(rack_id)" ]
    ended
}

@test "system variables, and only the declared ones" {
    service "$(web_command)" '    port: 3000
    environment: [MINE]'
    start_json -e MINE=yes -e OTHERS=no
    wait_event ready
    url=$(service_url web)
    [ "$(get "$url/{APP,RACK,SERVICE,PORT,MINE,OTHERS}" | tr '\n' ' ')" = "shop local web 3000 yes  " ]
    [[ $(get "$url/RELEASE") =~ ^R[A-Z]{10}$ ]]
    ended
}

# ---- command ----------------------------------------------------------------

# argv_of YAML: the Cmd that the engine got for `command: YAML`.
argv_of() {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: $1
    termination: {grace: 1}
YML
    start_json
    wait_event ready >/dev/null || return 1
    inspect '.Config.Cmd | tojson'
    stop_json INT
}

@test "command: a list is argv" {
    app shop <<YML
services:
  web:
    image: $WEB_IMAGE
    command: ["perl", "-e", "print join(q(|), @ARGV); sleep 1000", "--", "two words", ";", "a'b"]
    termination: {grace: 1}
YML
    start_json
    wait_event ready
    [ "$(inspect '.Config.Cmd | .[4:] | tojson')" = "[\"two words\",\";\",\"a'b\"]" ]
    ended
}

@test "command: a plain string is split into words" {
    [ "$(argv_of "sleep '1000'")" = '["sleep","1000"]' ]
}

@test "command: a string with shell syntax goes to sh -c" {
    [ "$(argv_of "'echo a && exec sleep 1000'")" = '["sh","-c","echo a && exec sleep 1000"]' ]
}
