"""What the predictor says, proved on the lab's real engines: build, push, read the registry, compare.

    python -m tests.lab.matrix              every cell; prints what disagrees, writes .bench/matrix.json
    python -m tests.lab.matrix compare      the cells of the last run, compared again
    python -m tests.lab.matrix record       the same, written to tests/shapes/cells/ for those without a lab

A `Station` is one worker in one state: which client, which buildx, which builders. A cell is one command line there.
Nothing of a state is seen by anybody else on the worker: a session has a mount namespace and a /root of its own.

    stations.py     the states, data only          lines.py    the command lines, data only
    session.py      enters a worker as a station   inside.py   what runs there
    bridge.py       BuildKit of an engine as a remote builder's endpoint
    observe.py      what the registry serves of each cell, and the facts, by the project's own readers
    case.py         an observation as a case       compare.py  predicted against observed     record.py  the case files
"""
