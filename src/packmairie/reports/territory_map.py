# SPDX-License-Identifier: GPL-3.0-or-later
"""The dot map: from degrees to points of a drawing, for the HTML report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians

from packmairie.model.preuve import State
from packmairie.registry.table import table
from packmairie.reports.status_report import Place, Section, StatusReport
from packmairie.reports.wording import printable

WIDTH = 720
MARGIN = 26
MAXIMUM_HEIGHT = 720
LABELLED_COMMUNES = 12
"""Up to this many communes carry their name on the map."""

_SMALLEST_SPREAD = 0.05
"""Degrees that the map shows at least, so that a single commune is not magnified to nothing."""
_EDGE = 100
"""Points from a side within which a centred name could be cut."""
_LETTER = 15
"""Points that a letter of a label takes at most, on the narrowest screen."""
_TOO_CLOSE = 34
"""Points between two labels under which they would overlap."""


@dataclass(frozen=True)
class Mark:
    """One commune on the map, in points of the drawing."""

    x: float
    y: float
    state: State
    code: str
    name: str
    label_on_left: bool


@dataclass(frozen=True)
class Landmark:
    """A town written on the map, by which a reader finds his own."""

    x: float
    y: float
    name: str
    anchor: str
    """SVG ``text-anchor``: away from an edge that would cut the name."""


@dataclass(frozen=True)
class TerritoryMap:
    """Everything the template draws. ``background`` is the data of one SVG path made of dots."""

    width: int
    height: int
    background: str
    landmarks: tuple[Landmark, ...]
    marks: tuple[Mark, ...]
    with_names: bool


@dataclass(frozen=True)
class Projection:
    """Equirectangular projection scaled on the middle latitude.

    Over the 150 km of two departments it differs from Lambert-93 by less than the size of a dot.
    """

    west: float
    north: float
    longitude_scale: float
    latitude_scale: float

    def point(self, latitude: float, longitude: float) -> tuple[float, float]:
        """Given WGS84 degrees, return the point of the drawing."""
        x = MARGIN + (longitude - self.west) * self.longitude_scale
        y = MARGIN + (self.north - latitude) * self.latitude_scale
        return round(x, 1), round(y, 1)


def projection_of(points: Sequence[tuple[float, float]]) -> tuple[Projection, int, int]:
    """Given at least one (latitude, longitude), return the projection that shows them all, its width and height."""
    latitudes = [latitude for latitude, _ in points]
    longitudes = [longitude for _, longitude in points]
    middle = (min(latitudes) + max(latitudes)) / 2
    narrowing = max(cos(radians(middle)), 0.01)
    tall = max(max(latitudes) - min(latitudes), _SMALLEST_SPREAD)
    wide = max(max(longitudes) - min(longitudes), _SMALLEST_SPREAD / narrowing)
    scale = min((WIDTH - 2 * MARGIN) / (wide * narrowing), (MAXIMUM_HEIGHT - 2 * MARGIN) / tall)
    projection = Projection(min(longitudes), max(latitudes), scale * narrowing, scale)
    return projection, round(wide * narrowing * scale + 2 * MARGIN), round(tall * scale + 2 * MARGIN)


def registry_territory(departements: Iterable[str]) -> tuple[Place, ...]:
    """Given department codes, return every commune that the register knows there, the main towns by their name."""
    wanted = frozenset(departements)
    rows = [row for row in table().values() if row.departement in wanted]
    named = landmarks((row.insee, row.population, row.latitude, row.longitude) for row in rows)
    return tuple(Place(row.latitude, row.longitude, row.nom if row.insee in named else "") for row in rows)


def draw(report: StatusReport) -> TerritoryMap | None:
    """Given a report, return its map, or None when no commune has coordinates to show."""
    located = [section for section in report.commune_sections if section.commune is not None]
    if not located:
        return None
    coordinates = [_coordinates(section) for section in located]
    territory = [(place.latitude, place.longitude) for place in report.territory]
    projection, width, height = projection_of([*coordinates, *territory])
    marks = tuple(
        _mark(section, projection.point(*where), width) for section, where in zip(located, coordinates, strict=True)
    )
    with_names = len(marks) <= LABELLED_COMMUNES
    return TerritoryMap(
        width=width,
        height=height,
        background="".join(f"M{x:g} {y:g}h0" for x, y in (projection.point(*where) for where in territory)),
        landmarks=_landmarks(report.territory, projection, width, marks if with_names else ()),
        # What needs attention is drawn last, over the rest.
        marks=tuple(sorted(marks, key=lambda mark: (list(_DRAWING_ORDER).index(mark.state), mark.code))),
        with_names=with_names,
    )


def landmarks(towns: Iterable[tuple[str, int, float, float]], number: int = 7, apart: float = 0.28) -> frozenset[str]:
    """Given towns (key, population, latitude, longitude), return the keys of those worth naming on a map.

    The most populous first, leaving out any that is within ``apart`` degrees of one already kept.
    """
    kept: list[tuple[str, float, float]] = []
    for key, _, latitude, longitude in sorted(towns, key=lambda town: (-town[1], town[0])):
        if len(kept) == number:
            break
        if all(hypot(latitude - north, (longitude - east) * 0.64) >= apart for _, north, east in kept):
            kept.append((key, latitude, longitude))
    return frozenset(key for key, _, _ in kept)


_DRAWING_ORDER = (State.CONFORME, State.NON_VERIFIE, State.NON_CONFORME)


def _coordinates(section: Section) -> tuple[float, float]:
    if section.commune is None:
        raise ValueError("only a known commune has coordinates")
    return section.commune.latitude, section.commune.longitude


def _mark(section: Section, point: tuple[float, float], width: int) -> Mark:
    x, y = point
    overflows = x + _LETTER * len(section.name) > width
    return Mark(x, y, section.state, section.code, section.name, label_on_left=overflows and x > width / 2)


def _landmarks(
    territory: Iterable[Place], projection: Projection, width: int, marks: Sequence[Mark]
) -> tuple[Landmark, ...]:
    found = []
    for place in territory:
        if not place.name:
            continue
        x, y = projection.point(place.latitude, place.longitude)
        if all(abs(mark.y - y) > _TOO_CLOSE / 2 or abs(mark.x - x) > 4 * _TOO_CLOSE for mark in marks):
            anchor = "start" if x < _EDGE else "end" if x > width - _EDGE else "middle"
            found.append(Landmark(x, y, printable(place.name), anchor))
    return tuple(found)
