"""A workbook as spreadsheets write it: the least of XLSX (ECMA-376) that has sheets of text and numbers."""

from __future__ import annotations

import io
import zipfile
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(**sheets: list[list[str]]) -> bytes:
    """The bytes of an XLSX file with these sheets of rows of cells; cells that are numbers are so there."""
    numbered = list(enumerate(sheets.items(), start=1))
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{at}" r:id="r{at}"/>' for at, (name, _) in numbered
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": _relations([("r1", "officeDocument", "xl/workbook.xml")]),
        "xl/_rels/workbook.xml.rels": _relations(
            [(f"r{at}", "worksheet", f"worksheets/sheet{at}.xml") for at, _ in numbered]
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>'
        ),
        **{f"xl/worksheets/sheet{at}.xml": _sheet(rows) for at, (_, rows) in numbered},
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return written.getvalue()


def _relations(links: list[tuple[str, str, str]]) -> str:
    each = "".join(
        f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{to}"/>' for name, kind, to in links
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{each}</Relationships>'


def _sheet(rows: list[list[str]]) -> str:
    lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{lines}</sheetData></worksheet>'


def _cell(cell: str) -> str:
    try:
        return f"<c><v>{float(cell)!r}</v></c>"
    except ValueError:
        return f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
