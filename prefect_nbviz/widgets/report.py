"""The button that makes a report of what is shown, in the background, and gives it to the browser."""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets

from prefect_nbviz.errors import PrefectNbvizError
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.page import page_of
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.files import file_name
from prefect_nbviz.widgets.page import script


class ReportButton(anywidget.AnyWidget):
    """A button, and a word beside it while the report is made or where it cannot be.

    Parameters
    ----------
    gather
        Gives what the report is made from, and tells how far it is.
    """

    _esm = script("files.js", "report.js")

    is_busy = traitlets.Bool().tag(sync=True)
    """Whether a report is being made."""

    said = traitlets.Unicode().tag(sync=True)
    """What is said beside the button; it may hold a stranger's text."""

    is_problem = traitlets.Bool().tag(sync=True)
    """Whether that is what went wrong."""

    def __init__(self, gather: Callable[[Report], Contents]) -> None:
        super().__init__()
        self._gather = gather
        self._background = Background()
        self.on_msg(lambda _widget, asked, _buffers: self._start(str(asked.get("from"))))

    def join(self) -> None:
        """Wait until the report is made."""
        self._background.join()

    def close(self) -> None:
        """End what is being made, and be gone."""
        self._background.stop()
        super().close()

    def _start(self, view: str) -> None:
        if self.is_busy:
            return
        self._say("Making the report…", is_busy=True)
        self._background.start(lambda turn: self._make(view, turn))

    def _make(self, view: str, turn: Turn) -> None:
        """Send the page to the one view that asked."""
        problem = ""
        try:
            contents = self._gather(lambda *_: turn.look())
            page = page_of(contents).encode("utf-8", "replace")
            name = file_name(contents.runs, "html", zone=contents.zone)
            self.send({"to": view, "name": name}, buffers=[page])
        except KeyboardInterrupt:
            return
        except PrefectNbvizError as error:
            problem = str(error)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._say(f"The report could not be made. {problem}" if problem else "", is_problem=bool(problem))

    def _say(self, said: str, *, is_busy: bool = False, is_problem: bool = False) -> None:
        with self.hold_sync():
            self.said, self.is_busy, self.is_problem = said, is_busy, is_problem
