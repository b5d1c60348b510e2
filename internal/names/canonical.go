package names

// Canonical names outside the blocks, and how the others begin.
const (
	Embedding = Backbone + "embeddings.weight"
	FinalNorm = Backbone + "norm_f.weight"
	Head      = "lm_head.weight"

	Backbone = "backbone."          // names saved from the bare MambaModel lack it; transformers loads either silently, and so does loader
	Blocks   = Backbone + "layers." // of a block; its index follows
)

// MultiToken starts the names of the layers that predict further tokens, which stand beside a hybrid's network and which
// transformers ignores.
const MultiToken = "mtp."

// blockPrefix starts the patterns of tensors that every block has; {i} is the block's index.
const blockPrefix = Blocks + "{i}."

// embeddingOriginal is the embedding's name in the original layout, the only one that differs.
const embeddingOriginal = Backbone + "embedding.weight"
