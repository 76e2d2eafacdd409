"""The store: an OCFL 1.1 storage root that any OCFL tool can read and check without Perenne.

`ocfl.Store` is the door: it stages the files of a version, commits them, and reads what is there. An object is never
edited; a commit adds one version, whole or not at all, whatever is killed on the way.
"""
