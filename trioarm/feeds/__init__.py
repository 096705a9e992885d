"""Feeds: calendar files and web addresses, read into what triggers know of a calendar.

The engine knows nothing of this package. It decides nothing, and refreshes nothing by itself.
"""
