"""Where exchanges come from, and what they carry from one answer to the next request."""
