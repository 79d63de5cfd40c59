# Output in quantity: all of it, in order, whoever reads and how slowly.

load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { rack_up; }
teardown() { rack_down; }

# printer COUNT [AFTER [BEFORE]]: a service that prints so many numbered lines, 75
# bytes each, as fast as it can; what it does before and after is Perl.
printer() {
    app printer < <(jq -n --arg image "$WEB_IMAGE" --arg count "$1" --arg after "${2:-}" \
        --arg before "${3:-}" '{services: {web: {image: $image, termination: {grace: 1},
            command: ["perl", "-e", "\($before)printf qq(line %010d %s\\n), $_, q(x) x 58
                for 1 .. \($count);\($after)"]}}}')
}

# Until it is told to: whoever reads is there by then.
at_usr1='$SIG{USR1} = sub { $go = 1 }; select undef, undef, undef, 0.01 until $go; '

# complete COUNT: the lines of stdin have every number once, in order, whole.
complete() {
    perl -ne 'next unless /line (\d{10}) (x+)/;
        die "line $1 where ", $n + 1, " is due\n" if $1 != ++$n || length $2 != 58;
        END { die "only $n lines\n" if !$? && $n != '"$1"' }'
}

@test "200 000 lines of a service that then ends: a file gets all of them, in order" {
    printer 200000 'exit 3'
    status=0
    timeout 60 "$CVX" start >out 2>errors </dev/null 3>&- || status=$?
    [ "$status" = 3 ]
    complete 200000 <out
    never grep -q dropped out
}

@test "and as JSON" {
    printer 200000 'exit 3'
    start_json
    end_json
    [ "$cvx_status" = 3 ]
    never grep -q '"type":"lost"' "$events"
    grep '"type":"log"' "$events" | jq -r 'select(.tag == "web").line' | complete 200000
}

@test "a detached session's lines reach who follows, all of them" {
    printer 200000 '$| = 1; print q(); sleep 600' "$at_usr1"
    "$CVX" start --detach >text 2>&1 </dev/null 3>&-
    "$CVX" logs -f >out 2>errors </dev/null 3>&- &
    reader=$!
    sleep 0.5 # until rackd has the reader: nothing says when
    api POST "/containers/$(containers_of service web)/kill?signal=USR1"
    wait_for 30 eval 'tail -n 1 out | grep -q "line 0000200000"'
    kill "$reader"
    complete 200000 <out
    [ ! -s errors ]
    "$CVX" stop
}

@test "a reader that sleeps, then reads slowly: the service waits, nothing is lost" {
    printer 400000 'exit 3'
    mkfifo pipe
    "$CVX" start >pipe 2>errors </dev/null 3>&- &
    cvx_pid=$!
    perl -e 'sleep 3; while (sysread STDIN, my $b, 65536) {
        syswrite STDOUT, $b; select undef, undef, undef, 0.001 }' <pipe >out
    rackd=$(rackd_pid)
    end_json
    [ "$cvx_status" = 3 ]
    complete 400000 <out
    grep -q libasan "/proc/$rackd/maps" ||
        [ "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$rackd/status")" -lt 40960 ]
}

@test "a reader that is stuck holds a service up for seconds, not for ever" {
    printer 400000 'open F, q(>), q(/done); sleep 600'
    mkfifo pipe
    "$CVX" start >pipe 2>errors </dev/null 3>&- &
    cvx_pid=$!
    exec 7<pipe
    printed() { container_exec "$(containers_of service web)" test -e /done; }
    wait_for 25 printed
    (timeout 5 cat <&7 3>&- || true) | grep -a -m 1 'log lines dropped'
    exec 7<&-
    end_json
    wait_for 15 rack_is_empty
}
