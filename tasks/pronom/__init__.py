"""Format identification in PRONOM's terms: what a file is, what the answer rests on, and a second opinion.

`siegfried.identify` asks the resident Siegfried for many files at once; `fido.second_opinions` asks FIDO, in a job, for
one; `choose.choose` makes one answer of both and says whether they agree. PRONOM's release is data in each answer.
"""
