"""The embedded stack: everything that voice-v2 needs, as processes under one supervisord, from nothing but wheels."""
