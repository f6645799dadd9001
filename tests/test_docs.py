"""Nothing drifts: generated pages, examples, the changelog, the README's commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from elman import __version__

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("page", ["settings.md", "cli.md", "performance.md", "memory.md"])
def test_generated_pages_are_fresh(page):
    """`make docs` writes them anew."""
    code = f"import generate; print(generate.PAGES[{page!r}](), end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "docs")
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == done.stdout


def test_the_site_builds_and_its_programs_run(tmp_path):
    """Strict: a broken link or an error in a page's program ends it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "mean squared error at the end" in (tmp_path / "tutorial" / "gates.html").read_text(encoding="utf-8")


def test_every_example_is_on_the_page_of_examples():
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert set(re.findall(r'"examples/(\w+)\.py"', page)) == {path.stem for path in EXAMPLES}


def test_the_changelog_is_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[?(\d[^\]\s]*)", text, re.M).group(1) == __version__


def test_the_readme_shows_commands_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    shown = re.findall(r"^\s*make ([a-z]+)", text, re.M)
    assert {"demo", "test"} <= set(shown) <= set(targets)
    from elman.cli._app import app

    commands = {c.callback.__name__ for c in app.registered_commands}
    assert set(re.findall(r"^\s*elman ([a-z]+)", text, re.M)) <= commands


def test_links_in_the_documents_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_no_extra_is_named_that_does_not_exist():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in (ROOT / "src").rglob("*.py"):
        for extra in re.findall(r'MissingExtraError\("[^"]*", "([a-z]+)"\)', path.read_text(encoding="utf-8")):
            assert extra in extras
