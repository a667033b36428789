from site_gen.bibtex import bibtex
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
