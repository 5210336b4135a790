"""``python -m tests.support.folder_circles PACKAGE ...``: no two folders of the code may import each other.

A folder is a package with the modules directly in it.  A module at the root of a top-level package (``rag/answer.py``)
counts as a folder of its own, and so does each ``__main__``: a command may import everything, and nothing imports a
command.  Longer circles (a -> b -> c -> a) are found as well.  Exit code: 0 without a circle, 1 with one.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence

import grimp

Imports = Mapping[str, Mapping[str, Sequence[tuple[str, str]]]]
"""By importing and imported folder: the pairs (importing module, imported module)."""


def folder_of(module: str, packages: frozenset[str]) -> str:
    """Return the folder that a module belongs to.

    >>> packages = frozenset({"rag", "rag.text"})
    >>> [folder_of(name, packages) for name in ("rag.text", "rag.text.dates", "rag.answer", "rag.text.__main__")]
    ['rag.text', 'rag.text', 'rag.answer', 'rag.text.__main__']
    """
    folder, _, name = module.rpartition(".")
    if module in packages or "." not in folder or name == "__main__":
        return module
    return folder


def imports_between_folders(packages: Sequence[str]) -> Imports:
    """Return the imports that lead from one folder to another; those inside functions count."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    folders = frozenset(name for name in graph.modules if graph.find_children(name)) | set(packages)
    found: dict[str, dict[str, list[tuple[str, str]]]] = defaultdict(lambda: defaultdict(list))
    for importer in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            first, second = folder_of(importer, folders), folder_of(imported, folders)
            if first != second:
                found[first][second].append((importer, imported))
    return found


def circles(imports: Imports) -> list[list[str]]:
    """Return a shortest circle through each folder that is on one; each circle is listed once."""
    found: dict[frozenset[str], list[str]] = {}
    for folder in sorted(imports):
        circle = _shortest_circle(folder, imports)
        if circle:
            found.setdefault(frozenset(circle), circle)
    return list(found.values())


def _shortest_circle(start: str, imports: Imports) -> list[str]:
    paths, seen = [[start]], {start}
    for path in paths:  # grows while it is walked: breadth first
        for following in sorted(imports.get(path[-1], ())):
            if following == start:
                return path
            if following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return []


def described(circle: Sequence[str], imports: Imports) -> list[str]:
    """Return the circle as lines, with an import for each of its steps."""
    steps = zip(circle, [*circle[1:], circle[0]], strict=True)
    lines = [" -> ".join([*circle, circle[0]])]
    return lines + ["    {} imports {}".format(*imports[first][second][0]) for first, second in steps]


def main(packages: Sequence[str]) -> int:
    """Print the circles and return the exit code."""
    imports = imports_between_folders(packages)
    found = circles(imports)
    for circle in found:
        print(*described(circle, imports), sep="\n")
    print(f"Circles between folders: {len(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
