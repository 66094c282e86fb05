"""Certificates for tracking domains: ACME, the vault, renewal and DNS checks move in here.

It imports neither the rewriter nor the tracker, so that either can do without it.
"""
