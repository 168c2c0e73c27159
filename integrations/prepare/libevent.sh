#!/usr/bin/env bash
# libevent.sh DIR: builds libevent with our back-end into DIR.
exec "$(dirname "$0")/../libevent/build.sh" "$1"
