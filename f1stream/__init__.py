"""The application around the streams."""

import sys

from f1stream.without_pandas import NoPandasForConnector

sys.meta_path.insert(0, NoPandasForConnector())  # here: before any module that imports the connector
