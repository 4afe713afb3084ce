"""Reads two scrapes of /metrics with the parser of Prometheus' own client and says what is wrong.

Usage: metrics.py BEFORE AFTER. Between the two there was traffic. Prints one line per flaw and
exits with 1, or says what was read and exits with 0. Run by tests/wire/metrics.rs.
"""

import math
import re
import sys

from prometheus_client.parser import text_string_to_metric_families

BACKEND = {"pool", "backend"}
DOOR = {"listener", "pool"}

# Name, type, labels of its samples beside those of the type.
EXPECTED = {
    "tidegate_build_info": ("gauge", {"version", "rust"}),
    "tidegate_start_time_seconds": ("gauge", set()),
    "tidegate_config_last_reload_success": ("gauge", set()),
    "tidegate_connections": ("gauge", {"listener"}),
    "tidegate_connections_total": ("counter", {"listener"}),
    "tidegate_accept_paused_seconds_total": ("counter", set()),
    "tidegate_requests_total": ("counter", DOOR | {"method", "code"}),
    "tidegate_request_duration_seconds": ("histogram", DOOR),
    "tidegate_requests_ended_total": ("counter", {"pool", "end"}),
    "tidegate_backend_up": ("gauge", BACKEND),
    "tidegate_backend_state": ("gauge", BACKEND | {"state"}),
    "tidegate_backend_weight": ("gauge", BACKEND),
    "tidegate_backend_in_flight": ("gauge", BACKEND),
    "tidegate_backend_max_conns": ("gauge", BACKEND),
    "tidegate_backend_idle_connections": ("gauge", BACKEND),
    "tidegate_backend_requests_total": ("counter", BACKEND | {"code_class"}),
    "tidegate_backend_duration_seconds": ("histogram", BACKEND),
    "tidegate_backend_connects_total": ("counter", BACKEND | {"result"}),
    "tidegate_backend_reuses_total": ("counter", BACKEND),
    "tidegate_backend_retries_total": ("counter", BACKEND | {"reason"}),
    "tidegate_backend_ejections_total": ("counter", BACKEND),
    "tidegate_backend_probe_total": ("counter", BACKEND | {"result"}),
    "tidegate_backend_probe_duration_seconds": ("summary", BACKEND),
    "tidegate_bytes_total": ("counter", {"direction", "side"}),
    "tidegate_tls_handshakes_total": ("counter", {"side", "result"}),
    "tidegate_splice_bytes_total": ("counter", set()),
    "tidegate_loop_lag_seconds": ("histogram", set()),
    "tidegate_loop_longest_turn_seconds": ("gauge", set()),
    "tidegate_loop_events_total": ("counter", set()),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_open_fds": ("gauge", set()),
}

# What rises with every request. The other counters may only not fall.
RISING = {
    "tidegate_requests_total",
    "tidegate_requests_ended_total",
    "tidegate_backend_requests_total",
    "tidegate_bytes_total",
    "tidegate_loop_events_total",
    "tidegate_loop_lag_seconds_count",
    "tidegate_loop_lag_seconds_sum",
    "tidegate_request_duration_seconds_count",
    "tidegate_backend_duration_seconds_count",
}

flaws = []


def flaw(text):
    flaws.append(text)


def read(path):
    """The families by the names they have in the text, and every sample by name and labels."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for what in ("HELP", "TYPE"):
        names = re.findall(rf"^# {what} (\S+)", text, re.MULTILINE)
        for name in {name for name in names if names.count(name) > 1}:
            flaw(f"{name}: {what} more than once")
    families, samples = {}, {}
    for family in text_string_to_metric_families(text):
        # The parser takes _total off the names of counters.
        name = family.name + ("_total" if family.type == "counter" else "")
        if name in families:
            flaw(f"{name}: a family in two pieces")
        families[name] = family
        if not family.documentation:
            flaw(f"{name}: without HELP")
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in samples:
                flaw(f"{key}: twice")
            samples[key] = sample.value
            if math.isnan(sample.value) or sample.value < 0:
                flaw(f"{key}: {sample.value}")
    return families, samples


def check_families(families):
    for name, (kind, labels) in EXPECTED.items():
        family = families.get(name)
        if family is None:
            flaw(f"{name}: missing")
            continue
        if family.type != kind:
            flaw(f"{name}: a {family.type}, not a {kind}")
        if not family.samples:
            flaw(f"{name}: no sample")
        for sample in family.samples:
            found = set(sample.labels) - {"le", "quantile"}
            if found != labels:
                flaw(f"{sample.name}: labels {sorted(found)}, not {sorted(labels)}")
            if any(label.startswith("__") for label in found):
                flaw(f"{sample.name}: a label of Prometheus' own")
    for name, family in families.items():
        if family.type not in ("counter", "gauge", "histogram", "summary"):
            flaw(f"{name}: of type {family.type}")
        if family.type == "gauge" and name.endswith("_total"):
            flaw(f"{name}: a gauge with the name of a counter")
        if family.type == "histogram":
            check_histogram(name, family)


def check_histogram(name, family):
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        part = series.setdefault(labels, {"buckets": []})
        if sample.name == name + "_bucket":
            part["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            part[sample.name.removeprefix(name)] = sample.value
    for labels, part in series.items():
        buckets = part["buckets"]
        bounds = [bound for bound, _ in buckets]
        counts = [count for _, count in buckets]
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            flaw(f"{name}{labels}: bounds {bounds}")
        if counts != sorted(counts):
            flaw(f"{name}{labels}: not cumulative: {counts}")
        if not counts or counts[-1] != part.get("_count"):
            flaw(f"{name}{labels}: +Inf is not the count")
        if "_sum" not in part:
            flaw(f"{name}{labels}: without a sum")


def check_growth(families, before, after):
    rose = set()
    for name, family in families.items():
        if family.type not in ("counter", "histogram", "summary"):
            continue
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in before and after[key] < before[key]:
                flaw(f"{key}: fell from {before[key]} to {after[key]}")
            if after[key] > before.get(key, 0):
                rose.add(sample.name)
    for name in RISING - rose:
        flaw(f"{name}: did not rise with traffic")
    for key in before.keys() - after.keys():
        flaw(f"{key}: gone")


def main():
    _, before = read(sys.argv[1])
    families, after = read(sys.argv[2])
    check_families(families)
    check_growth(families, before, after)
    for text in flaws:
        print(text)
    if not flaws:
        print(f"{len(families)} families, {len(after)} samples")
    sys.exit(1 if flaws else 0)


main()
