# stats.sh -- timings by name, and what to say of them. Sourced by bench.sh and
# choices.sh.
declare -A times # NAME -> "1.2034 1.1987 ", in the order they were taken

# note NAME NUMBER
note() { times[$1]+="$2 "; }

# timed NAME COMMAND...: runs it, notes the seconds, leaves what it printed in
# $output.
timed() {
    local name=$1 begin end
    shift
    begin=$(date +%s%N)
    if ! output=$("$@" 2>&1 </dev/null); then
        printf 'FAILED: %s\n%s\n' "$*" "$output" >&2
        exit 1
    fi
    end=$(date +%s%N)
    note "$name" "$(awk -v ns=$((end - begin)) 'BEGIN {printf "%.4f", ns / 1e9}')"
}

has() { [ -n "$1" ] && [ -n "${times[$1]:-}" ]; }
sorted() { tr ' ' '\n' <<<"${times[$1]}" | grep . | sort -g; }
median() {
    sorted "$1" | awk '{v[NR] = $1} END {
        print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

# row TITLE NAME: where there is nothing to compare with.
row() {
    printf '  %-30s %8.3f  (%.3f - %.3f)\n' "$1" "$(median "$2")" \
        "$(sorted "$2" | head -n 1)" "$(sorted "$2" | tail -n 1)"
}

# ---- the table: TITLE, ours, the peer's, how many times, the engine's floor,
# ours as a multiple of it. A name that nothing was noted under is left blank.

cell() { # NAME
    if ! has "$1"; then
        printf '%-21s' ''
        return
    fi
    awk -v m="$(median "$1")" -v l="$(sorted "$1" | head -n 1)" \
        -v h="$(sorted "$1" | tail -n 1)" '
        function f(x) { return sprintf(x < 9.995 ? "%.3f" : "%.2f", x) }
        BEGIN { printf "%-21s", sprintf("%6s (%s-%s)", f(m), f(l), f(h)) }'
}

times_of() { # OVER UNDER: "4.1 x"
    if has "$1" && has "$2"; then
        awk -v a="$(median "$1")" -v b="$(median "$2")" \
            'BEGIN {printf "%5.*f x", a / b < 9.95 ? 2 : 1, a / b}'
    else
        printf '%7s' ''
    fi
}

head_line() { # TITLE
    printf '\n%-32s  %-21s  %-21s  %7s  %-21s  %7s\n' "$1" cvx \
        "${peer_name:-(no peer)}" 'peer/us' "engine's floor" us/floor
}

compare() { # TITLE OURS [PEER [FLOOR]]
    local ours=$2 peer=${3:-} floor=${4:-} line

    has "$ours" || has "$peer" || has "$floor" || return 0
    line=$(printf '  %-30s  %s  %s  %s  %s  %s' "$1" "$(cell "$ours")" \
        "$(cell "$peer")" "$(times_of "$peer" "$ours")" "$(cell "$floor")" \
        "$(times_of "$ours" "$floor")")
    sed 's/ *$//' <<<"$line"
}

# slope NAME FROM TO: seconds that one more costs, from "NAME FROM" and
# "NAME TO", a round at a time; noted as "NAME each".
slope() {
    local name=$1 few=$2 many=$3 value

    [ "$many" -gt "$few" ] && has "$name $few" && has "$name $many" || return 0
    while read -r value; do
        note "$name each" "$value"
    done < <(paste -d' ' <(tr ' ' '\n' <<<"${times["$name $few"]}" | grep .) \
        <(tr ' ' '\n' <<<"${times["$name $many"]}" | grep .) |
        awk -v n=$((many - few)) '{printf "%.5f\n", ($2 - $1) / n}')
}

# All that was noted, for programs: {"NAME": {median, min, max, runs}}.
times_json() {
    local name

    for name in "${!times[@]}"; do
        jq -n --arg name "$name" --arg runs "${times[$name]}" '
            ($runs | split(" ") | map(select(. != "") | tonumber)) as $r
            | ($r | sort) as $s | ($s | length) as $n
            | {($name): {median: (if $n % 2 == 1 then $s[($n - 1) / 2]
                   else ($s[$n / 2 - 1] + $s[$n / 2]) / 2 end),
                 min: $s[0], max: $s[-1], runs: $r}}'
    done | jq -S -s add
}
