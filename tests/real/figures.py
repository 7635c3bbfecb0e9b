"""Figures are printed for people to judge, at the end of the run and into the file that PLIMSOLL_FIGURES names."""
import os
import statistics

lines = []


def figure(text):
    lines.append("figure: " + text)
    path = os.environ.get("PLIMSOLL_FIGURES")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write("figure: " + text + "\n")


def spread(what, values, unit="ms", worst=max):
    """Median and worst; seconds are shown as milliseconds."""
    shown = [value * 1000 for value in values] if unit == "ms" else list(values)
    figure(f"{what}: median {statistics.median(shown):.0f} {unit}, worst {worst(shown):.0f} {unit}, of {len(shown)}")
