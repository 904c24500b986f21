"""Pictures for chat backends: whether a message asks for one, and the picture."""
