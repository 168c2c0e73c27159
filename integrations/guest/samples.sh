# shellcheck shell=bash
# program: the samples of kevent in Python, by the symbols of libkevent.so.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
export LD_LIBRARY_PATH=$here

said=$(timeout 600 python3.11 $here/timer.py 2>&1)
[[ $said = "timer 42 expired three times" ]] || fail "samples timer.py: $said"
passed samples timer.py

echo 2 >/proc/sys/kernel/kevent_disabled
said=$(timeout 600 python3.11 $here/timer.py 2>&1)
status=$?
echo 0 >/proc/sys/kernel/kevent_disabled
if ((status != 1)) || [[ $said != *"switched off"* ]]; then
	fail "samples timer.py without kevent: status $status, $said"
fi
passed samples timer.py without kevent

# server PORT: leaves its pid in $pid, when it says that it is ready
server()
{
	local i
	rm -f /tmp/ready
	python3.11 $here/tiny-server.py "$1" >/tmp/ready 2>&1 &
	pid=$!
	for ((i = 0; i < 3000; i++)); do
		if [[ -s /tmp/ready ]]; then break; fi
		sleep 0.1
	done
	[[ $(</tmp/ready) = ready ]] || fail "samples tiny-server.py: $(</tmp/ready)"
}
nr_fds() { local all=("/proc/$pid/fd/"*); echo ${#all[@]}; }

server 7700
before=$(nr_fds)
fd=()
for ((i = 0; i < 20; i++)); do
	exec {conn}<>/dev/tcp/127.0.0.1/7700
	fd+=("$conn")
done
for round in 1 2 3; do
	for ((i = 0; i < 20; i++)); do echo "round $round, client $i" >&"${fd[i]}"; done
	for ((i = 0; i < 20; i++)); do
		IFS= read -r -t 600 line <&"${fd[i]}"
		[[ $line = "round $round, client $i" ]] ||
			fail "samples tiny-server.py: client $i of round $round has \"$line\""
	done
done
(($(nr_fds) == before + 20)) || fail "samples tiny-server.py: $(nr_fds) descriptors with 20 clients, $before without"
for conn in "${fd[@]}"; do exec {conn}>&-; done
for ((i = 0; i < 3000; i++)); do
	if (($(nr_fds) == before)); then break; fi
	sleep 0.1
done
(($(nr_fds) == before)) || fail "samples tiny-server.py: $(nr_fds) descriptors after its clients, $before before"
kill $pid
wait $pid
passed samples tiny-server.py
((failures == 0))
