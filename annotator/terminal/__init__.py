"""What a person sees of a command: how it starts, and how far it is."""
