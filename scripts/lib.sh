# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by ./run and its helpers: where things are, and how to complain.

RDP_TOP="${RDP_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
RDP_BUILD="${RDP_BUILD:-$RDP_TOP/build}"
RDP_CACHE="${RDP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/restricted-dma}"
export RDP_TOP RDP_BUILD RDP_CACHE

# A hook, an alias or 'git rebase -x' would lead git to their repository
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY \
	GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE GIT_PREFIX \
	GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# minutes SECONDS: as a person says it
minutes() {
	printf '%d:%02d min' "$(($1 / 60))" "$(($1 % 60))"
}

# logged NAME COMMAND...: keeps all output in build/logs/NAME.log and shows now
# and then how far it is; on failure shows the end of the log and names it. In
# the folder RDP_PROGRESS, if there is one, ./run sees what goes on; how long it
# took is appended to RDP_PROGRESS.costs.
logged() {
	local name=$1 log="$RDP_BUILD/logs/$1.log" line failed=0
	local start=$SECONDS shown=$SECONDS progress="${RDP_PROGRESS:-}"
	shift
	mkdir -p "${log%/*}"
	"$@" 2>&1 </dev/null | while IFS= read -r line || [[ $line ]]; do
		printf '%s\n' "$line"
		if [[ -t 2 ]]; then
			printf '\r\033[K%s  %s' "$(minutes $((SECONDS - start)))" \
				"${line:0:66}" >&2
		elif ((SECONDS - shown >= 20)); then
			shown=$SECONDS
			line="$(minutes $((SECONDS - start)))  ${line:0:64}"
			printf '  %s\n' "$line" >&2
			[[ ! $progress ]] ||
				echo "$line" >"$progress/$name"
		fi
	done >"$log" || failed=1
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	if [[ $progress ]]; then
		rm -f "$progress/$name"
		echo "$((SECONDS - start)) $name" >>"$progress.costs"
	fi
	((failed)) || return 0
	tail -n 15 "$log" >&2
	die "failed; all of its output is in ${log#"$PWD/"}"
}

# hold NAME [FOLDER]: waits until no other process holds this name in FOLDER, or
# build/, then holds it, as the file descriptor held, until the script ends
hold() {
	local locks="${2:-$RDP_BUILD}/locks"
	mkdir -p "$locks"
	exec {held}>"$locks/$1"
	flock "$held"
}

# apply_series TREE: brings build/TREE to the series; work in it is left alone
apply_series() {
	"$RDP_TOP/scripts/series/series" apply --keep "$1"
}

# worktree TREE FOLDER COMMIT: checks COMMIT of build/TREE out in FOLDER; files
# that do not differ keep their time, so that builds stay incremental
worktree() {
	local tree="$RDP_BUILD/$1" folder=$2 commit owner
	commit=$(git -C "$tree" rev-parse --verify -q "$3^{commit}") ||
		die "build/$1 has no commit '$3': run './run series apply $1'"
	owner=$(git -C "$folder" rev-parse --git-common-dir 2>/dev/null) || true
	[[ $owner -ef $tree/.git ]] || rm -rf "$folder"
	git -C "$tree" worktree prune
	[[ -e $folder ]] ||
		git -C "$tree" worktree add -q --detach "$folder" "$commit"
	git -C "$folder" checkout -q --force --detach "$commit"
}

# set_kbuild_options: sets kbuild_options, what make is given to build a kernel
# for the architecture of use_arch. Nothing of this machine or this minute may
# reach an object file: the compiler cache would never hit.
set_kbuild_options() {
	# shellcheck disable=SC2034 # it is for the caller
	kbuild_options=(ARCH="$kernel_arch" CROSS_COMPILE="$cross"
		CC="ccache ${cross}gcc" KBUILD_BUILD_USER=restricted-dma
		KBUILD_BUILD_HOST=restricted-dma
		KBUILD_BUILD_TIMESTAMP=2000-01-01)
}

# use_arch NAME: sets arch to it, and what scripts/build/arch.conf says of it to
# kernel_arch, cross, kernel_image and debian_arch
use_arch() {
	local line
	line=$(awk -v name="$1" 'NF && $1 == name && !/^#/' \
		"$RDP_TOP/scripts/build/arch.conf")
	[[ $line ]] ||
		die "no architecture is called '$1'; scripts/build/arch.conf lists them"
	# shellcheck disable=SC2034 # they are for the caller
	read -r arch kernel_arch cross kernel_image debian_arch <<<"$line"
	cross=${cross#-}
}

# use_ccache: lets compilers share results between all clones of this project.
# What is new is compiled without a run of the preprocessor before (DEPEND), which
# is a sixth of the processor time.
use_ccache() {
	export CCACHE_DIR="$RDP_CACHE/ccache" CCACHE_BASEDIR="$RDP_BUILD"
	export CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 CCACHE_MAXSIZE=5G
}
