#!/bin/bash
# rootfs.sh SUITE FILE -- writes a minimal Debian as a tar: what a pull of
# debian:SUITE-slim gives, made from the package archive this machine uses.
#
# MIRROR overrides where packages come from. Needs mmdebstrap (which needs no
# root where user namespaces are allowed).
set -euo pipefail
suite=$1 file=$2

# The archives of this machine, as apt knows them, without repetition.
archives() {
    if [ -n "${MIRROR:-}" ]; then
        echo "$MIRROR"
        return
    fi
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep '^https\?://' | awk '!seen[$0]++'
}

has_suite() {
    curl -fsS -m 20 -o /dev/null -I "$1/dists/$2/InRelease" 2>/dev/null
}

# "deb URI SUITE main" for each archive that carries the suite, or its
# updates or security fixes.
sources() {
    local uri name

    archives | while read -r uri; do
        for name in "$suite" "$suite-updates" "$suite-security"; do
            if has_suite "${uri%/}" "$name"; then
                echo "deb ${uri%/}/ $name main"
            fi
        done
    done
}

list=$(sources)
if ! grep -q " $suite main" <<<"$list"; then
    echo "ERROR: no package archive of this machine carries Debian $suite;" \
        "set MIRROR to one that does" >&2
    exit 1
fi
# In an image apt keeps neither packages nor its index of them.
clean='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Acquire::Languages "none";'
export clean

# Like the -slim image: no documentation, no manuals, no translations; the
# settings stay, so that what is installed later comes without them as well.
mmdebstrap --variant=minbase --include=gosu \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --customize-hook='printf "%s\n" "$clean" >"$1/etc/apt/apt.conf.d/docker-clean"; rm -f "$1"/var/cache/apt/*.bin' \
    "$suite" "$file" - <<<"$list"
