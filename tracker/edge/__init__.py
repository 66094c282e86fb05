"""The edge: a request comes in, its token is checked, the hit is on disk, the answer goes out."""
