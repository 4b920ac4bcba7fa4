"""What both kinds of view have: a panel a project, with what stands below, in the page and as a file.

A view says for its kind of answer where each panel's axes lie, what its curve and its marks are, and what is
written; it is put together here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Generic, TypeVar

import numpy as np

from engine.live.panels import View, bars_svg, figure_svg, labels, panels_html
from engine.study.words import number_text

Answer = TypeVar("Answer")


class ProjectsView(ABC, Generic[Answer]):
    """The sliders and the drawings of projects with these names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.labels = labels(names)

    def charts(self) -> str:
        """Empty panels, and what stands below them."""
        return panels_html(self.labels)

    def parts(self, answer: Answer, compiled: float, seconds: float, answers: int) -> dict[str, str]:
        """Another answer: what belongs in the page, by the id of its place."""
        views = list(enumerate(self.views(answer)))
        return {
            "numbers": self.numbers(answer, compiled, seconds, answers),
            "front": self.front(answer),
            **{f"curve-{place}": self.curve(place, answer, view) for place, view in views},
            **{f"marks-{place}": self.marks(place, answer, view) for place, view in views},
            "bars": bars_svg(self.labels, self.efforts(answer)),
            "table": self.table(answer),
        }

    def said(self, answer: Answer) -> dict[str, str]:
        """What each panel shows, in words, by its id."""
        return {f"panel-{place}": self.words(place, name, answer) for place, name in enumerate(self.labels)}

    def figure(self, answer: Answer, origin: str) -> str:
        """All panels as one SVG file."""
        panels = [
            self.curve(place, answer, view) + self.marks(place, answer, view)
            for place, view in enumerate(self.views(answer))
        ]
        title, *lines = self.heading(answer)
        return figure_svg(f"{origin}: {title}", lines, panels)

    @abstractmethod
    def controls(self) -> dict[str, str]:
        """The budget's line and the sliders, where they begin, by the id of their place."""

    @abstractmethod
    def sentence(self, answer: Answer) -> str:
        """The numbers, once they rest."""

    @abstractmethod
    def numbers(self, answer: Answer, compiled: float, seconds: float, answers: int) -> str:
        """The line of numbers."""

    @abstractmethod
    def front(self, answer: Answer) -> str:
        """What is read before the panels."""

    @abstractmethod
    def heading(self, answer: Answer) -> list[str]:
        """The title of the figure that is saved, and the lines below it."""

    @abstractmethod
    def views(self, answer: Answer) -> list[View]:
        """The axes of each panel."""

    @abstractmethod
    def curve(self, place: int, answer: Answer, view: View) -> str:
        """What of a panel is the same while only the budget moves."""

    @abstractmethod
    def marks(self, place: int, answer: Answer, view: View) -> str:
        """Where the allocations stand on it."""

    @abstractmethod
    def words(self, place: int, name: str, answer: Answer) -> str:
        """What a panel shows."""

    @abstractmethod
    def efforts(self, answer: Answer) -> dict[str, np.ndarray]:
        """The effort of each project by solver, for the bars."""

    @abstractmethod
    def table(self, answer: Answer) -> str:
        """All of it in numbers."""


def row_html(name: str, numbers: Iterable[Any], *texts: str) -> str:
    """A project's row of the table: numbers, then words."""
    cells = "".join(f"<td>{cell}</td>" for cell in (*(number_text(each, 4) for each in numbers), *texts))
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def digits_of(efforts: Iterable[Any]) -> str:
    """Efforts with all their digits, for whoever reads by machine."""
    return " ".join(f"{float(effort):.12g}" for effort in efforts)
