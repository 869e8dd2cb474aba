"""DESIGN 7's targets with real processes: bytes, round trips and seconds by number of differences.

`make live` takes 1 M marks and up to 1 M differences; `make test` a hundredth of both.
"""

import random

from planted import delete, fill, linked, repair_at


def test_table(fresh, full, figure, tmp_path):
    """One-sided differences: exactly those are mended, close to the floor."""
    count = 1_000_000 if full else 10_000
    cluster = fresh("--staleness-bound", "5s", "--repair-interval", "0", nodes=3)
    fill(cluster, count, tmp_path)
    victim = cluster.nodes[2]
    steps = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    dice = random.Random(1)
    for wanted in [step for step in steps if step <= count]:
        assert victim.stop() in (0, None)
        assert delete(victim, count=wanted, shuffled=dice) == wanted
        victim.run(wait=False)
        linked(victim, *cluster.nodes[:2])
        code, answer = repair_at(cluster, victim, "--peer", "n1")
        row, = answer["peers"]
        assert code == 0 and row["differences"] == row["pulled"] == wanted, row
        spent = row["bytes_sent"] + row["bytes_received"]
        over = (spent - row["bytes_floor"]) / wanted
        figure(f"{wanted} of {count} missing: {spent} bytes, floor {row['bytes_floor']}, "
               f"ratio {row['ratio']:.3f}, {over:.1f} bytes over each, "
               f"{row['round_trips']} round trips, {row['seconds']:.3f} s")
        assert row["round_trips"] <= 4
        # The other proof that a damaged node needs, so that the next round begins sound.
        assert repair_at(cluster, victim)[0] == 0
