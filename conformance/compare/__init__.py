"""What counts as the same: facts, how they differ, how heavy that is, and who is wrong."""
