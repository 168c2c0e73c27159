#!/bin/sh
# cases.sh WORKLOADS CASES: runs each case of a list, see bench/cases, on the running
# kernel, one after the other and each in a process of its own; prints what they print.
# Exit status 2, with a message, if that kernel has no kevent.
workloads=$1 cases=$2

said=$("$workloads" check 2>&1)
status=$?
if [ $status -ne 0 ]; then
	echo "error: the running kernel, $(uname -r), has no kevent to measure: ${said#BENCH-SKIP }" >&2
	echo "README.md says how to build and boot one that has." >&2
	exit 2
fi

echo "NATIVE-KERNEL $(uname -srm)"
failed=0
grep -vE '^[[:space:]]*(#|$)' "$cases" | {
	while read -r workload registered active events windows modes; do
		for mode in $modes; do
			"$workloads" "$workload" "$mode" "$registered" "$active" "$events" "$windows"
			status=$?
			# 2: this kernel cannot do it, and the workload has said so
			case $status in
			0 | 2) ;;
			*)
				echo "NATIVE-FAILED $workload $mode $registered $active: exit status $status"
				failed=1
				;;
			esac
		done
	done
	echo "NATIVE-END"
	exit $failed
}
