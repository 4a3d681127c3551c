"""The checks of the doctor: each is one function, and CHECKS is the list of all.

To add one: write a function that takes a Case and yields findings, in the module of its group, and put it into the list
there. Of one subject, the first finding with a cause is told, with the evidence of all: so checks of what arrived stand
before those of counters. A check must change nothing, and say nothing on a host where all is well.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.doctor.case import Check
from l2tpv3.doctor.checks import (
    answers,
    arrived,
    bridge_rules,
    dropped,
    kernel_drops,
    looped,
    noted,
    path,
    silence,
    surroundings,
)

CHECKS: Final[tuple[Check, ...]] = (
    *arrived.CHECKS,
    *looped.CHECKS,
    *answers.CHECKS,
    *path.CHECKS,
    *dropped.CHECKS,
    *kernel_drops.CHECKS,
    *bridge_rules.CHECKS,
    *surroundings.CHECKS,
    *noted.CHECKS,
)
"""What finds causes."""

SYMPTOMS: Final[tuple[Check, ...]] = silence.CHECKS
"""What is asked of a tunnel only where none of CHECKS found why nothing passes."""
