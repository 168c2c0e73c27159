# shellcheck shell=bash
# shellcheck disable=SC2154 # work, logs and files are the callers'
# Sourced by the checks that compile only what is new or changed: trees without
# the overlay, configurations, single objects, and what came of them.  The caller sets
# $work, which holds trees and their objects, $logs, and $files, what to compile.

# without_overlay TREE COPY [STAYS]: links to the files of a tree, as they were before the
# overlay came, but for those of which the function STAYS is true.
without_overlay()
{
	local kind sum path
	rm -rf "$2"
	cp -al "$1" "$2"
	while read -r kind sum path; do
		if [[ $kind = new ]]; then
			rm "$2/$path"
		elif ! ${3:-false} "$path"; then
			cp -p --remove-destination "$1.state/pristine/$path" "$2/$path"
		fi
	done <"$1.state/manifest"
}

# set_tree TREE BUILD [MAKE-ARGUMENT...]: what the functions below work on
set_tree()
{
	src=$work/$1/src obj=$work/$1/build/$2
	make_args=("${@:3}")
	mkdir -p "$obj"
	# As in kernel.sh: where the same is compiled, ccache has it.
	export CCACHE_BASEDIR=$work/$1
}
kmake()
{
	make -C "$src" O="$obj" -j"$JOBS" CC="ccache gcc" HOSTCC="ccache gcc" \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026' \
		KBUILD_BUILD_USER=kevent KBUILD_BUILD_HOST=kevent \
		KCFLAGS=-fmacro-prefix-map=../../src/= "${make_args[@]}" "$@"
}

# The configuration of the variant plain, without what the pattern matches.
configure()
{
	grep -hvE "${1:-^$}" "$TOP/configs/base.config" "$TOP/tools/testing/selftests/kevent/config" \
		"$TOP/configs/plain.config" >"$obj/fragment"
	kmake tinyconfig
	"$src/scripts/kconfig/merge_config.sh" -m -O "$obj" "$obj/.config" "$obj/fragment"
	kmake olddefconfig
}
is_set() { grep -q "^CONFIG_$1=y" "$obj/.config"; }
# change OPTION=y|n...: as far as dependencies and selects let it
change()
{
	local option words=()
	for option; do
		if [[ $option = *=y ]]; then words+=(-e); else words+=(-d); fi
		words+=("${option%=?}")
	done
	"$src/scripts/config" --file "$obj/.config" "${words[@]}"
	kmake olddefconfig
}

# What make finds in obj-y of a directory, parts of its objects as well.
declare -A built=()
list_dir()
{
	local dir=$1 file list
	[[ ! ${built[$dir]:-} ]] || return 0
	file=$dir/Kbuild
	if [[ ! -f $src/$file ]]; then file=$dir/Makefile; fi
	list=$(make -s --no-print-directory -C "$src" -f - list 2>&1 <<-END
		include $obj/.config
		srctree := .
		src := $dir
		obj := $dir
		include $file
		.PHONY: list
		list: ; @echo \$(foreach o,\$(obj-y),\$o \$(\$(o:.o=-y)) \$(\$(o:.o=-objs)))
	END
	) || die "make cannot read $file: $list"
	built[$dir]=" $list "
}
# is_built PATH: of an object, or of a directory with a slash at the end
is_built()
{
	local name=${1%/} dir slash=''
	if [[ $1 = */ ]]; then slash=/; fi
	dir=$(dirname "$name")
	name=$(basename "$name")$slash
	list_dir "$dir"
	[[ ${built[$dir]} = *" $name "* ]] && { [[ $dir = . ]] || is_built "$dir/"; }
}

passed=0 failed=0 check_passed=0 check_failed=0
ok() { check_passed=$((check_passed + 1)); }
# not_ok WHAT WHY LOG
not_ok()
{
	check_failed=$((check_failed + 1))
	progress_done
	printf 'FAILED (%s): %s\n    log: %s\n' "$1" "$2" "$(short "$3")"
}
sum_up()
{
	progress_done
	step "$1: $check_passed passed, $check_failed failed"
	passed=$((passed + check_passed)) failed=$((failed + check_failed))
	check_passed=0 check_failed=0
}
complaints() { grep -E '([Ww]arning:|WARNING|error|ERROR|Error [0-9]+|undefined reference)' "$1" | head -n 5 | cut -c1-200 | sed 's/^/    /'; }

# warnings LOG: but for those about what others have written in files that we change.
# Our files, and functions, have our name.
warnings() { sed 's,^[^ :]*/src/,,' "$1" | grep -i 'warning:' | grep 'kevent' || true; }

# compile NAME: the objects of $files that the configuration has, $must_build among them;
# with $partial something is still to come that they call
compile()
{
	local name=$1 log=$logs/$1.log file objects=() missing
	built=()
	for file in "${files[@]}"; do
		if is_built "${file%.c}.o"; then objects+=("${file%.c}.o"); fi
	done
	printf 'objects: %s\n' "${objects[*]}" >>"$log"
	if [[ " ${objects[*]} " != *" ${must_build:-kernel/kevent/core.o} "* ]]; then
		not_ok "$name" "${must_build:-kevent itself} would not be built" "$log"
	elif ! kmake W=1 "${objects[@]}" >>"$log" 2>&1 </dev/null; then
		not_ok "$name" "does not build" "$log"
		complaints "$log"
	elif [[ $(warnings "$log") ]]; then
		not_ok "$name" "$(warnings "$log" | wc -l) warnings" "$log"
		warnings "$log" | head -n 5 | cut -c1-200 | sed 's/^/    /'
		# so that the next configuration tells them as well
		(cd "$obj" && rm -f "${objects[@]}")
	else
		# Not linked, but a name of ours that nobody defines is an error.
		missing=$(cd "$obj" && comm -23 <(nm -u "${objects[@]}" | awk 'NF == 2 { print $2 }' | grep -i kevent | sort -u) \
			<(nm --defined-only "${objects[@]}" | awk 'NF == 3 { print $3 }' | sort -u))
		if [[ $missing && ! ${partial:-} ]]; then
			printf 'undefined: %s\n' "$missing" >>"$log"
			not_ok "$name" "nobody defines ${missing//$'\n'/ }" "$log"
		else
			ok
		fi
	fi
}
