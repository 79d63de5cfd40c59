#!/usr/bin/env bats
# The helpers of tests/support/engine.bash. What removes things on an engine
# that others use must remove nothing else.
bats_require_minimum_version 1.5.0
load ../support/engine

setup_file() { engine_use; }
teardown() {
    [ -z "${other:-}" ] || api DELETE "/containers/$other?v=1" || true
    engine_clean
}

# A container of another run, which is removed by its id in the end.
stranger() {
    api POST /containers/create '{"Image":"cvx/base:trixie","Labels":{"cvx.test":"stranger"}}' |
        jq -er .Id
}

@test "engine_clean removes what this run made and leaves what others made" {
    image_there cvx/base:trixie || skip "cvx/base:trixie is not built"
    other=$(stranger)
    mine=$(container_create cvx/base:trixie)
    [ "$(census "cvx.test=$CVX_TEST_RUN")" = "1 0 0" ]
    engine_clean
    [ "$(census "cvx.test=$CVX_TEST_RUN")" = "0 0 0" ]
    run api GET "/containers/$mine/json"
    gone=$status
    run api GET "/containers/$other/json"
    kept=$status
    [ "$gone" -ne 0 ]
    [ "$kept" -eq 0 ]
}

@test "remove_labelled refuses a label without a value" {
    for label in "" cvx.test cvx.test= "=x" "%%%"; do
        run remove_labelled "$label"
        [ "$status" -eq 1 ]
    done
}

@test "an answer that ignores the filter still lists what carries the label alone" {
    api() { echo '[{"Id":"a","Labels":{"cvx.test":"x"}},{"Id":"b","Labels":{}},{"Id":"c"}]'; }
    [ "$(labelled cvx.test=x | grep -c containers)" -eq 1 ]
    [ "$(labelled cvx.test=x | head -n 1)" = "containers a" ]
    unset -f api
    . "$ROOT/tests/support/engine.bash"
}
