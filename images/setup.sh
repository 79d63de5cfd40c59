#!/bin/bash
# setup.sh GROUP... -- installs the Debian packages that are missing.
#
#   setup.sh packages        what `make` needs to build cvx and rackd
#   setup.sh test-packages   what `make check` needs on top
#   setup.sh PACKAGE...      these (the scripts beside this one do that)
#
# Nothing happens, fast, where all is installed. Uses sudo when not root.
set -euo pipefail
. "$(dirname "$0")/root.sh"

build="build-essential pkg-config libuv1-dev libcurl4-openssl-dev libcjson-dev
libyaml-dev libssl-dev libarchive-dev uthash-dev node-llhttp libjansson-dev curl
ca-certificates"
tests="libcmocka-dev bats jq perl valgrind clang-14 clang-tidy clang-format
libclang-rt-14-dev gcovr python3 openssl socat procps util-linux
docker-registry apache2-utils"

wanted=()
for arg; do
    case $arg in
    packages) wanted+=($build) ;;
    test-packages) wanted+=($build $tests) ;;
    -*) echo "usage: setup.sh packages|test-packages|PACKAGE..." >&2; exit 64 ;;
    *) wanted+=("$arg") ;;
    esac
done
[ ${#wanted[@]} -gt 0 ] || exit 0

# dpkg-query fails when one name is unknown to it: that one is missing too.
have=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" \
    2>/dev/null | sed -n 's/^ii *//p' || true)
missing=$(printf '%s\n' "${wanted[@]}" | sort -u |
    grep -vxF -f <(printf '%s\n' "$have" | sed 's/:.*//') || true)
[ -n "$missing" ] || exit 0

if ! can_be_root; then
    echo "ERROR: these packages are missing and you are not root:" $missing >&2
    echo "Ask for: apt-get install" $missing >&2
    exit 1
fi

# Tests run a registry of their own: the package's is to start neither now nor
# at the next boot.
unit=/etc/systemd/system/docker-registry.service
case " $(echo $missing) " in
*" docker-registry "*)
    as_root mkdir -p "${unit%/*}"
    [ -e "$unit" ] || [ -L "$unit" ] || as_root ln -s /dev/null "$unit"
    ;;
esac

echo "Installing" $missing >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq \
        -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}
# The lists of a fresh machine are empty, those of an old one out of date.
install() { apt_get install --no-install-recommends $missing; }
if ! { apt_get update && install; } && ! { apt_get update && install; }; then
    tail -n 20 "$log" >&2
    echo "ERROR: apt-get could not install:" $missing >&2
    exit 1
fi
