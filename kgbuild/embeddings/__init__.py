"""images, concepts -> image_embeddings, concept_embeddings: each distinct picture and text is computed once.

`embed_images` is a map over shards of `images`, `embed_concepts` over `concepts`, `embed_texts` serves whoever has texts;
`EmbeddingCache` keeps embeddings by content and model; `search_top_k` finds nearest neighbours exactly, block by block, with `torch_coarse`
on a GPU; `embed_file` is what `kgbuild embed` does.
"""

from kgbuild.embeddings.cache import EmbeddingCache, text_key
from kgbuild.embeddings.embed import embed_concepts, embed_images, embed_pictures, embed_texts
from kgbuild.embeddings.file import embed_file
from kgbuild.embeddings.search import torch_coarse
from kgbuild.vectors import search_top_k

__all__ = [
    "EmbeddingCache",
    "embed_concepts",
    "embed_file",
    "embed_images",
    "embed_pictures",
    "embed_texts",
    "search_top_k",
    "text_key",
    "torch_coarse",
]
