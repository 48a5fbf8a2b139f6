"""A library of photographs: what is known of them and what a person said of them."""
