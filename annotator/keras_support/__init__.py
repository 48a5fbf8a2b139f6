"""What this package needs of Keras and TensorFlow that they do not offer as such."""
