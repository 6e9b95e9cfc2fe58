# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by ./run and its helpers: where things are, and how to complain.

RDP_TOP="${RDP_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
RDP_BUILD="${RDP_BUILD:-$RDP_TOP/build}"
RDP_CACHE="${RDP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/restricted-dma}"
export RDP_TOP RDP_BUILD RDP_CACHE

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# logged NAME COMMAND...: keeps all output in build/logs/NAME.log and shows now
# and then how far it is; on failure shows the end of the log and names it
logged() {
	local log="$RDP_BUILD/logs/$1.log" line shown=$SECONDS
	shift
	mkdir -p "${log%/*}"
	if "$@" 2>&1 </dev/null | while IFS= read -r line; do
		printf '%s\n' "$line"
		if [[ -t 2 ]]; then
			printf '\r\033[K%s' "${line:0:78}" >&2
		elif ((SECONDS - shown >= 20)); then
			shown=$SECONDS
			printf '  %s\n' "${line:0:76}" >&2
		fi
	done >"$log"; then
		[[ ! -t 2 ]] || printf '\r\033[K' >&2
		return
	fi
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	tail -n 15 "$log" >&2
	die "failed; all of its output is in ${log#"$PWD/"}"
}

# use_arch NAME: sets arch to it, and what scripts/build/arch.conf says of it to
# kernel_arch, cross, kernel_image and debian_arch
use_arch() {
	local line
	line=$(grep "^$1 " "$RDP_TOP/scripts/build/arch.conf") ||
		die "no architecture is called '$1'; scripts/build/arch.conf lists them"
	# shellcheck disable=SC2034 # they are for the caller
	read -r arch kernel_arch cross kernel_image debian_arch <<<"$line"
	cross=${cross#-}
}

# use_ccache: lets compilers share results between all clones of this project
use_ccache() {
	export CCACHE_DIR="$RDP_CACHE/ccache" CCACHE_BASEDIR="$RDP_BUILD"
	export CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=5G
}
