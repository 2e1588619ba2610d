"""kgbuild: from a fashion catalogue to a multi-modal knowledge graph and an image-text model trained with it.

The map, in the order of the pipeline (stage: tables it reads -> tables it writes):

    ingest              catalogue -> products, texts, images, pictures, rejects
    mentions            texts, products -> mentions                        (language/)
    synonyms            mentions, texts, products -> synonyms, phrases     (language/)
    head_edges          mentions, phrases, texts, products -> heads, head_edges, product_categories   (hierarchy/)
    concepts            mentions, phrases, texts, heads, head_edges, product_categories -> concepts, product_concepts   (language/)
    hierarchy           concepts, head_edges -> is_a_edges                       (hierarchy/)
    image_embeddings    images, pictures -> image_embeddings               (embeddings/)
    concept_embeddings  concepts -> concept_embeddings                     (embeddings/)
    prototypes          all of the above -> candidate_pools, prototypes    (prototypes/)
    batches             -> batch_plan                                      (batches/)
    graph               -> nodes, edges, then the store                    (graph/)

Imports go one way: contracts (tables, config, ports, errors, identity, domains, pictures, vectors, subsumption) <- clip <- stages (ingest,
language, hierarchy, embeddings, prototypes, batches, training, retrieval) <- edges of the world (graph, release, runners,
stages, serve) <- cli, flows. Stage packages never import each other: they meet in tables. `tests/test_layers.py` walks the imports and
enforces this.

Importing this package imports neither torch nor spaCy.
"""

__version__ = "0.1.0"
