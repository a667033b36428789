import re

import pytest

from site_gen.bibtex import bibtex, keys
from site_gen.front_matter import Paper


def test_a_preprint_is_misc_with_its_arxiv_number():
    paper = Paper(
        "Adam: A Method for 100% & more",
        ("Diederik P. Kingma", "Jimmy Ba"),
        2014,
        arxiv="1412.6980",
    )
    assert bibtex(paper) == (
        "@misc{kingma2014adam,\n"
        "  title         = {{Adam: A Method for 100\\% \\& more}},\n"
        "  author        = {Diederik P. Kingma and Jimmy Ba},\n"
        "  year          = {2014},\n"
        "  eprint        = {1412.6980},\n"
        "  archiveprefix = {arXiv},\n"
        "  url           = {https://arxiv.org/abs/1412.6980}\n"
        "}"
    )


def test_a_paper_with_a_venue_is_in_proceedings():
    entry = bibtex(
        Paper("On the Variance", ("Liyuan Liu",), 2020, venue="ICLR", arxiv="1908.03265")
    )
    assert entry.startswith("@inproceedings{liu2020variance,")
    assert "booktitle     = {ICLR}" in entry


def test_a_paper_with_a_doi_alone_is_an_article_and_its_key_is_ascii():
    entry = bibtex(Paper("Über alles", ("José Müller",), 1999, doi="10.1000/x"))
    assert entry.startswith("@article{muller1999uber,")
    assert "doi           = {10.1000/x}" in entry


@pytest.mark.parametrize(
    ("venue", "kind", "fields"),
    [
        ("ICLR", "inproceedings", {"booktitle": "ICLR"}),
        ("ICLR Workshop", "inproceedings", {"booktitle": "ICLR Workshop"}),
        ("ICML 2020", "inproceedings", {"booktitle": "ICML 2020"}),
        ("University of Toronto", "techreport", {"institution": "University of Toronto"}),
        ("TMLR", "article", {"journal": "TMLR"}),
        ("Journal of Hills & Dales", "article", {"journal": r"Journal of Hills \& Dales"}),
        (
            "Mathematical Programming 45",
            "article",
            {"journal": "Mathematical Programming", "volume": "45"},
        ),
        (
            "SIAM Journal on Control 30 (4)",
            "article",
            {"journal": "SIAM Journal on Control", "volume": "30", "number": "4"},
        ),
        ("IEEE International Conference on Networks", "inproceedings", None),
    ],
)
def test_the_kind_of_an_entry_follows_from_the_venue(venue, kind, fields):
    entry = bibtex(Paper("A Title", ("Ann Zu",), 2000, venue=venue, doi="10.1000/x"))
    found = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.M))
    assert entry.startswith(f"@{kind}{{")
    venues = {"booktitle", "institution", "journal", "volume", "number", "howpublished"}
    shown = {name: text for name, text in found.items() if name in venues}
    assert shown == (fields or {"booktitle": venue})


def test_a_lecture_says_how_it_was_published():
    entry = bibtex(Paper("Lecture 6", ("Ann Zu",), 2012, venue="A course", url="https://a.b/c"))
    assert entry.startswith("@misc{")
    assert "howpublished  = {A course}" in entry


def test_keys_are_made_different():
    papers = [
        Paper("Some One", ("Ann Zu",), 2000, url=f"https://example.org/{number}")
        for number in (1, 2, 1, 3)
    ]
    assert keys(papers) == {
        "https://example.org/1": "zu2000some",
        "https://example.org/2": "zu2000someb",
        "https://example.org/3": "zu2000somec",
    }
