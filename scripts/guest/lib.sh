# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the scripts in this folder.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
# What is built is for this architecture
use_arch "${RDP_ARCH:-x86_64}"
out="$RDP_BUILD/guest"
[[ $arch == x86_64 ]] || out+="/$arch"
# What runs in the guest and is no script
names=(pattern kexec xdp-pass)
# shellcheck disable=SC2034 # for those who source this
programs=("${names[@]/#/$out/}")
mkdir -p "$out"

need() {
	local program=$1 package=$2
	command -v "$program" >/dev/null ||
		die "$program is missing: install the Debian package $package"
}

# is_newer TARGET SOURCE...: TARGET exists and no SOURCE changed after it
is_newer() {
	local target=$1 source
	shift
	[[ -e $target ]] || return
	for source; do
		[[ ! $source -nt $target ]] || return
	done
}
