"""Bars as an SVG, which browsers and GitHub show: no library needed, readable on dark and light grounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _BAR, _GAP = 820, 260, 16, 16
_COLOURS = ("#0b7285", "#adb5bd")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#212529}.n{fill:#495057;font-size:12px}.r{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#e9ecef}.n{fill:#ced4da}}"
)


def bars(rows: Sequence[dict[str, Any]], machine: str) -> str:
    """A pair of bars for each row, as describe() in bench/datapath gives it; each row has a scale of its own.

    machine: what was measured on, which is written below.
    """
    parts, top = [], 12
    for row in rows:
        parts.append(f'<text x="{_LEFT - 12}" y="{top + _BAR + 5}" text-anchor="end">{escape(row["title"])}</text>')
        longest = max(row["medians"].values()) or 1
        for number, (name, value) in enumerate(row["medians"].items()):
            width, y = max(1.0, (_WIDTH - _LEFT - 220) * value / longest), top + number * (_BAR + 1)
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{_COLOURS[number]}"/>'
            )
            label = f"{name} {value:,.0f} {row['unit']}" if value >= 100 else f"{name} {value:.3g} {row['unit']}"
            parts.append(f'<text class="n" x="{_LEFT + width + 6:.1f}" y="{y + 12}">{escape(label)}</text>')
        ratio = f"{row['ratio']:.2g} times"  # where less is better, describe() has it the other way round already
        parts.append(f'<text class="r" x="{_WIDTH - 8}" y="{top + _BAR + 5}" text-anchor="end">{ratio}</text>')
        top += 2 * _BAR + _GAP
    parts.append(f'<text class="n" x="12" y="{top + 12}">{escape(machine)}</text>')
    top += 24
    size = f'width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
