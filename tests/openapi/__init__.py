"""The API held to its own description: `python -m tests.openapi`, and `test_openapi.py`."""
