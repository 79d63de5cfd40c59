#!/bin/bash
# Entrypoint of the stand-in for the official valkey image.
. /usr/local/lib/cvx/entrypoint.sh
# shellcheck disable=SC2086
kv_server valkey "$@" ${VALKEY_EXTRA_FLAGS:-}
