#!/bin/sh
# clang-tidy on some files, without its counts of what it did not show.
out=$(clang-tidy --quiet "$@" -- -D_GNU_SOURCE -Irackd -I. -std=c11 \
    '-DCVX_VERSION="0"' -isystem /usr/share/include/llhttp 2>/dev/null) && exit 0
printf '%s\n' "$out"
exit 1
