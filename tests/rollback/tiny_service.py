"""A service small enough to restart in a blink: reads `.env` at its start and answers /health as voice-v2 does.

`STT_PROVIDERS` and `TTS_PROVIDERS` list the providers that it says to use, unless `SETTINGS` names a JSON file of them.

`MODE` in the file: ok; never (does not listen); exit (ends at once); sick (says unhealthy).
With `CODE` it serves the package that is in that folder: its `__version__`, and as its name what it says of itself.
With `CHECKOUT` it serves the revision that the HEAD of this checkout is at.
"""

import socket
import sys
import time

with open(".env", encoding="utf-8") as file:  # noqa: PTH123  (pathlib would double the time to start)
    settings = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
mode = settings.get("MODE", "ok")
print(f"starting in mode {mode}, password {settings.get('DB_PASSWORD')}", file=sys.stderr, flush=True)
if mode == "exit":
    sys.exit("cannot start in this mode")
while mode == "never":
    time.sleep(60)
if "CODE" in settings:
    sys.path.insert(0, settings["CODE"])
    from app.services import voice_v2

    settings |= {"VERSION": voice_v2.__version__, "NAME": voice_v2.NAME}
revision = "a1b2c3d4e5f6a7b8c9d0"
if checkout := settings.get("CHECKOUT"):
    with open(f"{checkout}/.git/HEAD", encoding="utf-8") as file:  # noqa: PTH123  (as above)
        revision = file.read().strip()
    if revision.startswith("ref: "):
        with open(f"{checkout}/.git/{revision[5:]}", encoding="utf-8") as file:  # noqa: PTH123  (as above)
            revision = file.read().strip()
started = f', "started_at": "{settings["STARTED"]}"' if "STARTED" in settings else ""
status = "unhealthy" if mode == "sick" else "healthy"
body = (
    f'{{"system_status": "{status}", "version": "{settings.get("VERSION", "2.3.1")}", '
    f'"revision": "{revision}", "env": "{settings.get("NAME")}"{started}}}'
)
listed = {key: settings.get(f"{key}_PROVIDERS", "").partition("#")[0] for key in ("STT", "TTS")}
turns = {key: [name.strip(" '\"") for name in names.split(",")] for key, names in listed.items()}
if settings.get("SETTINGS"):
    import json

    with open(settings["SETTINGS"], encoding="utf-8") as file:  # noqa: PTH123  (as above)
        mappings = json.load(file)
    turns = {
        key: sorted(
            (n for n in mappings[key] if mappings[key][n]["enabled"]),
            key=lambda n: mappings[key][n]["priority"],
        )
        for key in ("STT", "TTS")
    }
told = ", ".join(
    f'"{name}": {{"stt_priority": {turns["STT"].index(name) + 1}, "tts_priority": {turns["TTS"].index(name) + 1}}}'
    for name in turns["STT"]
    if name and name in turns["TTS"]
)
body = f'{body[:-1]}, "providers": {{{told}}}}}'
head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        channel, _ = server.accept()
        with channel:
            if channel.recv(65536):
                channel.sendall((head + body).encode())
