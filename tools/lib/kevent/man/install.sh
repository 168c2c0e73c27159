#!/bin/sh
# install.sh MANDIR PAGE...: installs the pages, and under each other name that a page has
# (.Nm lines of its first section) one that leads to it.
set -e
dir=$1
shift
for page in "$@"; do
	section=${page##*.}
	file=$(basename "$page")
	mkdir -p "$dir/man$section"
	install -m 644 "$page" "$dir/man$section/$file"
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([A-Za-z0-9_]*\).*/\1/p' "$page" | while read -r name; do
		[ "$name.$section" = "$file" ] ||
			echo ".so man$section/$file" >"$dir/man$section/$name.$section"
	done
done
