"""The reference line: where along the lap a position is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NODE_M = 5.0
"""m between the line's nodes; the chord in a hairpin of 20 m radius is then off by 16 cm."""
CELL_M = 10.0
"""m, side of a cell of the lookup grid."""
LONGEST_FINE_M = 10_000.0
"""m. On a longer line nodes and cells grow in proportion, so that indexing takes at most a second."""
MARGIN_M = 150.0
"""m off the line up to which positions are projected exactly: pit lanes and run-off areas lie within."""
REACH = 6
"""Nodes tried on either side of the one looked up."""
POSITIONS = 4_096
"""Positions projected at once. Each takes half a kB meanwhile: more of them do not fit into the processor's cache."""


class ReferenceLine:
    """A closed line of one lap, from the finish line on, in driving direction.

    Projection uses elementwise arithmetic only: a position gives the same bits alone or in a batch.
    """

    def __init__(self, outline: Sequence[tuple[float, float]]) -> None:
        """``outline``: X, Y in 1/10 m; the last point joins the first."""
        points = np.array(outline, dtype=np.float64) / 10.0
        # A recorded lap may overlap itself at the finish line: its last point can lie past the first.
        points = np.vstack([points[:-1], points[:1]])
        chords = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
        points = points[np.concatenate([[True], chords > 0])]
        along = np.concatenate([[0.0], np.cumsum(np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1)))])
        self._coarse = max(along[-1] / LONGEST_FINE_M, 1.0)
        nodes = max(int(along[-1] / (NODE_M * self._coarse)), 8)
        at = np.arange(nodes) * (along[-1] / nodes)
        self._x: Floats = np.interp(at, along, points[:, 0])
        self._y: Floats = np.interp(at, along, points[:, 1])
        self._dx: Floats = np.roll(self._x, -1) - self._x
        self._dy: Floats = np.roll(self._y, -1) - self._y
        squared = self._dx**2 + self._dy**2
        self._chord: Floats = np.sqrt(squared)
        self._inverse: Floats = np.divide(1.0, squared, out=np.zeros_like(squared), where=squared > 1e-6)
        self._along: Floats = np.concatenate([[0.0], np.cumsum(self._chord)[:-1]])
        self.length_m = max(float(self._chord.sum()), 1.0)
        self._index_cells()

    def _index_cells(self) -> None:
        """For each cell of a grid over the circuit, the nearest node."""
        self._cell_m = cell_m = CELL_M * self._coarse
        self._left, self._bottom = self._x.min() - MARGIN_M, self._y.min() - MARGIN_M
        self._columns = int((self._x.max() + MARGIN_M - self._left) / cell_m) + 1
        self._rows = int((self._y.max() + MARGIN_M - self._bottom) / cell_m) + 1
        centre_y = self._bottom + (np.arange(self._rows) + 0.5) * cell_m
        self._nearest = np.empty((self._columns, self._rows), np.int64)
        away_y = (self._y[None] - centre_y[:, None]) ** 2
        for column in range(self._columns):
            centre_x = self._left + (column + 0.5) * cell_m
            self._nearest[column] = np.argmin((self._x[None] - centre_x) ** 2 + away_y, axis=1)

    def project(self, x: Floats, y: Floats) -> Floats:
        """Metres along the lap, 0 <= s <= length, of positions in 1/10 m; shape (n,) to (n,)."""
        starts = range(0, max(len(x), 1), POSITIONS)
        return np.concatenate([self._project(x[at : at + POSITIONS], y[at : at + POSITIONS]) for at in starts])

    def _project(self, x: Floats, y: Floats) -> Floats:
        x, y = x / 10.0, y / 10.0
        column = np.clip(((x - self._left) / self._cell_m).astype(np.int64), 0, self._columns - 1)
        row = np.clip(((y - self._bottom) / self._cell_m).astype(np.int64), 0, self._rows - 1)
        node = (self._nearest[column, row][:, None] + np.arange(-REACH, REACH + 1)) % len(self._x)
        from_x, from_y = x[:, None] - self._x[node], y[:, None] - self._y[node]
        share = (from_x * self._dx[node] + from_y * self._dy[node]) * self._inverse[node]
        share = np.clip(share, 0.0, 1.0)
        off = (from_x - share * self._dx[node]) ** 2 + (from_y - share * self._dy[node]) ** 2
        best = np.argmin(off, axis=1)
        each = np.arange(len(x))
        node, share = node[each, best], share[each, best]
        along: Floats = self._along[node] + share * self._chord[node]
        return along
