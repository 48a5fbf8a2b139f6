"""The version of the package; its metadata take it from here."""

VERSION = "0.2.0"
