"""The settings of whitened means, chosen by leave-one-out."""
