"""The speech providers, and the chain that asks them in turn."""
