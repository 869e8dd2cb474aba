"""What tests with a history do at its end: wait until all nodes are equal, check, print, assert."""

from checker import Checker
from cluster import eventually

# S of the clusters under test: the smallest, so that checks later than durable + S happen.
BOUND = 5


def digests(cluster):
    """The digests of all nodes; one when they hold the same."""
    return {node.status()["marks"]["digest"] for node in cluster.nodes}


def settled(cluster, seconds=30):
    """Waits until all nodes hold the same."""
    eventually(lambda: len(digests(cluster)) == 1, "equal digests", seconds, every=0.1)


def summary(checker):
    """One line: what was acknowledged, what was asked, what failed."""
    return (
        f"{checker.count('optout', '200', 'quorum')} quorum, "
        f"{checker.count('optout', '200', 'local')} local, {checker.count('optout', '503')} 503, "
        f"{checker.count('optout', 'broken')} broken, {checker.count('consent', '200')} consents; "
        f"checks {checker.count('check', 'allow')} allow, {checker.count('check', 'deny')} deny, "
        f"{checker.count('check', 'unknown')} unknown, {checker.count('check', 'broken')} broken")


def checked(history, cluster, bound, figure, **named):
    """Checks a history that has its finals; answers the checker."""
    checker = Checker(
        history.operations, bound, [node.name for node in cluster.nodes], **named)
    found = [str(one) for one in checker.violations()]
    failed = dict(checker.failures())
    figure(f"{summary(checker)}; violations {len(found)}; failed at nodes in service {failed}")
    assert not found, found[:5]
    return checker
