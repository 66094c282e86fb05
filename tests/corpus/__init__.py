"""Pages and messages that others wrote, and what must hold for every one of them."""
