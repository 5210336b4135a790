"""What keeps people out of a page, as axe-core finds it, also inside of shadow roots."""

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

_LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """async (levels) => {
  const { violations } = await axe.run(document, {
    runOnly: { type: "tag", values: levels }, resultTypes: ["violations"], elementRef: false,
  });
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).flatMap(({ id, nodes }) =>
    nodes.map(({ target, any, all, none }) => {
      const why = [...any, ...all, ...none].map(({ message }) => message).join("; ");
      return `${id}: ${target.flat(9).join(" >> ")}: ${why}`;
    }));
}"""


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def barriers(page: Page) -> list[str]:
    """Return what is serious or critical by WCAG 2.2 AA: the rule, the element, and why."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(_axe())
    return [str(barrier) for barrier in page.evaluate(_RUN, list(_LEVELS))]
