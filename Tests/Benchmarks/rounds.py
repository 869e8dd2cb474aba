"""Alternating rounds: the only figures of a shared machine that mean anything.

A virtual machine swings by 25 % within seconds and its disk stalls for minutes. So the reference
and ours take turns, a short round each, and what counts is the median of the per-round ratios: what
slows both cancels out, and one stall spoils one round. The spread is printed with it, always.
"""

import dataclasses
import statistics

ROUNDS_LEAST = 7
"""Fewer rounds give no median worth printing; one bad round must not be able to move it far."""


@dataclasses.dataclass
class Paired:
    """What the rounds of one comparison measured, in order."""

    reference: list
    ours: list

    @property
    def ratios(self):
        """Ours over the reference, round by round."""
        return [ours / reference for ours, reference in zip(self.ours, self.reference)]

    @property
    def ratio(self):
        """The median of the per-round ratios."""
        return statistics.median(self.ratios)

    @property
    def spread(self):
        """The smallest and the largest per-round ratio."""
        return min(self.ratios), max(self.ratios)


def alternate(reference, ours, count, say=lambda line: None):
    """Runs `reference()` and `ours()` in turn, `count` times; each returns one positive number.

    Whatever has to be warmed up or calibrated is done by the caller before.
    """
    measured = Paired([], [])
    for turn in range(count):
        measured.reference.append(reference())
        measured.ours.append(ours())
        say(
            f"round {turn + 1}/{count}: reference {measured.reference[-1]:,.6g}, "
            f"ours {measured.ours[-1]:,.6g}, ratio {measured.ratios[-1]:.3g}")
    return measured


def percentile(values, share):
    """The smallest value that at least `share` (0..1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1e6) * len(ordered) // 10**6) - 1))]
