"""concepts -> is_a_edges: which concept is a kind of which, as a transitively reduced DAG.

`build_hierarchy` draws the edges from the concepts' modifiers; `expand_hierarchy` puts new concepts in their place and gives the
same table. The rest answers questions to the edges: their closure, what is above or below a concept, the roots, the tree view with
one hypernym each, the longest chains, and the reduction of edges from elsewhere.
"""

from kgbuild.hierarchy.build import RULES, build_hierarchy, expand_hierarchy
from kgbuild.hierarchy.dag import (
    ancestors,
    closure,
    descendants,
    longest_chains,
    primary_hypernyms,
    roots,
)
from kgbuild.hierarchy.reduction import transitive_reduction
from kgbuild.hierarchy.tree import tree_lines

__all__ = [
    "RULES",
    "ancestors",
    "build_hierarchy",
    "closure",
    "descendants",
    "expand_hierarchy",
    "longest_chains",
    "primary_hypernyms",
    "roots",
    "transitive_reduction",
    "tree_lines",
]
