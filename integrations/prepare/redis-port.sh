#!/usr/bin/env bash
# redis-port.sh DIR: builds redis with our back-end into DIR.
exec "$(dirname "$0")/../redis/build.sh" "$1"
