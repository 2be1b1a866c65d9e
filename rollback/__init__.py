"""Changes a deployment; judges nothing."""
