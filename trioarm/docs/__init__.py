"""Documentation that ships with the package."""
