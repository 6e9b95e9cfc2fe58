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

# logged NAME COMMAND...: runs quietly; on failure shows the end of its log
logged() {
	local log="$RDP_BUILD/logs/$1.log"
	shift
	mkdir -p "${log%/*}"
	"$@" >"$log" 2>&1 </dev/null || {
		tail -n 15 "$log" >&2
		die "'$1' failed, all of its output is in ${log#"$RDP_TOP/"}"
	}
}
