# api.sh -- the engine's HTTP API with curl alone: a machine that has just got
# an engine has no docker command. Sourced, by the scripts beside it and by
# tests/support/engine.bash.
#
#     api_use "$(images/engine.sh)"         where from now on
#     api_curl GET /images/cvx/base:trixie/json
#     api_curl POST /build?t=NAME --data-binary @context.tar

API_ARGS=()
API_URL=http://engine

# The options and address with which curl reaches DOCKER_HOST `$1`.
api_use() {
    local certs=${DOCKER_CERT_PATH:-}

    API_ARGS=() API_URL=http://engine
    case $1 in
    unix://*) API_ARGS=(--unix-socket "${1#unix://}") ;;
    http://* | https://*) API_URL=${1%/} ;;
    tcp://*)
        API_URL=http://${1#tcp://}
        if [ -n "$certs" ]; then
            API_URL=https://${1#tcp://}
            API_ARGS=(--cacert "$certs/ca.pem" --cert "$certs/cert.pem"
                --key "$certs/key.pem")
        fi
        ;;
    *)
        echo "ERROR: DOCKER_HOST is $1: only unix:// and tcp:// are spoken" >&2
        return 1
        ;;
    esac
}

# api_curl METHOD PATH [CURL OPTION...]: the answer's body on stdout; curl's own
# status, which is 0 for an HTTP error too unless --fail is among the options.
api_curl() {
    local method=$1 path=$2

    shift 2
    curl -sS --noproxy '*' "${API_ARGS[@]}" -X "$method" "$@" "$API_URL$path"
}

api_answers() {
    api_curl GET /_ping -f -m 3 >/dev/null 2>&1
}

# The status of a GET: 200, 404, ...; 000 when nothing answered.
api_status() {
    api_curl GET "$1" -o /dev/null -w '%{http_code}' "${@:2}" 2>/dev/null
}

# Text of a JSON answer's first "$1" string; enough for the few we need.
json_string() {
    grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | sed 's/^"[^"]*" *: *"//; s/"$//'
}
