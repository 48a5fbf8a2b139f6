"""Taggers that keep the vectors of all training images: JEC, 2PKNN and MBRM."""
