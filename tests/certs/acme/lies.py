"""What hypothesis has a CA say: bytes, and JSON in the words of ACME."""

import json

from hypothesis import strategies as st

FIELDS = sorted(
    {
        *("status", "authorizations", "finalize", "certificate", "identifier", "challenges"),
        *("type", "url", "token", "error", "detail", "subproblems", "meta", "profiles"),
        *("newNonce", "newAccount", "newOrder", "renewalInfo", "suggestedWindow", "start", "end"),
    }
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["pending", "valid", "ready", "invalid", "http-01", "2027-01-02T04:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
documents = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)
