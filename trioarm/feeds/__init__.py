"""Feeds: calendar files and web addresses, read into what triggers know of a calendar, and kept up to date.

The engine knows nothing of this package.
"""
