"""What people are told after a check: which transitions, in which order, in which words.

    found = chosen(transitions(standing(now, earlier), now), "worse", now)
    message = told(found, now, before=…, link=…)      # None: nothing to tell

Pure: values in, a `Message` out; `audit/notify.py` carries it.
"""

from __future__ import annotations

from audit.telling.choosing import ON, Kind, chosen, kind_of
from audit.telling.message import MOST_LINES, Message, told
from audit.telling.since import standing

__all__ = ["MOST_LINES", "ON", "Kind", "Message", "chosen", "kind_of", "standing", "told"]
