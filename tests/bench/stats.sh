# stats.sh -- timings by name, and what to say of them. Sourced by bench.sh.
declare -A times

# timed NAME COMMAND...: runs it, notes the seconds; its output on failure.
timed() {
    local name=$1 begin end out
    shift
    begin=$(date +%s%N)
    if ! out=$("$@" 2>&1); then
        printf 'FAILED: %s\n%s\n' "$*" "$out" >&2
        exit 1
    fi
    end=$(date +%s%N)
    times[$name]+="$(awk -v ns=$((end - begin)) 'BEGIN {printf "%.4f", ns / 1e9}') "
}

sorted() { tr ' ' '\n' <<<"${times[$1]}" | grep . | sort -n; }
median() { sorted "$1" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

row() { # TITLE NAME
    printf '  %-30s %8.3f  (%.3f - %.3f)\n' "$1" "$(median "$2")" \
        "$(sorted "$2" | head -n 1)" "$(sorted "$2" | tail -n 1)"
}

ratio() { # TITLE PEER OURS
    awk -v t="$1" -v p="$(median "$2")" -v o="$(median "$3")" \
        'BEGIN {printf "  %-14s %.1f x faster than the peer\n", t, p / o}'
}
