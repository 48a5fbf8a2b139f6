"""The networks that write: states and logits, word by word."""
