"""Whether Python would run, of a package on a host, what its sources say: what it has compiled of them may be older."""

import msgspec

from target.description import Target
from target.errors import HostError
from target.host import Host

_LOOK_S = 60.0

# As the import system decides: what was compiled is used where it names the source's hash, or its time and size, or
# where nobody is to look at the source at all. Where its lines are does not count: a later release of the same Python
# may note that in another way.
_LOOK = """
import importlib.util, json, marshal, os, sys
stale = []
def used(compiled, source, path):
    if compiled[:4] != importlib.util.MAGIC_NUMBER:
        return False
    flags, facts = int.from_bytes(compiled[4:8], "little"), os.stat(path)
    if flags & 0b1:
        return not flags & 0b10 or compiled[8:16] == importlib.util.source_hash(source)
    told = int.from_bytes(compiled[8:12], "little"), int.from_bytes(compiled[12:16], "little")
    return told == (int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size & 0xFFFFFFFF)
ALIKE = ("co_name", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount")
def alike(one, other):
    if not hasattr(one, "co_code") or not hasattr(other, "co_code"):
        return type(one) is type(other) and (one == other or repr(one) == repr(other))
    parts = zip(one.co_consts, other.co_consts)
    equal = all(getattr(one, name) == getattr(other, name) for name in ALIKE)
    return equal and len(one.co_consts) == len(other.co_consts) and all(alike(*part) for part in parts)
def same(compiled, source, path):
    try:
        return alike(marshal.loads(compiled[16:]), compile(source, path, "exec", dont_inherit=True))
    except (EOFError, TypeError, ValueError, SyntaxError):
        return False
for folder, folders, names in os.walk(sys.argv[1]):
    folders[:] = [name for name in folders if name != "__pycache__"]
    for path in (os.path.join(folder, name) for name in names if name.endswith(".py")):
        try:
            with open(importlib.util.cache_from_source(path), "rb") as file:
                compiled = file.read()
        except FileNotFoundError:
            continue
        with open(path, "rb") as file:
            source = file.read()
        if used(compiled, source, path) and not same(compiled, source, path):
            stale.append(path)
            if sys.argv[2:]:
                os.unlink(importlib.util.cache_from_source(path))
print(json.dumps(sorted(stale)))
"""


def stale(host: Host, interpreter: str, folder: str, *, forget: bool = False) -> list[str]:
    """The sources below a folder of which `interpreter` would run something else; `forget` removes what it would run.

    Raises HostError: it cannot tell, or something cannot be removed.
    """
    more = ["forget"] if forget else []
    ran = host.run([interpreter, "-I", "-B", "-c", _LOOK, folder, *more], timeout_s=_LOOK_S)
    try:
        return msgspec.json.decode(ran.stdout, type=list[str])
    except msgspec.DecodeError:
        said = (ran.stderr.strip() or f"status {ran.status}").splitlines()[-1]
        raise HostError(f"{interpreter} on {host.url} cannot tell what it has compiled: {said}") from None


def of_service(target: Target, host: Host, *, forget: bool = False) -> list[str]:
    """`stale` of the service's package; none where the target does not name both code and virtualenv."""
    if target.code is None or target.virtualenv is None:
        return []
    interpreter = f"{target.virtualenv.path.rstrip('/')}/bin/python"
    return stale(host, interpreter, f"{target.code.checkout}/{target.code.package}", forget=forget)
