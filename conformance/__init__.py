"""Who is asked, how, and what counts as the same."""
