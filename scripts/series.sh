#!/usr/bin/env bash
# The overlay as a series of patches that git am applies to the kernel of KSRC:
# build/series/*.patch, the cover letter first.  What is in which patch, and why, is
# said in series/.
#   SIGNED_OFF_BY   "Name <address>", default: who commits here by git
. "$(dirname "$0")/lib.sh"

command -v git >/dev/null || die "git is missing: install the package git"
if [[ ! ${SIGNED_OFF_BY:-} ]]; then
	name=$(git config user.name || true) mail=$(git config user.email || true)
	[[ $name && $mail ]] || die 'who signs the patches off? SIGNED_OFF_BY="Name <address>" says it'
	SIGNED_OFF_BY="$name <$mail>"
fi
export SIGNED_OFF_BY
"$TOP/scripts/packages.sh" build
lock_cache
"$TOP/scripts/source.sh"
"$TOP/scripts/overlay.sh"
tree=$(<"$OUT/source")
python3 "$TOP/scripts/series.py" "$tree" "$tree.state" "$TOP/series" "$OUT/series"
step "git am build/series/*.patch applies them, but for the cover letter, to $(basename "$(dirname "$tree")")"
