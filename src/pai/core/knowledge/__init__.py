"""Collections, documents, retrieval and answers with proof."""
