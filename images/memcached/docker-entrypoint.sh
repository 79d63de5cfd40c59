#!/bin/bash
# Entrypoint of the stand-in for the official memcached image.
. /usr/local/lib/cvx/entrypoint.sh
case ${1:-} in
-*) set -- memcached "$@" ;;
esac
exec "$@"
