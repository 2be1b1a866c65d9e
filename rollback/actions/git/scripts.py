r"""What is done in the checkout, as shell scripts: POSIX shell, git 2.20 or newer, GNU coreutils; a round trip each.

`$1` is the checkout, `$2` the run's stamp (empty for a look), `$3` and `$4` patterns of files that are never put into
git's objects, beside `.env` and `.env.*`; what a script needs more comes after. A script that fails says why on its
last line of stderr. Names of files end with NUL on their way, since they may hold anything else.

Where things lie: `refs/rollback/<stamp>/worktree` is a commit of everything that was in the work tree, with the index
of then as its second parent. `.git/rollback-<stamp>/` holds the index file of then and, in `before/`, every file that
the switch replaced or removed, as a hard link to the very file: content, mode, owner and time come back with it.
"""

# The owner of the checkout is who may write there; root becomes that user, so that no file changes owner.
AS_OWNER = r"""
script=$1
shift
owner=$(stat -L -c %u -- "$1" 2>/dev/null) || owner=$(id -u)
if [ "$(id -u)" -ne 0 ] || [ "$owner" -eq 0 ]; then exec sh -c "$script" sh "$@"; fi
command -v setpriv >/dev/null || { echo "setpriv (util-linux) is not there to act as the owner of $1" >&2; exit 1; }
entry=$(getent passwd "$owner")
home=${entry%:*}
groups=--init-groups
[ -n "$entry" ] || { home=/nonexistent groups=--clear-groups; }
HOME=${home##*:}
export HOME
exec setpriv --reuid "$owner" --regid "$(stat -L -c %g -- "$1")" "$groups" -- sh -c "$script" sh "$@"
"""

# Hooks of the repository are somebody's programs, and nobody asked for them; nor may git ask for a password.
GIT = r"""
fail() { printf '%s\n' "$1" >&2; exit 1; }
export LC_ALL=C GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=true SSH_ASKPASS=true
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_NAMESPACE
cd -- "$1" 2>/dev/null || fail "cannot enter the folder $1"
top=$(pwd -P)
stamp=$2 secret_1=$3 secret_2=$4
own=.git/rollback-$stamp
g() {
    git -c safe.directory='*' -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 \
        -c maintenance.auto=false -c core.quotePath=false -c push.followTags=false "$@"
}
others() {
    g ls-files -z --others --exclude-standard -x .env -x '.env.*' -x "$secret_1" -x "$secret_2"
}
# A process of git that is at work in this checkout; one whose folder cannot be seen counts.
busy() {
    for process in /proc/[0-9]*; do
        name=
        { read -r name <"$process/comm"; } 2>/dev/null
        case $name in git|git-*) ;; *) continue;; esac
        { read -r line <"$process/stat"; } 2>/dev/null || continue
        case $line in *') Z '*) continue;; esac
        where=$(readlink "$process/cwd")
        case ${where:-$top}/ in "$top"/*) echo "${process#/proc/}"; return;; esac
    done
    return 1
}
"""

# Sections, each begun by RS and its name; the one with names of files comes last.
LOOK = (
    GIT
    + r"""
want=$5 remote=$6 requirements=$7
section() { printf '\036%s\n' "$1"; }
section git; git --version 2>/dev/null
section kind
if [ -L .git ] || [ -d .git ]; then echo folder; elif [ -e .git ]; then echo file
elif [ -d objects ] && [ -f HEAD ]; then echo bare; else echo none; fi
section user; id -un; stat -c '%U' .; id -u; stat -c '%u' .
[ -d .git ] && [ -n "$(git --version 2>/dev/null)" ] || exit 0
section busy
for sign in MERGE_HEAD:merge rebase-merge:rebase rebase-apply:rebase CHERRY_PICK_HEAD:cherry-pick \
    REVERT_HEAD:revert BISECT_LOG:bisect; do
    [ ! -e ".git/${sign%%:*}" ] || echo "${sign#*:}"
done
section locks
for lock in .git/index.lock .git/HEAD.lock; do
    [ ! -e "$lock" ] || echo "$lock $(busy)"
done
section settings
[ "$(g config --bool core.sparseCheckout)" != true ] || echo sparse
[ ! -f .git/shallow ] || echo shallow
[ -z "$(g config --get-regexp '^remote\..*\.promisor$')" ] || echo partial
[ -z "$(g config "remote.$remote.url")" ] || echo remote
[ -w .git ] && [ -w .git/objects ] && [ -w .git/refs ] && [ -w . ] || echo unwritable
section head; g symbolic-ref -q HEAD || echo; g rev-parse -q --verify HEAD || echo
section changed
{ g ls-files -z | xargs -0 -r stat -c %.9Z -- 2>/dev/null; stat -c %.9Z .git/HEAD; } | sort -n | tail -n 1
section owners
g ls-files -z | xargs -0 -r stat --printf '%U %n\0' -- 2>/dev/null | grep -z -m 1 -v "^$(stat -c %U .) " | tr -d '\0'
section free; df -Pk . | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4
commit=$(g rev-parse -q --verify "$want^{commit}" 2>/dev/null)
section commit; echo "$commit"
missing=
[ -z "$commit" ] ||
    missing=$(g rev-list --objects --no-walk --missing=print "$commit" 2>&1 | grep -E '^(\?|fatal|error)')
section missing; printf '%s\n' "$missing" | head -n 3
if [ -n "$commit" ] && [ -z "$missing" ]; then
    section sizes
    g diff-tree -r --no-renames HEAD "$commit" | cut -d ' ' -f 4 | sort -u |
        g cat-file --batch-check='%(objectsize)' | grep -E '^[0-9]+$'
    section secrets
    for secret in "$secret_1" "$secret_2" /.env; do
        wanted=$(g ls-tree "$commit" -- "${secret#/}" | cut -d ' ' -f 3 | cut -f 1)
        now=$(g ls-files -s -- "${secret#/}" | cut -d ' ' -f 2)
        [ "${wanted:-none}" = "${now:-none}" ] || echo "${secret#/}"
    done
    section way
    {
        g diff-tree -r -z --no-renames --diff-filter=A --name-only HEAD "$commit" | g check-ignore -z --stdin
        g diff-tree -r -z --no-renames --diff-filter=A --name-only HEAD "$commit" | grep -zE '(^|/)\.env(\.[^/]*)?$'
    } | xargs -0 -r sh -c 'for name; do [ ! -e "$name" ] && [ ! -L "$name" ] || printf "%s\n" "$name"; done' sh
    section modules
    g ls-tree -r "$commit" | sed -n 's/^160000 commit \([0-9a-f]*\)./\1 /p' | while read -r sha path; do
        state=absent
        [ -z "$(g ls-files -s -- "$path")" ] || state=left
        branch=
        if [ -e "$path/.git" ]; then
            state=lacks
            ! g -C "$path" cat-file -e "$sha^{commit}" 2>/dev/null || state=here
            branch=$(g -C "$path" symbolic-ref -q HEAD)
        fi
        printf '%s %s %s\n' "$state" "${branch:--}" "$path"
    done
    g ls-files -s | sed -n 's/^160000 [0-9a-f]* [0-9]*.//p' | while read -r path; do
        [ ! -e "$path/.git" ] || [ "$(g ls-tree "$commit" -- "$path" | cut -c 1-6)" = 160000 ] ||
            printf 'gone - %s\n' "$path"
    done
    section lfs
    if g grep -q 'filter=lfs' "$commit" -- ':(glob)**/.gitattributes' 2>/dev/null; then
        echo used
        [ -z "$(g config filter.lfs.process)$(g config filter.lfs.smudge)" ] || ! g lfs version >/dev/null 2>&1 ||
            echo ready
        g grep -h -e '^oid sha256:[0-9a-f]*$' "$commit" | cut -d : -f 2 | sort -u | while read -r oid; do
            rest=${oid#????}
            place=${oid%"$rest"}
            [ -e ".git/lfs/objects/${place%??}/${place#??}/$oid" ] || echo "lacks $oid"
        done | head -n 3
    fi
    section requirements; cat -- "$requirements" 2>/dev/null
    section 'requirements then'; g cat-file blob "$commit:$requirements" 2>/dev/null
fi
section status
g status --porcelain=v2 -z --untracked-files=all --ignore-submodules=none --no-renames
"""
)

COMMITS = (
    GIT
    + r"""
[ -d .git ] || exit 1
shift 4
for wanted in HEAD "$@"; do g rev-parse -q --verify "$wanted^{commit}" || echo; done
"""
)

CHANGED = (
    GIT
    + r"""
{ g ls-files -z | xargs -0 -r stat -c %.9Z -- 2>/dev/null; stat -c %.9Z .git/HEAD; } | sort -n | tail -n 1
"""
)

STATUS = (
    GIT
    + r"""
g symbolic-ref -q HEAD || echo
g rev-parse -q --verify HEAD || echo
g rev-parse -q --verify "refs/rollback/$stamp/worktree" || echo
g rev-parse -q --verify "$5" || echo
g status --porcelain=v2 -z --untracked-files=all --ignore-submodules=none --no-renames
"""
)

_REMOTE = (
    GIT
    + r"""
ssh=$(g config core.sshCommand) || ssh=ssh
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-$ssh} -o BatchMode=yes -o ConnectTimeout=10"
remote=$5
"""
)

# Objects only: no ref is written, and no FETCH_HEAD where git knows how (2.29). A server may refuse to give a commit by
# its name; then everything that has a name there is fetched. `$6` is the commit, tag or branch.
FETCH = (
    _REMOTE
    + r"""
want=$6
quiet=
! git fetch -h 2>&1 | grep -q 'write-fetch-head' || quiet=--no-write-fetch-head
# $1 repository, $2 remote, $3 commit, $4 options
obtain() {
    g -C "$1" cat-file -e "$3^{commit}" 2>/dev/null && return
    g -C "$1" fetch --quiet --no-tags --no-recurse-submodules $quiet $4 "$2" "$3" 2>/dev/null && return
    g -C "$1" fetch --quiet --no-tags --no-recurse-submodules $quiet ${4:+--unshallow} "$2" \
        $(g -C "$1" ls-remote -q --heads --tags --refs "$2" | cut -f 2)
}
depth=
[ ! -f .git/shallow ] || depth=--depth=1
commit=$want
if ! g rev-parse -q --verify "$want^{commit}" >/dev/null; then
    names=$(g ls-remote -q --heads --tags "$remote") || exit 1
    named=$(printf '%s\n' "$names" | grep -E "	refs/(heads|tags)/$want(\^\{\})?\$" | tail -n 1 | cut -f 1)
    commit=${named:-$want}
    obtain . "$remote" "$commit" "$depth" || exit 1
fi
commit=$(g rev-parse -q --verify "$commit^{commit}") || fail "$remote has no $want"
missing=$(g rev-list --objects --no-walk --missing=print "$commit" | sed -n 's/^?//p')
[ -z "$missing" ] || g -c fetch.negotiationAlgorithm=noop fetch --quiet --no-tags --no-recurse-submodules $quiet \
    ${7:+--filter=blob:none} "$remote" $missing || exit 1
g ls-tree -r "$commit" | sed -n 's/^160000 commit \([0-9a-f]*\)./\1 /p' | while read -r sha path; do
    [ ! -e "$path/.git" ] || obtain "$path" origin "$sha" "" || exit 1
done || exit 1
if g grep -q 'filter=lfs' "$commit" -- ':(glob)**/.gitattributes' 2>/dev/null && g lfs version >/dev/null 2>&1; then
    g lfs fetch "$remote" "$commit" >/dev/null || exit 1
fi
echo "$commit"
"""
)

# `$6` is the branch, `$7` the commit; `--dry-run` in `$8` asks only whether one may.
PUSH = (
    _REMOTE
    + r"""
[ "$(g ls-remote -q "$remote" "refs/heads/$6" | cut -f 1)" != "$7" ] || exit 0
g push --quiet --no-verify --recurse-submodules=no --force-with-lease="refs/heads/$6:" $8 "$remote" "$7:refs/heads/$6"
"""
)

PUSHED = (
    _REMOTE
    + r"""
there=$(g ls-remote -q "$remote" "refs/heads/$6") || exit 1
case $there in "$7"*) ;; *) fail "it has ${there:-no such branch}";; esac
"""
)

# Only where it still is what was pushed.
UNPUSH = (
    _REMOTE
    + r"""
there=$(g ls-remote -q "$remote" "refs/heads/$6") || exit 1
[ -n "$there" ] || exit 0
g push --quiet --no-verify --recurse-submodules=no --force-with-lease="refs/heads/$6:$7" "$remote" ":refs/heads/$6"
"""
)

DEPLOY = r"""
cd -- "$1" || exit 1
exec sh -c "$3" 2>&1 </dev/null
"""
