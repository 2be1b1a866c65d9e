"""Stand-ins for OpenAI, Google and Yandex speech: real wire formats, no real cloud."""
