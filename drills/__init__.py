"""Rehearses: stacks, faults and stand-ins to practise rollback on."""
