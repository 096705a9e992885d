"""Scheduled arming, the first application of the engine: sites, partitions, panels, verified commands.

The engine knows nothing of this package; it sees handlers, lanes and documents. A node needs only
`installation.Installation` of it.
"""
