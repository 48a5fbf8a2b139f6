"""SavedModels and `.keras` files, complete in themselves."""
