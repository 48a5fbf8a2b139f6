"""File name extensions of the formats that can be read."""

# In the order tried when a list names an image without its extension.
EXTENSIONS = (".jpeg", ".jpg", ".png", ".gif", ".bmp", ".webp")
