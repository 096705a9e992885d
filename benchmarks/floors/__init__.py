"""The floors: bare trio doing the least that could work and still be what a benchmark says.

They are fixed. A floor that is made faster or slower moves every ratio ever published; whoever finds a
better one adds it under a new name. None of them imports trioarm, handles an error, or could be used for
anything.
"""
