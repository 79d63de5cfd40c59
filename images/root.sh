# root.sh -- doing things as root, for the scripts beside it. Sourced.

# Root, or one whom sudo lets; asks for a password only on a terminal.
can_be_root() {
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}
