"""What must hold: the cases, the small apps they name, and the observer."""
