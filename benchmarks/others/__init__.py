"""Scripts that measure other schedulers, one each, run in an environment of its own by `python -m benchmarks.peers`.

`python SCRIPT WORK N FOLDER` prints a line of JSON: figure -> value, in the units of trioarm's own benchmark. A script
needs nothing but its library. What it does not say about a kind of work, its library does not do.
"""
