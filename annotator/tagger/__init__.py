"""Tags of images, from the descriptors of their regions."""
