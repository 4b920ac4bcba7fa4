"""How the live page looks: its document and the style sheets of its parts."""

from __future__ import annotations

TEMPLATE = """
{% block preamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="
  default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws://127.0.0.1:* ws://localhost:*">
<style>body { margin: 8px; font-family: system-ui, sans-serif; background: #fff; color: #222; }</style>
{% endblock %}
"""

# Two columns on a desk, one above the other on a phone.
WIDE = ":host { flex-wrap: wrap; align-items: flex-start; gap: 16px; width: 100%; margin: 0; }"

LEFT = """:host { flex: 0 0 390px; min-width: 0; gap: 4px; }
@media (max-width: 800px) { :host { flex: 1 1 100%; max-width: 100%; } }"""

RIGHT = """:host { flex: 1 1 600px; min-width: 0; gap: 4px; padding-right: 8px; box-sizing: border-box; }
@media (max-width: 800px) { :host { flex: 1 1 100%; max-width: 100%; } }"""

WRAP = ":host { flex-wrap: wrap; gap: 6px; align-items: flex-end; }"

BELOW = ":host { flex-wrap: wrap; gap: 10px; align-items: flex-start; }"

PANELS = ":host { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 4px; }"

PROJECTS = """:host { max-height: 470px; overflow-y: auto; overflow-x: hidden; gap: 0; padding-right: 8px; }
@media (max-width: 800px) { :host { max-height: none; } }"""

LINE = ":host { gap: 14px; align-items: center; }"

NAME = (
    ":host { font: 12px system-ui, sans-serif; overflow-wrap: anywhere; margin: 0 0 0 5px; flex: 0 0 91px; }"
)

HEAD = ":host { font: 600 12px system-ui, sans-serif; margin: 0; flex: 1 1 0; }"

SLIDER = """:host { margin: 0; flex: 1 1 0; min-width: 0; }
.bk-slider-title { font-size: 11px; }
.noUi-horizontal .noUi-handle { width: 12px; }"""

FACTS = """.facts { display: flex; flex-wrap: wrap; gap: 4px 12px; font: 12px system-ui, sans-serif; }
.facts div { min-width: 66px; } .facts b { display: block; font-size: 16px; font-weight: 600; }
.facts span.key { color: #444; } .front { font: 12px system-ui, sans-serif; margin-top: 4px; }
.wrong { color: #b00020; font: 600 13px system-ui, sans-serif; overflow-wrap: anywhere; }
.note { color: #444; font: 12px system-ui, sans-serif; overflow-wrap: anywhere; }"""

TABLE = """table { border-collapse: collapse; font: 12px system-ui, sans-serif; margin-top: 6px; }
th { text-align: right; font-weight: 600; padding: 2px 5px; white-space: nowrap; }
td { text-align: right; padding: 2px 5px; font-variant-numeric: tabular-nums; border-top: 1px solid #e4e4e4; }
tbody th { font-weight: 400; border-top: 1px solid #e4e4e4; }
th:first-child { text-align: left; padding-left: 0; white-space: normal; }"""
