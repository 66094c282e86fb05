"""Fuzzing: pages, messages and tokens, cut up and put together again, for as long as one likes."""
