"""The list of errors and the code tab, in a real browser: what is clicked is picked, copied or put into a cell."""

from __future__ import annotations

import pandas as pd
import pytest
from playwright.sync_api import expect
from widget_page import WidgetPage

from prefect_nbviz import FlowRunQuery
from prefect_nbviz.widgets.code import CodeView
from prefect_nbviz.widgets.errors import ErrorsView

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
MESSAGES = ["no row 7", "no row 8", f"{EVIL} is gone", None]
RUNS = pd.DataFrame(
    {
        "task_run_id": ["a", "b", "c", "d", "e"],
        "state_type": ["FAILED", "FAILED", "FAILED", "CRASHED", "COMPLETED"],
        "state_name": ["Failed", "TimedOut", "Failed", "Crashed", "Completed"],
        "state_message": pd.Series([*MESSAGES, "All done"], dtype="str"),
        "flow_name": EVIL,
        "task_key": "load-0a1b2c3d",
        "expected_start_time": pd.Timestamp("2026-03-01", tz="UTC"),
        "start_time": pd.Timestamp("2026-03-01", tz="UTC"),
        "end_time": pd.date_range("2026-03-01 06:00", periods=5, freq="1h", tz="UTC"),
    }
)


def test_a_message_selects_its_runs(view: WidgetPage) -> None:
    errors = ErrorsView()
    errors.show_runs(RUNS)
    view.show(errors)
    messages = view.page.get_by_role("group", name="Messages of failed runs").get_by_role("button")
    expect(messages).to_have_count(3)
    expect(messages.first).to_contain_text("no row <n>")
    expect(messages.nth(1)).to_contain_text(EVIL)
    messages.first.click()
    view.wait(lambda: errors.selected == ("a", "b"))
    expect(messages.first).to_have_attribute("aria-pressed", "true")
    messages.nth(1).click(modifiers=["Shift"])
    view.wait(lambda: {*errors.selected} == {"a", "b", "c"})
    view.page.keyboard.press("Escape")
    view.wait(lambda: errors.selected == ())
    errors.selected = ("d", "e")  # as another view would
    view.answer()
    expect(messages.nth(2)).to_have_attribute("aria-pressed", "true")
    messages.nth(2).focus()
    view.page.keyboard.press("Enter")
    view.wait(lambda: errors.picked["count"] == 4)
    assert errors.selected == (), "what is alone is let go"


def test_a_message_of_a_list_that_is_gone_selects_nothing(view: WidgetPage) -> None:
    errors = ErrorsView()
    errors.show_runs(RUNS)
    view.show(errors)
    errors.show_runs(RUNS.tail(2))
    view.page.get_by_text("no row <n>").click()
    view.wait(lambda: bool(errors.picked))
    assert errors.selected == ()
    expect(view.page.get_by_text("1 of 2 runs failed or crashed, with one message.")).to_be_visible()


def test_code_is_chosen_and_copied(view: WidgetPage) -> None:
    code = CodeView()
    code.show(FlowRunQuery(name=EVIL, since="1d"))
    view.show(code)
    shown = view.page.get_by_label("Code", exact=True)
    expect(shown).to_contain_text("from prefect_nbviz import read_flow_runs")
    expect(view.page.get_by_role("button", name="Put in a new cell")).to_be_hidden()
    for name, beginning in (("Prefect client", "from datetime import"), ("curl", "curl -fsS"), ("JSON", "{")):
        view.page.get_by_role("button", name=name).click()
        view.wait(lambda name=name: code.chosen == name)
        assert beginning in shown.inner_text()
    copied = (
        "async () => { globalThis.copied = null; Object.defineProperty(navigator, 'clipboard', { configurable: true,"
    )
    view.page.evaluate(copied + " value: { writeText: async (text) => { globalThis.copied = text; } } }); }")
    view.page.get_by_role("button", name="Copy").click()
    expect(view.page.get_by_role("status")).to_have_text("Copied")
    assert view.page.evaluate("copied") == FlowRunQuery(name=EVIL, since="1d").to_json()


def test_where_there_is_no_clipboard_it_is_copied_or_selected(view: WidgetPage) -> None:
    code = CodeView()
    code.show(FlowRunQuery(since="1d"))
    view.show(code)
    view.page.evaluate("() => Object.defineProperty(navigator, 'clipboard', { configurable: true, value: undefined })")
    view.page.evaluate("() => { globalThis.tried = []; document.execCommand = (what) => tried.push(what) > 1; }")
    view.page.get_by_role("button", name="Copy").click()
    expect(view.page.get_by_role("status")).to_have_text("Press Ctrl+C to copy")
    assert view.page.evaluate("() => getSelection().toString()").strip() == code.codes[0]["text"]
    view.page.get_by_role("button", name="Copy").click()
    expect(view.page.get_by_role("status")).to_have_text("Copied")
    assert view.page.evaluate("tried") == ["copy", "copy"]
