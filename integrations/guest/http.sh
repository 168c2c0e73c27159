# shellcheck shell=bash disable=SC2154
# http NAME PORT COMMAND...: a web server with a directory of files under wrk.
www=/tmp/www
mkdir -p $www
printf 'hello\n' >$www/small
head -c 300000 /dev/urandom >$www/large

http()
{
	local name=$1 port=$2 mode pid
	shift 2
	for mode in off exact ring; do
		with "$mode"
		forget_counts
		"${with[@]}" "$@" >"/tmp/$name.log" 2>&1 &
		pid=$!
		until_answers "$port" || break
		python3.11 "$here/http_check.py" "$port" $www || fail "$name $mode: files"
		timeout 120 wrk -t 1 -c 32 -d "${SECONDS_OF_LOAD:-6}" "http://127.0.0.1:$port/small" >/tmp/out 2>&1 ||
			fail "$name $mode: wrk"
		(($(awk '/requests in/ { print $1 }' /tmp/out) > 0)) || fail "$name $mode: wrk had no answer"
		report "$name" "$mode" "$(grep -E 'requests in' /tmp/out | tr -s ' ')$(grep -E 'Socket errors|Non-2xx' /tmp/out | tr -s ' ')"
		if grep -qE 'Socket errors|Non-2xx' /tmp/out; then fail "$name $mode: errors under load"; fi
		kill -TERM $pid
		ended $pid
		report_counts "$name" "$mode"
		made_sets "$name" "$mode"
		passed "$name $mode"
	done
}
