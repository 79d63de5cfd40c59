#!/bin/bash
# Entrypoint of the stand-in for the official redis image.
. /usr/local/lib/cvx/entrypoint.sh
kv_server redis "$@"
