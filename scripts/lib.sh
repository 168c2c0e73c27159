# shellcheck shell=bash
# Sourced by every script here: where things are, and how a step, an error and
# a long command with its log are told.
set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OUT=$TOP/build
LOGS=$OUT/logs
CACHE=${KEVENT_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set: KEVENT_CACHE=dir says where kernel trees and objects go}/.cache}/kevent}
mkdir -p "$LOGS"
if ! { mkdir -p "$CACHE" && [[ -w $CACHE ]]; } 2>/dev/null; then
	printf 'error: cannot write to %s, where kernel trees and objects go: KEVENT_CACHE=dir is another place\n' "$CACHE" >&2
	exit 1
fi
CACHE=$(cd "$CACHE" && pwd)
JOBS=$(nproc)
export CCACHE_DIR=$CACHE/ccache

# What the make that called us was told is not for the makes we call.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES KBUILD_OUTPUT O ARCH CROSS_COMPILE

# Elapsed times count from the first script of a command.
export KEVENT_START=${KEVENT_START:-$EPOCHSECONDS}
elapsed() { local s=$((EPOCHSECONDS - KEVENT_START)); printf '%2d:%02d' $((s / 60)) $((s % 60)); }
step() { printf '[%s] %s\n' "$(elapsed)" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
# check_variants NAME...: before anything is done for them
check_variants()
{
	local name
	for name; do
		[[ -f $TOP/configs/$name.config && $name != base ]] || die "no such variant: $name (there is$(cd "$TOP/configs" && printf ' %s' *.config | sed 's/ base.config//; s/\.config//g'))"
	done
}
short() { printf '%s' "${1#"$TOP"/}"; }

# On a terminal a line that changes; elsewhere one every 30 seconds.
progress_at=$EPOCHSECONDS
progress()
{
	if [[ -t 1 ]]; then
		printf '\r[%s] %s\033[K' "$(elapsed)" "$*"
	elif ((EPOCHSECONDS - progress_at >= 30)); then
		progress_at=$EPOCHSECONDS
		step "$*"
	fi
}
progress_done() { if [[ -t 1 ]]; then printf '\r\033[K'; fi; }

# logged NAME COMMAND...: output to build/logs/NAME.log, its end shown on failure
logged()
{
	local log=$LOGS/$1.log status
	shift
	mkdir -p "$(dirname "$log")"
	# As a condition a function would go on after what fails in its midst.
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	status=$?
	set -e
	if ((status == 0)); then return; fi
	progress_done
	grep -nE '(error|Error|undefined reference|FAILED|\*\*\*)' "$log" | head -n 20 >&2 || tail -n 20 "$log" >&2
	die "'$(basename "$1") ...' failed, see $(short "$log")"
}

# One at a time in the cache; the lock goes with the process that took it.
lock_cache()
{
	[[ -z ${KEVENT_LOCKED:-} ]] || return 0
	exec {lock_fd}>"$CACHE/lock"
	if ! flock -n "$lock_fd"; then
		step "waiting for another build in $CACHE"
		flock "$lock_fd"
	fi
	export KEVENT_LOCKED=1
}

size() { stat -c %s "$1" 2>/dev/null || echo 0; }

# silent LOG SECONDS: has that file, asked for again and again, not grown for so long?
silent_log='' silent_since=0
silent()
{
	local now
	now="$1 $(size "$1")"
	if [[ $now != "$silent_log" ]]; then silent_log=$now silent_since=$EPOCHSECONDS; fi
	((EPOCHSECONDS - silent_since >= $2))
}

# digest FILE...: one checksum over names and contents, the same wherever this is
digest() { (cd "$TOP" && sha256sum "${@/#"$TOP/"/}") | sha256sum | cut -c1-16; }

# of localhost, for a guest's web server
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
