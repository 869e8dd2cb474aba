"""What tests with a history do at its end, once all nodes are equal: check, print, assert."""

from checker import Checker

# S of the clusters under test: the smallest, so that checks later than durable + S happen.
BOUND = 5


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
