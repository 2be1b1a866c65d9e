"""The shell scripts behind `Host`'s file operations: POSIX shell and coreutils only, one round trip each.

`$1` is the path. Content comes on standard input. A script that fails says why on its last line of stderr and leaves
what was there as it was. `sync FILE` is fsync (coreutils 8.24 and later).
"""

NO_FOLDER = 125
NO_FOLDER_SAYS = b"no such working folder"
TAKEN = 65

IN_FOLDER = f"""
cd -- "$1" 2>/dev/null || {{ echo {NO_FOLDER_SAYS.decode()} >&2; exit {NO_FOLDER}; }}
shift
exec "$@"
"""

# A path that starts with a dash must not be taken for an option, nor one without a slash be left without a folder.
_PLACE = """
case $1 in /*) path=$1;; *) path=./$1;; esac
folder=${path%/*}
[ -n "$folder" ] || folder=/
fail() { printf '%s\\n' "$1" >&2; exit 1; }
"""

# The temporary file is named apart from its destination, whose name may already have the greatest length.
_BESIDE = """
umask 077
beside=
trap '[ -z "$beside" ] || rm -f "$beside"' EXIT
trap 'exit 1' HUP INT TERM
beside=$(mktemp "$folder/.voice-v2-rollback.XXXXXXXX") || exit 1
"""

_REGULAR = """
[ -d "$path" ] && fail "is a folder"
[ -e "$path" ] && [ ! -f "$path" ] && fail "is not a regular file"
"""

FACTS = _PLACE + """stat -c '%f %s %.9Y %.9Z %i %U %G' -- "$path" """

READ = _PLACE + _REGULAR + """head -c "$2" -- "$path" """

SHA256 = _PLACE + _REGULAR + """sha256sum < "$path" """

LIST = (
    _PLACE
    + """
[ -e "$path" ] || [ -L "$path" ] || exit 0
[ -d "$path" ] || fail "is not a folder"
cd "$path" && [ -r . ] || fail "Permission denied"
for name in * .[!.]* ..?*; do
    if [ -e "$name" ] || [ -L "$name" ]; then printf '%s\\0' "$name"; fi
done
"""
)

# The length tells content that arrived whole from what a broken connection cut short.
WRITE = (
    _PLACE
    + _BESIDE
    + """
[ -d "$path" ] && [ ! -L "$path" ] && fail "is a folder"
cat > "$beside" || exit 1
[ "$(wc -c < "$beside")" -eq "$2" ] || fail "the content did not arrive whole"
if [ -f "$path" ] && [ ! -L "$path" ]; then chown --reference="$path" "$beside" || exit 1; fi
chmod "$3" "$beside" && sync "$beside" && mv -fT "$beside" "$path" || exit 1
beside=
sync "$folder"
"""
)

APPEND = (
    _PLACE
    + _REGULAR
    + """
umask 077
IFS= read -r line || fail "the line did not arrive whole"
[ -e "$path" ] && known=yes || known=
torn=
[ -n "$known" ] && [ -n "$(tail -c 1 "$path")" ] && torn='
'
printf '%s%s\\n' "$torn" "$line" | cat >> "$path" && sync "$path" || exit 1
[ -n "$known" ] || sync "$folder"
"""
)

MAKE_FOLDER = (
    _PLACE
    + """
[ -d "$path" ] && exit 0
umask 077
mkdir -p -m "$2" "$path" && sync "$path" "$folder"
"""
)

CLAIM = (
    _PLACE
    + f"""
if mkdir -m 0700 "$path"; then sync "$folder"; exit; fi
if [ -e "$path" ] || [ -L "$path" ]; then exit {TAKEN}; fi
exit 1
"""
)

# A hard link fails where the name is taken: the copy appears whole or not at all, and never over another file.
COPY = (
    _PLACE
    + """
case $2 in /*) source=$2;; *) source=./$2;; esac
[ -f "$source" ] || [ ! -e "$source" ] || fail "$source is not a regular file"
"""
    + _BESIDE
    + """
if [ -e "$path" ] || [ -L "$path" ]; then fail "File exists"; fi
cp -p "$source" "$beside" || exit 1
[ "$(stat -Lc %u:%g "$source")" = "$(stat -c %u:%g "$beside")" ] \\
    || fail "cannot keep the owner: Operation not permitted"
sync "$beside" && ln -T "$beside" "$path" && rm "$beside" || exit 1
beside=
sync "$folder"
"""
)

RENAME = (
    _PLACE
    + """
case $2 in /*) source=$2;; *) source=./$2;; esac
from=${source%/*}
[ -n "$from" ] || from=/
[ "$(stat -c %d "$source")" = "$(stat -c %d "$folder")" ] || fail "not on the same file system, or not there"
mv -fT "$source" "$path" && sync "$folder" "$from"
"""
)

REMOVE = (
    _PLACE
    + """
if [ -d "$path" ] && [ ! -L "$path" ]; then rmdir "$path" || exit 1
elif [ -e "$path" ] || [ -L "$path" ]; then rm -f "$path" || exit 1
else exit 0; fi
sync "$folder"
"""
)
