"""Imports modules of the Streamlit app, whose folder is uploaded to Snowflake and is not a package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.support.required import ROOT

APP = ROOT / "deploy" / "streamlit"


def module_of_the_app(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, APP / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
