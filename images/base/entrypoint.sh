# entrypoint.sh -- what the entrypoints of the stand-in images share; sourced
# by each of them as /usr/local/lib/cvx/entrypoint.sh. Together they keep the
# contract of the official images, written anew.

set -eo pipefail
shopt -s nullglob

note() { printf '%s [Note] [Entrypoint]: %s\n' "$(date -u +%FT%TZ)" "$*"; }
fail() {
    printf '%s [ERROR] [Entrypoint]: %s\n' "$(date -u +%FT%TZ)" "$*" >&2
    exit 1
}

# setting NAME [DEFAULT]: $NAME from the environment, or from the file that
# $NAME_FILE names; both at once is a mistake.
setting() {
    local name=$1 file=$1_FILE

    if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
        fail "both $name and $file are set (but are exclusive)"
    fi
    if [ -n "${!file:-}" ]; then
        [ -r "${!file}" ] || fail "$file: cannot read ${!file}"
        export "$name=$(<"${!file}")"
        unset "$file"
    elif [ -z "${!name:-}" ] && [ -n "${2:-}" ]; then
        export "$name=$2"
    fi
}

# Does one of the arguments ask the server only for words?
wants_help() {
    local arg

    for arg; do
        case $arg in
        -'?' | --help | --describe-config | -V | --version) return 0 ;;
        esac
    done
    return 1
}

# own USER DIR...: the directories exist and belong to USER.
own() {
    local user=$1

    shift
    mkdir -p "$@"
    [ "$(id -u)" != 0 ] ||
        find "$@" \! -user "$user" -exec chown "$user" '{}' +
}

# Runs what the user put into /docker-entrypoint-initdb.d, in order of names.
# run_sql, given by the image, reads SQL from stdin. Executable scripts are
# run, others read into this shell, as the official images do.
run_init_files() {
    local file

    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
        *.sh)
            note "running $file"
            # shellcheck disable=SC1090
            if [ -x "$file" ]; then "$file"; else . "$file"; fi
            ;;
        *.sql) note "running $file" && run_sql <"$file" ;;
        *.sql.gz) note "running $file" && gunzip -c "$file" | run_sql ;;
        *.sql.xz) note "running $file" && xzcat "$file" | run_sql ;;
        *.sql.zst) note "running $file" && zstd -dc "$file" | run_sql ;;
        *) note "ignoring $file" ;;
        esac
    done
}

# The whole of redis and valkey: kv_server NAME ARG... `redis` refuses remote
# clients without a password ("protected mode") unless it is told not to; the
# official images are compiled that way, Debian's are not.
kv_server() {
    local name=$1 config=

    shift
    case ${1:-} in
    -* | *.conf) set -- "$name-server" "$@" ;;
    esac
    if [ "$1" = "$name-server" ]; then
        if [ "$(id -u)" = 0 ]; then
            find . \! -user "$name" -exec chown "$name" '{}' +
            exec gosu "$name" "$0" "$@"
        fi
        [ ! -f "${2:-}" ] || config=$2
        if ! wants_help "$@" && ! grep -qs -- protected-mode \
            ${config:+"$config"} <(printf '%s\n' "$@"); then
            set -- "$@" --protected-mode no
        fi
        [ "$(umask)" != 0022 ] || umask 0077
    fi
    exec "$@"
}
