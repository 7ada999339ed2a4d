"""A check on a schedule: the texts of systemd's units and of a crontab. Pure: values in, texts out."""

from __future__ import annotations

from audit.schedule.crontab import crontab
from audit.schedule.model import BUSY, DEADLINE, FOLDER, GRACE, Schedule, fault_of
from audit.schedule.units import service, timer

__all__ = ["BUSY", "DEADLINE", "FOLDER", "GRACE", "Schedule", "crontab", "fault_of", "service", "timer"]
