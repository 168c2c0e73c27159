#!/usr/bin/env bash
# Do our pages build in the kernel's own set-up for Sphinx without a warning, does each
# path that they name exist, and has kernel-doc -Wall nothing to say of our headers and
# sources?  The pages go to build/docs.
#   PICTURES   set: also the beginning of each page to build/docs-pictures, by chromium
. "$(dirname "$0")/lib.sh"

"$TOP/scripts/packages.sh" build docs ${PICTURES:+pictures}
logs=$LOGS/docs
rm -rf "$logs" "$OUT/docs"
mkdir -p "$logs"
lock_cache
"$TOP/scripts/source.sh"
"$TOP/scripts/overlay.sh"
tree=$(<"$OUT/source")
objects=$(dirname "$tree")/build/docs
rm -rf "$objects"
mkdir -p "$objects"
passed=0 failed=0
# check NAME LOG: passed if the log has nothing in it
check()
{
	if [[ -s $2 ]]; then
		failed=$((failed + 1))
		echo "FAILED CHECK (docs): $1, see $(short "$2")"
		head -n 20 "$2" | cut -c1-200 | sed 's/^/    /'
	else
		passed=$((passed + 1))
	fi
}

### pages
# Ours, and those of the kernel that we change; all others take hours.  What the kernel
# makes of its netlink specifications would be written into the tree.
step "documents: building, log in $(short "$logs")/sphinx.log"
changed=()
while read -r kind sum path; do
	if [[ $kind = diff && $path = Documentation/*.rst ]]; then changed+=("${path#Documentation/}"); fi
done <"$tree.state/manifest"
patterns=$(IFS=,; echo "kevent.rst,kevent/**,${changed[*]}")
sphinx()
{
	make -C "$tree" O="$objects" YNL_INDEX= SPHINXOPTS="-q -D master_doc=kevent -D include_patterns=$patterns" htmldocs
}
logged docs/sphinx sphinx
[[ -f $objects/Documentation/output/kevent.html ]] || die "there is no kevent.html, see $(short "$logs")/sphinx.log"
cp -r "$objects/Documentation/output" "$OUT/docs"
rm -rf "$OUT/docs"/{.doctrees,*.h.rst}
ln -s kevent.html "$OUT/docs/index.html"
# Of the kernel's pages others are missing here, by which they are reached or which they
# lead to.
grep -E 'WARNING|ERROR|CRITICAL' "$logs/sphinx.log" |
	grep -vE "(document isn't included in any toctree|toctree contains reference to nonexisting document '[^']*')$" >"$logs/warnings" || true
grep -E "toctree contains reference to nonexisting document '/?kevent|/Documentation/kevent.*toctree" "$logs/sphinx.log" >>"$logs/warnings" || true
check "warnings of Sphinx" "$logs/warnings"
missing=()
for page in "$TOP"/Documentation/kevent.rst "$TOP"/Documentation/kevent/*.rst; do
	page=${page#"$TOP/Documentation/"}
	[[ -f $OUT/docs/${page%.rst}.html ]] || missing+=("$page was not built")
done
for page in "${changed[@]}"; do
	if [[ $page = */index.rst ]] && ! grep -q 'href="[./]*kevent.html"' "$OUT/docs/${page%.rst}.html"; then
		missing+=("$page does not lead to kevent.rst")
	fi
done
printf '%s\n' "${missing[@]}" | sed '/^$/d' >"$logs/missing"
check "pages that are missing" "$logs/missing"

### what they name, and what sources name of them
cd "$TOP"
mapfile -t sources < <(find include kernel net fs tools/lib/kevent -name '*.[ch]' | sort)
python3 - "$tree" Documentation/kevent.rst Documentation/kevent/*.rst "${sources[@]}" \
	tools/testing/selftests/kevent/*.c init/Kconfig.diff README.md >"$logs/links" <<'END'
import os, re, sys
tree, pages = sys.argv[1], sys.argv[2:]
tops = {name for name in os.listdir(tree) if os.path.isdir(f"{tree}/{name}")}
for page in pages:
    for number, line in enumerate(open(page, encoding="utf-8"), 1):
        for path in re.findall(r"(?<![\w/.-])(\w+/[\w./*-]*[\w/])", line):
            if path.split("/")[0] not in tops or "*" in path:
                continue
            if not page.endswith(".rst") and not path.startswith("Documentation/"):
                continue
            if not os.path.exists(f"{tree}/{path}") and not os.path.exists(path):
                print(f"{page}:{number}: there is no {path}")
END
check "links to nowhere" "$logs/links"

### comments
perl "$tree/scripts/kernel-doc" -none -Wall "${sources[@]}" >"$logs/kernel-doc" 2>&1 || true
check "warnings of kernel-doc -Wall" "$logs/kernel-doc"

### pictures
if [[ ${PICTURES:-} ]]; then
	rm -rf "$OUT/docs-pictures"
	mkdir -p "$OUT/docs-pictures"
	for page in "$OUT"/docs/kevent.html "$OUT"/docs/kevent/*.html; do
		# Root has no sandbox.
		logged docs/chromium chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1280,2600 \
			--screenshot="$OUT/docs-pictures/$(basename "$page" .html).png" "file://$page"
	done
fi

printf '%d %d 0\n' $passed $failed >"$logs/counts"
step "documents: $passed passed, $failed failed; build/docs/index.html has them"
((failed == 0))
