"""Runs Streamlit's AppTest on the app for tests in another environment; a request and an answer per line.

A request is ``{"choices": {label of a selector: the option to take}}``; one with ``"environment": {name: value}``
restarts the app as a new process with that environment would, without the seconds of imports. The answer is what the
app shows. It runs in .venv-streamlit and imports nothing of the project.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "deploy" / "streamlit"
sys.path.insert(0, str(APP))
TEXTS = {"title", "header", "subheader", "markdown", "text", "caption", "code", "info", "warning", "error"}
"""Elements that are text; ``st.write``, which Streamlit's magic calls, makes a ``markdown`` of a string."""


def shown(app: AppTest) -> dict[str, Any]:
    """What a viewer would see."""
    return {
        "selectors": {box.label: {"options": box.options, "value": box.options[box.index]} for box in app.selectbox},
        "views": app.radio[0].options if app.radio else [],
        "tables": [json.loads(table.value.to_json(orient="records")) for table in app.dataframe],
        "charts": [json.loads(chart.proto.spec or chart.proto.figure.spec) for chart in app.get("plotly_chart")],
        "texts": [element.value for element in app.main if element.type in TEXTS],
        "sentences": [element.value for element in (*app.info, *app.caption, *app.warning)],
        "errors": [element.value for element in (*app.exception, *app.error)],
    }


def choose(app: AppTest, label: str, option: str) -> None:
    """Choose an option, as a click does."""
    if label == "view":
        app.radio[0].set_value(option).run()
        return
    (box,) = (box for box in app.selectbox if box.label == label)
    box.select_index(box.options.index(option)).run()


def started(environment: dict[str, str]) -> AppTest:
    """The app without cached results."""
    os.environ.update(environment)
    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(APP / "streamlit_app.py"), default_timeout=60)


def main() -> None:
    """Answer requests until the input ends."""
    app = started({})
    for line in sys.stdin:
        request = json.loads(line)
        if "environment" in request:
            app = started(request["environment"])
        app.run()
        for label, option in request["choices"].items():
            choose(app, label, option)
        print(json.dumps(shown(app)), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of Streamlit, that it runs without a server
    main()
