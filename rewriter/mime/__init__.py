"""Messages: what may change in mail, by offset, and how it is put back."""
