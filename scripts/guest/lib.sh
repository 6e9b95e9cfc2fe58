# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the scripts in this folder: where things are, and how to complain.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export RDP_TOP="${RDP_TOP:-${here%/scripts/guest}}"
export RDP_BUILD="${RDP_BUILD:-$RDP_TOP/build}"
export RDP_CACHE="${RDP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/restricted-dma}"
out="$RDP_BUILD/guest"
mkdir -p "$out"

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

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
