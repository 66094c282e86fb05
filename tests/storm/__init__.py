"""Storms: a real `tracker serve` over TCP that is hit where it hurts while people click.

After each of them the books must balance: what was answered is in the store exactly once, or, where
the failure policy says so, counted as lost.
"""
