# Killed at random moments, a bounded run; `make chaos N=200` is a long one.
# CHAOS_ON: on the engine of DOCKER_HOST, as tests/engines.sh asks.

load ../support/engine

setup_file() { engine_use; }

chaos() {
    local on=()

    [ -z "${CHAOS_ON:-}" ] || on=(--on "$DOCKER_HOST")
    run timeout 600 "$ROOT/tests/chaos/chaos.sh" "${on[@]}" "$@" 3>&-
    grep '^#' <<<"$output" >&3 || true
    [ "$status" = 0 ]
}

@test "whatever is killed, whenever: nothing is left" {
    chaos --kills "${CHAOS_KILLS:-18}" --engine-kills 0
}

@test "whenever the engine is killed or restarted: nothing is left" {
    [ -z "${CHAOS_ON:-}" ] || [ -n "${CHAOS_ENGINE:-}" ] || skip "this engine cannot be killed"
    [ "$(id -u)" = 0 ] || skip "not root: no engine that may be killed"
    chaos --kills 0 --engine-kills "${CHAOS_ENGINE_KILLS:-4}"
}

@test "a short soak: memory, descriptors and objects stay what they were" {
    [ -z "${CHAOS_ON:-}" ] || skip "once is enough"
    [ "$(id -u)" = 0 ] || skip "not root: no engine of our own"
    run timeout 300 "$ROOT/tests/chaos/soak.sh" 20 3>&-
    grep '^#' <<<"$output" >&3 || true
    [ "$status" = 0 ]
}
