"""What names in code mean, and where they lead."""

import pkgutil
import re
from dataclasses import replace

import pytest

from site_gen.chapters import Chapter, Reading, load
from site_gen.config import read_settings
from site_gen.course import Course
from site_gen.identifiers import analyse
from site_gen.inventory import read_inventory
from site_gen.resolution import External, Place
from tests.site_gen.modules import ROOT
from tests.site_gen.test_course import chapter, failure

TORCH = {
    "file": "torch.txt",
    "url": "https://docs.example.org/stable",
    "page": "generated/{name}.html",
    "methods": "torch.Tensor",
    "in_index": True,
}
NAMES = """\
# Names.
torch torch.html
torch.Tensor tensors.html#{name}  # the class
torch.Tensor.lerp_
torch.Tensor.sqrt
torch.Tensor.requires_grad_
torch.nn.Module.requires_grad_
torch.nn.functional.pad
torch.optim.Optimizer.zero_grad
torch.nn.init.* nn.init.html#{name}
"""


def targets(code: str, module: str = "rules.new", is_package: bool = False) -> dict[str, str]:
    """Every name of a module as `line:column text`, and the path it means."""
    found = analyse(code, module, is_package).references
    for item in found:
        assert code.split("\n")[item.line - 1][item.column :].startswith(item.text)
    return {f"{item.line}:{item.column} {item.text}": item.target for item in found}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a.b as c\nc.d", {"1:7 a": "a", "1:9 b": "a.b", "2:0 c": "a.b", "2:2 d": "a.b.d"}),
        ("import a.b\na.b.c", {"1:7 a": "a", "1:9 b": "a.b", "2:0 a": "a", "2:2 b": "a.b"}),
        ("from a import b as c\nc", {"1:5 a": "a", "1:14 b": "a.b", "2:0 c": "a.b"}),
        ("from . import b\nb()", {"1:14 b": "rules.b", "2:0 b": "rules.b"}),
        ("from ..a import b", {"1:7 a": "a", "1:16 b": "a.b"}),
        ("def f(): return X\nX = 1", {"1:16 X": "rules.new.X"}),
        ("X = 1\ndef f(X): return X", {}),
        ("X = 1\ndef f():\n  X = 2\n  return X", {}),
        ("X = 1\ndef f():\n  global X\n  X = X", {"4:6 X": "rules.new.X"}),
        ("X = 1\nf = lambda X: X", {}),
        ("X = 1\ny = [X for X in X]", {"2:16 X": "rules.new.X"}),
        ("X = 1\ny = {X: z for z in X}", {"2:5 X": "rules.new.X", "2:19 X": "rules.new.X"}),
        ("X = 1\ndef f():\n  try: pass\n  except E as X: X", {}),
        ("X = 1\ndef f(y):\n  match y:\n    case [X, *_]: X", {}),
        ("def f():\n  def g(): pass\n  g()", {"3:2 g": "rules.new.f.g"}),
        ("print(len(x))", {}),
        ("f'{X}'\nX = 1\nö = X", {"3:4 X": "rules.new.X"}),
    ],
)
def test_names_mean_what_their_scope_says(code, expected):
    found = targets(code)
    assert {key: value for key, value in found.items() if key in expected} == expected
    assert bool(found) == bool(expected)


METHODS = """\
from a import Base, Tensor
class C(Base):
    K = 1
    def f(self, t: Tensor, u, v: Tensor):
        self.g(self.K)
        super().f(t)
        t.sqrt().lerp_(u)
        u.lerp_(t)
        u.shape
        v = u
        v.sqrt()
    @classmethod
    def g(cls): cls.f()
    @staticmethod
    def h(x): x.f()
    def K2(self): return K
"""


def test_members_are_known_where_the_class_of_the_object_is():
    found = targets(METHODS)
    assert found["5:13 g"] == "rules.new.C.g"
    assert found["5:20 K"] == "rules.new.C.K"
    assert found["6:16 f"] == "rules.new.C.f"
    assert found["7:10 sqrt"] == "a.Tensor.sqrt"
    assert found["7:17 lerp_"] == ".lerp_"
    assert found["8:10 lerp_"] == ".lerp_"
    assert "9:10 shape" not in found
    assert found["11:10 sqrt"] == ".sqrt"
    assert found["13:20 f"] == "rules.new.C.f"
    assert found["15:16 f"] == ".f"
    assert not [key for key in found if key.startswith("16:")]
    names = analyse(METHODS, "rules.new")
    assert names.bases == {"C": ("a.Base",)}
    assert [item.inherited for item in names.references if item.line == 6] == [True]
    assert [item.text for item in names.references if item.kind == "base"] == ["Base"]


def test_a_package_imports_from_itself():
    assert targets("from .a import b", "rules", True)["1:15 b"] == "rules.a.b"


@pytest.fixture
def linked(course):
    """The fixture course with an inventory, and a package that hands a class on."""
    course.write("torch.txt", NAMES)
    course.settings(inventories=[TORCH])
    course.write("rules/__init__.py", "from rules.momentum import Momentum as Heavy\n")
    return course


def hrefs(html: str) -> dict[str, str]:
    code = "".join(re.findall(r"<pre>.*?</pre>", html, re.S))
    links = re.findall(r'<a (?!class="lit-n)(?:class="\w+" )?href="([^"]*)"[^>]*>(.*?)</a>', code)
    return {text: address for address, text in links}


def test_names_in_code_lead_to_pages_of_the_course_and_to_other_documentation(linked):
    code = (
        "import torch\n"
        "from torch.nn import functional, init\n"
        "from rules import Heavy\n"
        "from rules.descent import *\n"
        "class Faster(Heavy):\n"
        '    """Faster."""\n'
        "    def step(self, x):\n"
        "        super().step(x)\n"
        "        x.lerp_(LIMIT).requires_grad_()\n"
        "        self.nesterov\n"
        "        functional.pad(init.ones_, x.shape)\n"
        "        return helper\n"
        "LIMIT = 2\n"
        "def helper(): ...\n"
    )
    linked.write("rules/new.py", chapter(code=code))
    linked.generate()
    assert hrefs(linked.page("new")) == {
        "torch": "https://docs.example.org/stable/torch.html",
        "Heavy": "../momentum/#Momentum",
        "descent": "../descent/",
        "step": "../momentum/#Momentum.step",
        "nesterov": "../momentum/#Momentum.nesterov",
        "lerp_": "https://docs.example.org/stable/generated/torch.Tensor.lerp_.html",
        "pad": "https://docs.example.org/stable/generated/torch.nn.functional.pad.html",
        "ones_": "https://docs.example.org/stable/nn.init.html#torch.nn.init.ones_",
        "LIMIT": "#line-23",
        "helper": "#helper",
    }


def test_a_page_says_who_uses_what_it_defines(linked):
    code = "from rules.momentum import Momentum, largest_rate\n\n\nclass A(Momentum):\n    pass\n"
    linked.write("rules/new.py", chapter("New", code=code))
    linked.write(
        "rules/other.py",
        chapter("Other <b>", "1.3", code="from rules import momentum\nmomentum.largest_rate(1)\n"),
    )
    linked.generate()
    html = linked.page("momentum")
    used = html[html.index('id="used-by"') :]
    assert (
        '<li>Inherit from <a href="#Momentum"><code>Momentum</code></a>: '
        '<a href="../new/#line-14">New</a></li>'
    ) in used
    assert (
        '<li>Use <a href="#largest_rate"><code>largest_rate</code></a>: '
        '<a href="../new/#line-11">New</a>, <a href="../other/#line-12">Other &lt;b&gt;</a></li>'
    ) in used
    assert "used-by" not in linked.page("new")


def test_a_method_of_the_course_of_that_name_makes_a_method_uncertain(linked):
    linked.write("rules/new.py", chapter(code="def f(x):\n    x.lerp_()\n"))
    linked.generate()
    assert list(hrefs(linked.page("new"))) == ["lerp_"]
    linked.write(
        "rules/new.py",
        chapter(code="def f(x):\n    x.lerp_()\n\n\nclass C:\n    def lerp_(self): ...\n"),
    )
    linked.generate()
    assert hrefs(linked.page("new")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.b\na-b\n", "torch.txt:2: must be a dotted name and perhaps a page, not 'a-b'"),
        ("a b c\n", "torch.txt:1: must be a dotted name"),
        ("# x\na\na b\n", "torch.txt:3: 'a' stands twice"),
    ],
)
def test_a_wrong_line_of_an_inventory_stops_the_build(linked, text, message):
    linked.write("torch.txt", text)
    assert message in failure(linked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "gone.txt"}, "'file': there is no 'gone.txt'"),
        ({"url": "docs"}, "'url' must start with https://"),
        ({"urls": "x"}, "unknown key 'urls' in inventories"),
    ],
)
def test_wrong_settings_of_an_inventory_are_told(linked, change, message):
    linked.settings(inventories=[TORCH | change])
    assert message in failure(linked)


def test_the_inventory_of_torch_leads_to_pages_and_holds_names_that_exist():
    inventory = read_inventory(
        ROOT / "inventories/torch.txt",
        "https://x.org",
        "generated/{name}.html",
        "torch.Tensor",
        True,
    )
    for name in ("lerp_", "addcdiv_", "addcmul_", "mul_"):
        full = f"torch.Tensor.{name}"
        assert inventory.method(name) == full
        assert inventory.address(full) == f"https://x.org/generated/{full}.html"
    assert inventory.method("requires_grad_") is None
    assert inventory.method("sqrt") is None
    assert inventory.address("torch.nn.Linear.shrink") is None
    assert inventory.address("torch.nn.init.dirac_") == (
        "https://x.org/nn.init.html#torch.nn.init.dirac_"
    )
    for name in inventory.names:
        pkgutil.resolve_name(name.removesuffix(".*"))


def library_chapter(name: str) -> Chapter:
    path = ROOT / f"labml_nn_optim/{name}.py"
    made = load(path, name, f"labml_nn_optim.{name.replace('/', '.')}", Reading(required=True))
    return replace(made, front_matter=replace(made.front_matter, needs=()))


def test_adam_leads_where_a_reader_expects():
    chapters = map(library_chapter, ("optimizers/adam", "base", "weight_decay"))
    course = Course(chapters, read_settings(ROOT / "mkdocs.yml"))
    resolved = course.resolution.of(course.chapters["optimizers/adam"])
    found = {item.reference.text: item.target for item in resolved}
    base, decay = found["GenericAdaptiveOptimizer"], found["WeightDecay"]
    assert isinstance(base, Place)
    assert (base.chapter.name, base.anchor) == ("base", "GenericAdaptiveOptimizer")
    assert isinstance(decay, Place)
    assert decay.anchor == "WeightDecay"
    check = found["check_group"]
    assert isinstance(check, Place)
    assert check.anchor == "GenericAdaptiveOptimizer.check_group"
    for name, page in {
        "lerp_": "generated/torch.Tensor.lerp_.html",
        "zeros_like": "generated/torch.zeros_like.html",
        "sqrt": "library/math.html#math.sqrt",
    }.items():
        target = found[name]
        assert isinstance(target, External)
        assert target.address.endswith(page)
    assert "beta1" not in found
