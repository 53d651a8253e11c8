"""What must be shown, evaluated with reasons, and the limits of what may be signed."""
