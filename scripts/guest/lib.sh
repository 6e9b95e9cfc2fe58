# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the scripts in this folder

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
# The architecture to build for
use_arch "${RDP_ARCH:-x86_64}"
out="$RDP_BUILD/guest"
[[ $arch == x86_64 ]] || out+="/$arch"
# The compiled programs of the guest
names=(pattern kexec xdp-pass)
# shellcheck disable=SC2034 # used by scripts that source this
programs=("${names[@]/#/$out/}")
mkdir -p "$out"

# need PROGRAM PACKAGE: fails unless the program is installed
need() {
	local program=$1 package=$2
	command -v "$program" >/dev/null ||
		die "$program is missing: install the Debian package $package"
}

# is_newer TARGET SOURCE...: whether TARGET exists and no SOURCE changed since
is_newer() {
	local target=$1 source
	shift
	[[ -e $target ]] || return
	for source; do
		[[ ! $source -nt $target ]] || return
	done
}
