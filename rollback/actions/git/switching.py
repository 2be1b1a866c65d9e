"""The scripts that change the checkout, each of which may be cut short anywhere and carried out again."""

from rollback.actions.git.scripts import GIT

_CHANGE = (
    GIT
    + r"""
umask "$(printf '%04o' $((0777 & ~0$(stat -c %a .))))"
ref=refs/rollback/$stamp/worktree
saved=$own/before
stock=$top/$own/stock
# Locks that a killed git left: this run's own go, the others are moved aside. One that is being killed takes a moment.
for lock in .git/index.lock .git/HEAD.lock; do
    [ -e "$lock" ] || continue
    tries=0
    while process=$(busy) && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    [ -e "$lock" ] || continue
    [ -z "$process" ] || fail "git is at work in $top, process $process: wait for it to end"
    mv -T -- "$lock" "$lock.failed.$stamp" || exit 1
done
rm -f -- "$stock" "$stock.lock" ".git/refs/heads/rollback-$stamp.lock" ".git/$ref.lock" || exit 1
export GIT_AUTHOR_NAME=rollback GIT_AUTHOR_EMAIL="rollback@$(uname -n)"
export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
# The tree of all that lies here now; its index is $stock from then on.
take_stock() {
    rm -f -- "$stock"
    cp -p -- .git/index "$stock" || exit 1
    GIT_INDEX_FILE=$stock
    export GIT_INDEX_FILE
    g add --update . || fail "what was changed in $top cannot be read"
    others >"$stock.others" || exit 1
    g update-index --add -z --stdin <"$stock.others" || fail "what is untracked in $top cannot be read"
    rm -f -- "$stock.others"
    now=$(g write-tree) || exit 1
}
# Keeps what lies here, where it is neither what was before nor what was switched to.
keep_found() {
    found=$(g commit-tree "$now" -p "$ref" -m "Found in the work tree by rollback $stamp") || exit 1
    g update-ref "refs/rollback/$stamp/$1" "$found" || exit 1
}
touched() { g diff-tree -r -z --no-renames --ignore-submodules=all "$@" --name-only "$was" "$wanted"; }
# Bytecode of a module that is another one now, or gone, must not serve; nor may a package be left of nothing else.
forget_bytecode() {
    touched | grep -z '\.py$' | xargs -0 -r sh -c '
        for name; do
            folder=./${name%/*}
            [ "$folder" != "./$name" ] || folder=.
            base=${name##*/}
            base=${base%.py}
            for old in "$folder/__pycache__/$base".*.pyc "$folder/$base.pyc"; do
                [ ! -f "$old" ] || git -c safe.directory="*" ls-files --error-unmatch -- "$old" >/dev/null 2>&1 ||
                    rm -f -- "$old" || exit 255
            done
            [ ! -d "$folder/__pycache__" ] || rmdir -p -- "$folder/__pycache__" 2>/dev/null
        done
        exit 0' sh
}
# Puts $stock in the place of the index by one rename.
give_index() {
    unset GIT_INDEX_FILE
    ln -- "$1" .git/index.lock || fail "git is at work in $top"
    mv -f -T -- .git/index.lock .git/index || exit 1
}
modules() {
    [ -z "$(g ls-tree -r "$1" | grep -m 1 '^160000 ')" ] || g submodule --quiet update --recursive --force --checkout
}
settle() { sync -f . 2>/dev/null || sync; }
"""
)

# `$5` is the commit that HEAD is at.
KEEP = (
    _CHANGE
    + r"""
if ! g rev-parse -q --verify "$ref^{commit}" >/dev/null; then
    at=$(g rev-parse --verify HEAD) || exit 1
    [ "$at" = "$5" ] || fail "somebody moved HEAD of $top to $at since the preflight; it was left as it is"
    mkdir -p -- "$own" || exit 1
    cp -p -- .git/index "$own/index.part" && mv -f -T -- "$own/index.part" "$own/index" || exit 1
    take_stock
    cp -p -- "$own/index" "$stock.index" || exit 1
    staged=$(GIT_INDEX_FILE=$stock.index g write-tree) || exit 1
    rm -f -- "$stock.index"
    staged=$(g commit-tree "$staged" -p HEAD -m "Index before rollback $stamp") || exit 1
    kept=$(g commit-tree "$now" -p HEAD -p "$staged" -m "Work tree before rollback $stamp") || exit 1
    settle
    g update-ref "$ref" "$kept" || exit 1
fi
g diff-tree -r -z --no-renames --name-only "$5" "$ref" | tr -cd '\0' | wc -c
"""
)

# `$5` is the commit to go to, `$6` the branch for it, `$7` whether an earlier attempt may have been cut short.
SWITCH = (
    _CHANGE
    + r"""
was=$(g rev-parse --verify "$ref^{tree}") || exit 1
wanted=$(g rev-parse --verify "$5^{tree}") || exit 1
take_stock
if [ "$now" != "$wanted" ]; then
    how=-m
    if [ "$now" != "$was" ]; then
        [ -n "$7" ] && [ -d "$saved" ] ||
            fail "something in $top was changed by somebody since it was kept; it was left as it is"
        keep_found found
        how=--reset
    fi
    if [ ! -d "$saved" ]; then
        rm -rf -- "$saved.part"
        mkdir -- "$saved.part" || exit 1
        touched --diff-filter=MDT >"$stock.touched" || exit 1
        xargs -0 -r cp -al --parents -t "$saved.part" -- <"$stock.touched" 2>/dev/null ||
            { rm -rf -- "$saved.part" && mkdir -- "$saved.part" &&
              xargs -0 -r cp -a --parents -t "$saved.part" -- <"$stock.touched"; } || exit 1
        rm -f -- "$stock.touched"
        mv -T -- "$saved.part" "$saved" || exit 1
    fi
    g update-index -q --refresh  # a link more is a change of the file's facts
    if [ "$how" = -m ]; then g read-tree -m -u "$was" "$wanted"; else g read-tree --reset -u "$wanted"; fi || exit 1
    # git does not fail where it may not remove a file
    others | xargs -0 -r sh -c 'for name; do git -c safe.directory="*" cat-file -e "$0:$name" 2>/dev/null &&
        printf "%s cannot be removed\n" "$name" >&2 && exit 255; done; exit 0' "$was" || exit 1
    forget_bytecode
fi
# What is rewritten keeps the permissions and the group of the file that was there.
[ ! -d "$saved" ] || (
    plain=$(printf '%o' $((0666 & ~0$(umask)))) programs=$(printf '%o' $((0777 & ~0$(umask))))
    cd -- "$saved" &&
    find . -type f '(' ! -perm "$plain" ! -perm "$programs" -o ! -group "$(stat -c %G "$top")" ')' -print0 |
    xargs -0 -r sh -c 'top=$1; shift; for name; do
        new=$top/$name
        [ -f "$new" ] && [ ! -L "$new" ] || continue
        chgrp --reference="$name" -- "$new" || exit 255
        if [ -x "$name" ]; then [ -x "$new" ] || continue; else [ ! -x "$new" ] || continue; fi
        chmod --reference="$name" -- "$new" || exit 255
    done' sh "$top"
) || exit 1
g update-index -q --refresh
settle
g update-ref -m "rollback $stamp" "refs/heads/$6" "$5" || exit 1
give_index "$stock"
g symbolic-ref -m "rollback $stamp" HEAD "refs/heads/$6" || exit 1
modules "$5" || exit 1
rm -f -- "$stock"
settle
"""
)

# `$5` is the commit that was gone to, `$6` the branch for it, `$7` the commit and `$8` the branch of before (or empty).
BACK = (
    _CHANGE
    + r"""
commit=$5 branch=$6 before=$7 symbolic=$8
shift 8
if ! g rev-parse -q --verify "$ref^{commit}" >/dev/null; then
    rm -rf -- "$own"
    exit
fi
is_before() { [ "$(g symbolic-ref -q HEAD)" = "$symbolic" ] && [ "$(g rev-parse -q --verify HEAD)" = "$before" ]; }
[ -d "$own" ] || ! is_before || exit 0  # all was back before this was cut short
mkdir -p -- "$own"
was=$(g rev-parse --verify "$ref^{tree}") || exit 1
wanted=$(g rev-parse --verify "$commit^{tree}") || exit 1
take_stock
[ "$now" = "$was" ] || [ "$now" = "$wanted" ] || { keep_found undone && echo "refs/rollback/$stamp/undone"; } || exit 1
if [ "$now" != "$was" ] || [ -d "$saved" ]; then
    g read-tree --reset -u "$was" || exit 1
    forget_bytecode
    [ ! -d "$saved" ] || (
        cd -- "$saved" || exit 1
        give_back() { find . ! -type d -print0 | xargs -0 -r cp "$1" --remove-destination --parents -t "$top" --; }
        give_back -al 2>/dev/null || give_back -a
    ) || exit 1
fi
g update-index -q --refresh
settle
if [ -f "$own/index" ]; then
    cp -p -- "$own/index" "$stock.index" || exit 1
else
    GIT_INDEX_FILE=$stock.index g read-tree "$ref^2" || exit 1
fi
cmp -s "$stock.index" .git/index || give_index "$stock.index"
unset GIT_INDEX_FILE
if is_before; then :
elif [ -n "$symbolic" ]; then g symbolic-ref -m "rollback $stamp undone" HEAD "$symbolic" || exit 1
else g update-ref --no-deref -m "rollback $stamp undone" HEAD "$before" || exit 1; fi
[ "$(g rev-parse -q --verify "refs/heads/$branch")" != "$commit" ] ||
    g update-ref -d "refs/heads/$branch" "$commit" || exit 1
modules "$ref" || exit 1
while [ $# -gt 1 ]; do
    [ "$(g -C "$1" rev-parse -q --verify "$2")" != "$(g -C "$1" rev-parse HEAD)" ] ||
        g -C "$1" symbolic-ref HEAD "$2" || exit 1
    shift 2
done
rm -rf -- "$own"
settle
"""
)
