"""The loader of the explorer: reads what a query asks, step by step, in a thread of its own, and looks again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from zoneinfo import ZoneInfo

from prefect_nbviz import frames
from prefect_nbviz.errors import PrefectNbvizError, ReadInterrupted, heard
from prefect_nbviz.gathering import counts_over_time
from prefect_nbviz.reading import Connection, read_state_type_counts
from prefect_nbviz.reading.past_reads import PAYS_FROM, PastReads
from prefect_nbviz.reading.runs import read_runs
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.empty import ways_out
from prefect_nbviz.widgets.histories import Histories
from prefect_nbviz.widgets.live import LiveSwitch
from prefect_nbviz.widgets.screen import Query, Screen


class Loader:
    """Reads for a screen.

    Parameters
    ----------
    screen
        What says the query, and shows what was read.
    live
        The switch, which says whether to look again, and when.
    connection
        Another server than that of the active Prefect profile.
    zone
        The time zone of counts over time.
    """

    def __init__(self, screen: Screen, live: LiveSwitch, *, connection: Connection | None, zone: ZoneInfo) -> None:
        self._screen = screen
        self._standing = screen.standing
        self._live = live
        self._connection = connection
        self._zone = zone
        self._histories = Histories(connection)
        self._past_reads = PastReads(at_least=PAYS_FROM, most_reads=1)
        self._background = Background()

    def load(self) -> None:
        """Read while the caller waits; what is live is looked at again in the background."""
        self.stop()
        self.join()
        self._read(Turn())
        if self._live.value:
            self._background.start(self._look_again)

    def start(self) -> None:
        """Read in the background; what went on there ends."""
        self._background.start(self._load_and_look_again)

    def look(self) -> None:
        """Look at once, in the background, while the person looks at what there is; what is read for a person goes on."""
        if self._live.value and not self._standing.is_busy:
            self._background.start(self._look_now_and_again)

    def stop(self) -> None:
        """End what goes on in the background; what a read has by then is kept."""
        self._background.stop()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of what goes on in the background."""
        self._background.join(timeout)

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the background."""
        return self._background.is_busy

    def _load_and_look_again(self, turn: Turn) -> None:
        with suppress(KeyboardInterrupt):
            self._read(turn)
            self._look_again(turn)

    def _look_now_and_again(self, turn: Turn) -> None:
        with suppress(KeyboardInterrupt):
            self._read(turn, quietly=True)
            self._look_again(turn)

    def _look_again(self, turn: Turn) -> None:
        with suppress(KeyboardInterrupt):
            while self._live.value and not turn.wait(self._live.pace.pause):
                self._read(turn, quietly=True)

    def _read(self, turn: Turn, *, quietly: bool = False) -> None:
        """Read what the controls say and show each step; quietly, while the person looks at what there is, all at once."""
        query = self._screen.asked()
        if query is None:
            self._screen.refresh()
            return
        began = time.monotonic()
        with self._told(turn, quietly=quietly):
            steps = self._steps(query, turn, quietly=quietly)
            if quietly:
                self._screen.show_together([*steps])
            else:
                for show in steps:
                    show()
            self._live.took(time.monotonic() - began)
            self._standing.failure = ""

    def _steps(self, query: Query, turn: Turn, *, quietly: bool) -> Iterator[Callable[[], None]]:
        """Read step by step, and give what shows each."""
        screen, connection = self._screen, self._connection
        standing, noun = self._standing, f"{query.noun}s"
        standing.stage = f"The {noun} could not be read."
        report = self._reporter(f"Loading {noun}", turn, quietly=quietly)
        try:
            runs = read_runs(query, connection, progress=report, fresh=not quietly, past_reads=self._past_reads)
        except ReadInterrupted as stop:
            standing.stage = f"Not all {noun} were read."
            if not quietly:
                screen.show_runs(query, stop.frame, quietly=False)
            raise
        if quietly and self._live.is_paused:
            yield lambda: screen.show_waiting(runs)
            return
        yield lambda: screen.show_runs(query, runs, quietly=quietly)
        standing.stage = "The numbers by state could not be read."
        report = self._reporter("Counting", turn, quietly=quietly)
        counts = read_state_type_counts(query, connection=connection, progress=report)
        yield lambda: screen.show_counts(counts)
        standing.stage = "The counts over time could not be read."
        over_time = counts_over_time(query, runs, tz=self._zone.key, connection=connection, progress=report)
        yield lambda: screen.show_run_counts(over_time)
        if runs.empty and not quietly and not runs.attrs[frames.ATTRS]["done_here"]:
            standing.stage = "Which filter leaves nothing could not be read."
            ways = ways_out(query, connection, progress=report)
            yield lambda: screen.show_ways(query, ways)
        standing.stage = "The timeline could not be read."
        report = self._reporter("Reading the state histories by requests", turn, quietly=quietly)
        try:
            states = self._histories.read(runs, progress=report)
        except ReadInterrupted as stop:
            standing.stage = "The timeline is not whole."
            if not quietly:
                screen.show_states(stop.frame)
            raise
        yield lambda: screen.show_states(states)

    def _reporter(self, what: str, turn: Turn, *, quietly: bool) -> Report:
        def report(done: int, total: int | None, note: str = "") -> None:
            turn.look()
            if not quietly or note:
                self._screen.progress.say(what, done, total, note=note)

        if not quietly:
            self._screen.progress.say(what)
        return report

    @contextmanager
    def _told(self, turn: Turn, *, quietly: bool) -> Iterator[None]:
        """Show that work is being done, what it warns of, and how it failed."""
        standing = self._standing
        standing.begin(quietly=quietly)
        self._screen.refresh()
        with heard() as notes:
            try:
                yield
            except PrefectNbvizError as error:
                standing.fail(error, ours=True)
                self._live.failed()
            except KeyboardInterrupt:
                if not quietly:
                    standing.failure = f"{standing.stage} It was {'stopped' if turn.is_stopped else 'interrupted'}."
                raise
            except BaseException as error:
                standing.fail(error, ours=False)
                raise
            finally:
                standing.end(notes, quietly=quietly)
                self._screen.progress.hide()
                self._screen.refresh()
