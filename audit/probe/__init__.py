"""The proof of a prediction: a small image built and pushed on a worker, and what of it arrived.

Pure. `ways` turns a way of building into the words of a command; `script` writes what runs on the worker and what takes
it back, `tar` the contexts that it is sent; `answers` reads back what it printed; `proof` holds all that against the
prediction; `result` has the nouns. The verb of the command line runs the script (`audit.wire`) and asks the registry.
"""

from __future__ import annotations
