#!/usr/bin/env bash
# libuv-kevent.sh DIR: builds libuv with our back-end, and programs on it, into DIR/libuv.
exec "$(dirname "$0")/../libuv/build.sh" "$1/libuv"
