"""How the shipped pipeline was made: annotated texts, networks in torch, the recipe. Mining needs none of this, nor torch."""
