"""The detection matrix: every fault against every check, the checks' own mutants, and runs that have to be silent."""
