#!/usr/bin/env bash
# disks.sh: an empty file system of each kind that the selftests send files from, in
# build/disks/NAME.  boot.sh shows them to the guest as virtio disks with that serial
# number, and throws away what is written there.
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

disks=$OUT/disks
stamp=$(digest "$TOP/scripts/disks.sh")
if [[ -f $disks/stamp && $(<"$disks/stamp") = "$stamp" ]]; then exit 0; fi
rm -rf "$disks"
mkdir -p "$disks"

# make NAME SIZE COMMAND...: as small as the file system may be, and sparse
make_disk()
{
	local image=$disks/$1
	truncate -s "$2" "$image"
	shift 2
	logged "disks/$(basename "$image")" "$@" "$image"
}

step "file systems for the selftests"
make_disk ext4 64M mkfs.ext4 -q -F
# The same once more: boot.sh lets the guest have few requests of it per second.
make_disk slow 64M mkfs.ext4 -q -F
make_disk xfs 300M mkfs.xfs -q -f
make_disk btrfs 128M mkfs.btrfs -q -f
make_disk f2fs 128M mkfs.f2fs -q -f
printf '%s\n' "$stamp" >"$disks/stamp"
