"""All recipes as the tables of `docs/reproduce.md`. Needs no torch."""

from collections.abc import Iterable
from itertools import groupby

from pointaction.reproduce.recipe import Recipe


def figures_of(recipe: Recipe) -> str:
    """The paper's, in per cent."""
    told = ", ".join(f"{name} {value:.1f}" for name, value in recipe.paper.items())
    return told or "not at hand"


def listing(recipes: Iterable[Recipe]) -> str:
    """Markdown: a table for each paper."""
    parts = []
    for title, group in groupby(recipes, key=lambda recipe: recipe.title):
        lines = [f"### {title}", "", "| recipe | table | row | column | the paper's figures |"]
        lines.append("|---|---|---|---|---|")
        lines += [
            f"| `{each.name}` | {each.table} | {each.row} | {each.column} | {figures_of(each)} |"
            for each in group
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
