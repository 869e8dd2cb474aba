"""Deploy/monitoring: rules that hold, and no metric without its alert or its reason.

promtool checks and unit-tests the rules; the table of the README is compared with the rules and
with what a live node really exports, so that no metric is forgotten or misspelt unseen.
"""

import re
import shutil
import subprocess

import pytest
import yaml

from cluster import ROOT, call

FOLDER = ROOT / "Deploy" / "monitoring"
PARTS = re.compile(r"_(bucket|sum|count)$")


def promtool(*arguments):
    """Runs promtool in the folder; it must succeed."""
    assert shutil.which("promtool"), "promtool is missing; run Scripts/setup.sh"
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=120,
        check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def alerts():
    """Every alert by name."""
    rules = [
        rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]]
    found = {rule["alert"]: rule for rule in rules}
    assert len(found) == len(rules) >= 20, "an alert's name stands once"
    return found


@pytest.fixture(scope="module")
def table():
    """The README's rows: metric -> what its last column says."""
    found = {}
    for line in (FOLDER / "README.md").read_text().splitlines():
        if line.startswith("| `quell_"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            name = cells[0].strip("`")
            assert len(cells) == 3 and all(cells) and name not in found, line
            found[name] = cells[2].rstrip("|").strip()
    return found


@pytest.fixture(scope="module")
def exported(cluster, node):
    """The names that a live node exports, by their TYPE lines, and the same by its samples."""
    text = call(node.admin, "GET", "/metrics").text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = re.match(r"[a-z0-9_]+", line)[0]
            assert name in types or types.get(PARTS.sub("", name)) == "histogram", line
    return set(types)


def test_rules_are_valid():
    """Prometheus accepts every rule."""
    assert "SUCCESS" in promtool("check", "rules", "alerts.yml")


def test_rules_fire_when_they_must():
    """What must fire does, and what must not does not (alerts_test.yml)."""
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_node_page_is_prometheus_text(node):
    """promtool reads a live page; words of taste (HELP texts, names of units) it may say."""
    page = call(node.admin, "GET", "/metrics").body
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 3) and b"parsing" not in done.stderr, done.stderr


def test_every_metric_has_an_alert_or_a_reason(exported, table, alerts):
    """Exported, explained, and watched by an alert that really reads it, or none with a reason."""
    assert len(exported) >= 20 and exported == set(table)
    for name, says in table.items():
        named = re.findall(r"`(Quell\w+)`", says)
        if says.startswith("none"):
            assert len(says.partition(":")[2]) > 5, f"{name}: no reason"
        else:
            assert named, f"{name}: neither an alert nor a reason"
        for alert in named:
            assert alert in alerts, f"{name}: no alert {alert}"
            if not says.startswith("none") and alert == named[0]:
                assert name in alerts[alert]["expr"], f"{alert} does not read {name}"


def test_every_alert_reads_what_exists_and_is_listed(exported, alerts):
    """No alert on a metric that no node exports; each alert stands in the README."""
    readme = (FOLDER / "README.md").read_text()
    for name, rule in alerts.items():
        read = {PARTS.sub("", metric) for metric in re.findall(r"quell_\w+", rule["expr"])}
        assert read <= exported and (read or "up{" in rule["expr"]), f"{name} reads {read}"
        assert f"`{name}`" in readme, f"{name} is not in the README"


def test_every_alert_tells_what_to_do(alerts):
    """A severity somebody can act on, a summary, a description with the first command."""
    for name, rule in alerts.items():
        assert re.fullmatch(r"Quell[A-Z]\w+", name)
        assert rule["labels"]["severity"] in ("page", "ticket"), name
        notes = rule["annotations"]
        assert notes["summary"] and len(notes["summary"]) < 120, name
        assert re.search(r"First: `[^`]+`", notes["description"]), f"{name}: no first command"
