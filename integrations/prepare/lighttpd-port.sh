#!/usr/bin/env bash
# lighttpd-port.sh DIR: builds lighttpd with our back-end into DIR.
exec "$(dirname "$0")/../lighttpd/build.sh" "$1"
