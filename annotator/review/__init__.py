"""A page on which people look at their photographs, correct words, and teach them."""
