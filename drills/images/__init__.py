"""The images of the containers stack: what they are called, and how those are built that no registry brings."""
