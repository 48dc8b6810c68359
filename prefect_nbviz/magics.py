"""IPython magics: `%prefect_runs` and `%prefect_states` read, `%prefect_explore` opens the explorer, `%prefect_check`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from prefect_nbviz.errors import PrefectNbvizError, QueryError, did_you_mean
from prefect_nbviz.forms import is_id
from prefect_nbviz.magic_completion import completions
from prefect_nbviz.magic_lines import KINDS, MagicLine, flag
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import read_flow_runs, read_states, read_task_runs
from prefect_nbviz.reading.checking import check

_COMPLETER = "prefect_nbviz.magics"


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics, and what the tab key offers after them: `%load_ext prefect_nbviz` calls this.

    See Also
    --------
    https://ipython.readthedocs.io/en/stable/config/extensions/
    """
    ipython.register_magics(PrefectMagics)
    others = [one for one in ipython.Completer.custom_matchers if _identifier(one) != _COMPLETER]
    ipython.Completer.custom_matchers = [*others, _completer(ipython)]


def _identifier(matcher: Any) -> str | None:
    return getattr(matcher, "matcher_identifier", None)


def _completer(ipython: InteractiveShell) -> Any:
    """Make what IPython asks, with Jedi and without, when the tab key is pressed."""

    @context_matcher(identifier=_COMPLETER)
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        hidden = ipython.user_ns_hidden
        names = {name: value for name, value in ipython.user_ns.items() if name[0] != "_" and name not in hidden}
        fragment, texts = completions(context.text_until_cursor, names)
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text) for text in texts],
            matched_fragment=fragment,
            suppress=bool(texts),
            ordered=True,
        )

    return matcher


@magics_class
class PrefectMagics(Magics):
    """The line magics."""

    @line_magic
    def prefect_runs(self, line: str) -> pd.DataFrame:
        """Read runs into a DataFrame: `%prefect_runs [task|flow] [--criterion value …]`.

        Task runs unless told `flow`. Criteria combine with *and*, several values of one with *or*
        (except in `--tags-all`, `--tags-none`, `--tag-keys`, `--parameters` and those that end in
        `-not`); repeat an option or list values after it, and quote a value that holds a space.
        `$name` and `{expression}` stand for values from Python.

            --state FAILED CRASHED     state types, or state names, but not both at once
            --state-type FAILED        state types only
            --state-type-not FAILED    none of these state types
            --state-name TimedOut      state names only, exact
            --state-name-not Late      none of these state names
            --run-count-min 2          entered a running state as often or more: those that were retried
            --tags-any prod etl        one or more of these tags
            --tags-all prod etl        all of these tags
            --tags-none dev            none of these tags
            --tag-keys project_id      a tag key:value for each of these keys
            --untagged yes             yes: without any tag; no: with some
            --name transform-0         exact names
            --name-not transform-0     none of these names
            --name-like transform      text that the name contains
            --flow daily_ingest        names of flows
            --deployment flow/nightly  names of deployments, with or without their flow
            --work-pool kubernetes     names of work pools
            --work-queue default       names of work queues
            --ids ID ID                ids of the runs
            --ids-not ID ID            none of these ids
            --since 1d  --until 1h     back from now (m, h, d, w), or ISO time with an offset
            --time-field end_time      what since and until are about
            --start-time-fallback no   leave out runs that never started, instead of taking the time they were
                                       expected at
            --sort NAME_ASC            order
            --limit 50                 at most as many, or none for all; 1,000 unless told

        Of task runs only:

            --flow-runs ID ID          ids of their flow runs
            --has-flow-run no          yes: of a flow run; no: ran on their own
            --has-subflow-run yes      yes: stand for a subflow run; no: do not

        Of flow runs only:

            --parent top_level         top_level, subflow, or ids of flow runs whose children to give
            --parent-task-run ID ID    ids of task runs: the subflow runs that they stand for
            --ancestor ID ID           ids of flow runs: all subflow runs below them
            --created-by SCHEDULE      who created it: SCHEDULE, DEPLOYMENT, AUTOMATION, USER, …, or ids
            --has-deployment no        yes: of a deployment; no: of none
            --has-work-queue no        yes: of a work queue; no: of none
            --idempotency-key KEY      keys that they were created with
            --flow-version 1.2         versions of the flow
            --auto-scheduled yes       yes: made by a schedule; no: by anything else
            --parameters region=eu rows=12
                                       values of parameters, read as JSON where they are JSON; else text

        `--flow-runs`, `--parent`, `--parent-task-run` and `--ancestor` also take the name of a variable that holds a
        frame or ids (`--flow-runs` a FlowRunQuery, too), `--ids` and `--ids-not` that of ids, and `--parameters` that
        of a dict.

        Examples
        --------
            %prefect_runs --state failed --since 1d
            failed = %prefect_runs task --tags-any prod etl --state FAILED CRASHED --limit none
            %prefect_runs flow --parent top_level --parameters region=eu
        """
        with _in_one_sentence():
            return _read(self._query(MagicLine.read(line)))

    @line_magic
    def prefect_states(self, line: str) -> pd.DataFrame:
        """Read the state histories of runs into a DataFrame.

        `%prefect_states VARIABLE` takes the runs of a variable: a frame of runs, ids, futures or run objects of
        Prefect. `%prefect_states ID ID` takes ids of runs. `%prefect_states [task|flow] [--criterion value …]` reads
        the runs first: the criteria are those of `%prefect_runs` (see `%prefect_runs?`).

            --exact yes                ask the server for every history, a request for each run; else those that the
                                       rows of task runs tell are rebuilt from them

        There is a row for each state, oldest first; `prefect_nbviz.state_intervals` makes stays of them.

        Examples
        --------
            failed = %prefect_runs --state FAILED --since 1d
            states = %prefect_states failed
            %prefect_states task --state FAILED CRASHED --since 1d
        """
        with _in_one_sentence():
            exact, rest = MagicLine.read(line).take("--exact")
            is_exact = exact is not None and flag("--exact", exact)
            return read_states(self._runs(rest), exact=is_exact)

    @line_magic
    def prefect_explore(self, line: str) -> Any:
        """Open the explorer: `%prefect_explore [task|flow] [--criterion value …] [--tz ZONE]`.

        Its controls begin with these criteria, which are those of `%prefect_runs` (see
        `%prefect_runs?`); without any, with the task runs of the last 24 hours.

            --tz Europe/Berlin         the time zone in which times are shown and typed; UTC unless told

        Examples
        --------
            %prefect_explore --state failed --since 7d
            %prefect_explore flow --tags-all prod --tz Europe/Berlin
        """
        from prefect_nbviz.widgets.explorer import explore  # noqa: PLC0415 - plotly and the widgets take seconds

        with _in_one_sentence():
            tz, rest = MagicLine.read(line).take("--tz")
            query = self._query(rest) if rest.words or rest.options else None
            return explore(query, tz=tz or "UTC")

    @line_magic
    def prefect_check(self, line: str) -> pd.DataFrame:
        """Look at which server is read from, which versions there are, and what may go wrong: a row for each.

        It takes no options, reads only, and starts no server.

        Examples
        --------
            %prefect_check
        """
        if line.strip():
            raise UsageError(f"%prefect_check takes nothing after it, not {line.strip()!r}.")
        return check()

    def _query(self, line: MagicLine) -> FlowRunQuery | TaskRunQuery:
        return line.query(self._names)

    def _runs(self, line: MagicLine) -> Any:
        """Give the runs of a variable or ids where the line begins so; else read those that it describes."""
        if not line.words or line.words[0] in KINDS:
            return _read(self._query(line))
        if line.options:
            raise QueryError(f"{line.options[0][0]} is for runs that are yet to be read, not for {line.words[0]!r}.")
        if all(map(is_id, line.words)):
            return line.words
        name, *more = line.words
        if more or name not in self._names:
            hint = did_you_mean(name, [*KINDS, *self._names])
            raise QueryError(
                f"%prefect_states takes task, flow, one variable, or ids; not {' '.join(line.words)!r}.{hint}"
            )
        return self._names[name]

    @property
    def _names(self) -> dict[str, Any]:
        return self.shell.user_ns if self.shell else {}


def _read(query: FlowRunQuery | TaskRunQuery) -> pd.DataFrame:
    return read_flow_runs(query) if isinstance(query, FlowRunQuery) else read_task_runs(query)


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Let IPython show what went wrong without a traceback."""
    try:
        yield
    except PrefectNbvizError as error:
        raise UsageError(str(error)) from error
