# shellcheck shell=bash
# Sourced: an apt of our own in the cache, with the sources of the system's, which is
# only read.  Nothing is installed.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
apt=$CACHE/integrations/apt

command -v apt-get >/dev/null || die "integrations take programs from Debian packages: no apt-get here"

# use_apt: apt-get is ours from here on
use_apt()
{
	local file
	rm -rf "$apt"
	mkdir -p "$apt"/{etc/apt.conf.d,etc/preferences.d,etc/sources.list.d,state/lists/partial,cache/archives/partial}
	: >"$apt/status"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ ! -f $file ]] || sed -nE 'p; s/^deb /deb-src /p' "$file" >"$apt/etc/sources.list.d/$(basename "${file%.list}").list"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ ! -f $file ]] || sed -E 's/^Types:.*/Types: deb deb-src/' "$file" >"$apt/etc/sources.list.d/$(basename "$file")"
	done
	cat >"$apt/config" <<-END
		Dir::Etc "$apt/etc";
		Dir::Etc::Trusted "/etc/apt/trusted.gpg";
		Dir::Etc::TrustedParts "/etc/apt/trusted.gpg.d";
		Dir::State "$apt/state";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
	END
	export APT_CONFIG=$apt/config
	apt-get -q update
}
