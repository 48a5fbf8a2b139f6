"""The report of a scored run: one HTML page that needs nothing beside itself."""
