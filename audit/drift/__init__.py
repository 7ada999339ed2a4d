"""A check against an earlier one: what differs, by what kind of difference, causes before what follows from them.

Pure: two `Snapshot`s in, values out.
"""
