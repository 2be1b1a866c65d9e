"""What every part of the service shares: configuration, requests and results, errors."""
