"""The picture of what is taken for what: well-formed, every pair once, and small however many labels there are."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tlx.reports.confusion import draw

SVG = "{http://www.w3.org/2000/svg}"


def pairs_in(svg: str) -> list[str]:
    """What a pointer is told of each cell."""
    root = ElementTree.fromstring(svg)
    return [rect.findtext(f"{SVG}title") or "" for rect in root.iter(f"{SVG}rect") if rect.get("class") == "pair"]


def test_every_pair_is_a_cell() -> None:
    svg = draw(["a", "b<&>", "c\u202e"], [("a", "b<&>", 3), ("a", "a", 1), ("c\u202e", "a", 12_000)])
    assert sorted(pairs_in(svg)) == sorted(
        ["a → b<&>: 3 of 4", "a → a: 1 of 4", "c\\u202e → a: 12,000 of 12,000"],
    )
    assert "12,004 examples, of which 12,003 wrongly" in svg
    assert ">12k<" in svg


def test_of_very_many_labels_those_with_the_most_mistakes_are_drawn() -> None:
    names = [f"label {i}" for i in range(500)]
    pairs = [(name, name, 10) for name in names] + [("label 7", "label 450", 5), ("label 450", "label 7", 2)]
    svg = draw(names, pairs)
    assert len(svg) < 60_000
    assert "the 40 of 500 labels with the most mistakes" in svg
    assert "label 7 → label 450: 5 of 15" in pairs_in(svg)
    assert ElementTree.fromstring(draw([], [])).tag == f"{SVG}svg"


NOT_IN_XML = [*map(chr, range(32)), "\ud800", "\udfff", "\ufffe", "\uffff"]  # all but Char of XML 1.0: one of each kind


@given(st.text())
def test_it_is_xml_whatever_labels_are_called(name: str) -> None:
    names = [f"{letter}{name}{i}" for i, letter in enumerate([*NOT_IN_XML, "]]>", "&"])]
    assert len(pairs_in(draw(names, [(one, names[0], 1) for one in names]))) == len(names)
