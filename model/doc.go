// Package model is the network: weights, state, forward pass, generation.
//
// # Glossary
//
// Names are those of the Mamba papers (Gu and Dao 2023, arXiv:2312.00752; Dao and Gu 2024, arXiv:2405.21060) and of
// their reference code:
//
//	B        sequences in a batch
//	T        tokens of each sequence
//	D        hidden_size, d_model
//	I        intermediate_size, d_inner = expand · D: channels of the mixer
//	N        state_size, d_state: states of one channel
//	K        conv_kernel, d_conv: taps of the causal convolution
//	R        time_step_rank, dt_rank
//	V        vocab_size
//	L        num_hidden_layers
//	H, P     num_heads and head_dim of Mamba-2; I = H·P
//	G        n_groups of Mamba-2: head h reads B and C of group h / (H/G)
//	C        channels of the convolution: I, in Mamba-2 I + 2·G·N
//	q, kv    heads of queries, and of keys and values; hd channels of each
//	F        width of a feed-forward block, or of an expert
//	E, k     experts, and how many of them each token passes through; Z the width of their inputs, if it is not D
//
//	dt       Δ, the step size of the discretisation, one for each channel and token, in Mamba-2 for each head
//	A, D     parameters of the state space model, stored as A_log and D
//	B, C     its input and output maps, which depend on the token: the selection
//	h, s     the SSM state, [I, N] for one sequence, in Mamba-2 [H, P, N]
//	x, z     parts of in_proj's output: what is scanned and what gates it
//
// # Three kinds of data
//
// A Model holds weights, which are read-only and can be shared by any number of goroutines. A Cache holds the recurrent state
// of some sequences: the named states of every layer, in the shapes that Hugging Face uses. Scratch memory belongs to one call;
// its size depends on the chunk size, not on the length of the prompt.
//
// A model is a list of layers, and a layer a list of steps, hidden += block(norm(hidden)); see block.go. Every kind of block
// has a file: mamba1.go is the mixer of Mamba-1 and FalconMamba, mamba2.go and mamba3.go those of Mamba-2 and Mamba-3.
// attention.go, mlp.go and experts.go are the other blocks of hybrids, and routes.go chooses experts. A block lists the states
// that it keeps and the scratch memory that it needs.
//
// A forward pass always continues from a cache. A prompt continues from an empty one, and a generation step is a pass over one
// token. Results have the same bits for every split of a prompt, batch, padding and number of threads.
package model
