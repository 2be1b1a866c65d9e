"""How a dump on the host is read: scripts for a POSIX shell with awk and gzip, one round trip each.

Whatever the dump is, it is read as the text that pg_dump writes, a section at a time; nothing of that text is ever
handed to psql, which gets the rows of one table alone, as the input of a COPY.
"""

# Size, mtime, hash, whether it is packed, and the first bytes of what is inside, in hexadecimal.
LOOK = r"""
file=$1
[ -f "$file" ] || { echo "not a file" >&2; exit 1; }
stat -Lc '%s %.9Y' -- "$file" && sha256sum < "$file" | cut -c 1-64 || exit 1
case $(head -c 2 < "$file" | od -An -tx1 | tr -d ' \n') in
1f8b) echo packed; gzip -dc < "$file" 2>/dev/null | head -c 400 | od -An -v -tx1 | tr -d ' \n';;
*) echo plain; head -c 400 < "$file" | od -An -v -tx1 | tr -d ' \n';;
esac
"""

# `source_of`: the text of a dump on stdout. $kind custom or plain, $packed packed or plain, $restore the program, $data
# the table whose rows are wanted beside those of `alembic_version` ("schema name").
_SOURCE = r"""
unpacked() { if [ "$packed" = packed ]; then gzip -dc < "$file"; else cat < "$file"; fi; }
source_of() {
    if [ "$kind" = plain ]; then unpacked; return; fi
    unpacked | "$restore" -l > "$work/all" || return
    LC_ALL=C awk -v data="$data" '
        / TABLE DATA / {
            split($0, part, " TABLE DATA ")
            if (index(part[2], data " ") != 1 && part[2] !~ /^[^ ]+ alembic_version /) next
        }
        { print }' "$work/all" > "$work/list" || return
    unpacked | "$restore" -L "$work/list" -f -
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
"""

# Sections with their bodies, of the types that make a table; of the others the header alone. For each COPY its line,
# the rows of `alembic_version`, and how many rows and bytes there were. What is printed starts with one of these:
# H header, B body, C copy, R row of alembic_version, N rows and bytes, V comment with a version, E encoding,
# M foreign meta-command, I a statement INSERT, Z the end: complete or not.
_READ_AWK = r"""
BEGIN { copying = 0; complete = 0; kept = 0; before = "" }
copying {
    if ($0 == "\\.") { copying = 0; printf "N%d %.0f\n", rows, bytes; next }
    rows++; bytes += length($0) + 1
    if (version) print "R" $0
    next
}
/^-- (Data for )?Name: .*; Type: [A-Z ]+; Schema: .*; Owner: / && before == "--" {
    print "H" $0
    match($0, /; Type: [A-Z ]+; Schema: /)
    type = substr($0, RSTART + 8, RLENGTH - 18)
    kept = type ~ /^(TABLE|SEQUENCE|SEQUENCE OWNED BY|DEFAULT|CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|INDEX|ACL)$/
    before = $0
    complete = 0
    next
}
{ before = $0 }
/^-- Dumped (from database|by pg_dump) version / { print "V" $0; next }
/^SET client_encoding = '[A-Za-z0-9_]+';/ { print "E" $0; next }
/^-- PostgreSQL database dump complete/ { complete = 1; kept = 0; next }
/^\\(un)?restrict / { next }
/^\\/ { print "M" $0; next }
type == "TABLE DATA" && /^COPY .* FROM stdin;$/ {
    copying = 1; rows = 0; bytes = 0
    version = $2 ~ /(^|\.)alembic_version$/
    print "C" $0
    next
}
type == "TABLE DATA" && /^INSERT INTO / { if (!told) print "I" $0; told = 1; next }
kept { print "B" $0 }
END { print "Z" (complete && !copying) }
"""

READ = (
    r"""kind=$1 packed=$2 file=$3 restore=$4 data=$5"""
    + _SOURCE
    + r"""
if [ "$packed" = packed ]; then gzip -t < "$file" || exit 3; fi
{ source_of 2> "$work/said"; echo $? > "$work/status"; } | LC_ALL=C awk '"""
    + _READ_AWK.replace("'", "'\\''")
    + r"""' || exit 1
[ "$(cat "$work/status")" = 0 ] || { tail -n 3 "$work/said" >&2; exit 3; }
"""
)

_ROWS_AWK = r"""
copying { if ($0 == "\\.") { done = 1; exit } print; next }
$0 == wanted { copying = 1 }
END { exit !done }
"""

# The rows of the one COPY whose line is $6, into the table $8 of the service $7; stdin is the service file. The file is
# hashed again: it has to be the one that was looked at ($9).
LOAD = (
    r"""kind=$1 packed=$2 file=$3 restore=$4 data=$5 line=$6 psql=$7 copy=$8 hash=$9"""
    + _SOURCE
    + r"""
umask 077
cat > "$work/service" || exit 1
[ "$(sha256sum < "$file" | cut -c 1-64)" = "$hash" ] || { echo "the file was changed meanwhile" >&2; exit 4; }
{ { source_of 2> "$work/said"; echo $? > "$work/status"; } |
    { LC_ALL=C awk -v wanted="$line" '"""
    + _ROWS_AWK
    + r"""'; echo $? > "$work/found"; } |
    PGSERVICEFILE="$work/service" "$psql" -X -q -v ON_ERROR_STOP=1 -d service=rollback -c "$copy" \
        > /dev/null 2> "$work/refused"; } || {
    head -n 1 "$work/refused" >&2; exit 5; }
[ "$(cat "$work/found")" = 0 ] || { echo "its rows end before their end mark" >&2; exit 3; }
"""
)

# pg_dump ($1) of what $3… says into the file $2, fsynced; stdin is the service file.
DUMP = r"""
dump=$1 file=$2; shift 2
umask 077
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cat > "$work/service" || exit 1
PGSERVICEFILE="$work/service" "$dump" -d service=rollback -Fc --lock-wait-timeout=10s -f "$file" "$@" || exit 1
chmod 600 "$file" && sync "$file"
"""

VERSIONS = r"""
for program; do
    version=$("$program" --version 2>/dev/null) && printf '%s\n' "$version" || echo
done
"""
