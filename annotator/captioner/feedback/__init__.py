"""The ways in which text steers what a decoder sees: none, drafts, or causally."""
