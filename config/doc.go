// Package config reads, checks and writes the hyper-parameters of Mamba checkpoints.
//
// A configuration is resolved once: ParseHF fills in every default of the transformers class and computes what
// derives from it, so no field means "default" afterwards. Each family is one file: a struct around Common, a table of
// fields, and an entry. A field has its type and range, its spelling in every layout, and what it decides (see Decides);
// sizes have symbols (see Sizes); the entry says what the family is called and how mamba_ssm and llama.cpp write it.
// Reading, checking and writing derive from these, and so do the answers to what tensors show (see Fit), whether two
// configurations make the same model, and what may be missing from a damaged one.
//
// The fields of MambaConfig, with the symbols of the Mamba paper (arXiv:2312.00752, section 3 and algorithm 2) and the
// defaults of transformers 5.24:
//
//	HF key                    symbol  default             meaning
//	architectures             -       MambaForCausalLM    model classes
//	vocab_size                V       50280               rows of embedding and head, padding included
//	hidden_size               D       768                 width of the residual stream, d_model
//	state_size                N       16                  states per channel, d_state
//	num_hidden_layers         L       32                  blocks
//	layer_norm_epsilon        eps     1e-05               added to the mean square in every RMSNorm
//	pad_token_id              -       0                   or null
//	bos_token_id              -       0                   or null
//	eos_token_id              -       0                   or a list, or null
//	expand                    E       2                   intermediate_size / hidden_size
//	intermediate_size         E*D, I  expand*hidden_size  channels of convolution and scan, d_inner; a stated value wins
//	conv_kernel               K       4                   width of the causal convolution, d_conv
//	time_step_rank            R       "auto"              rank of the projection to dt, dt_rank; auto is ceil(hidden_size/16)
//	use_bias                  -       false               bias in in_proj and out_proj
//	use_conv_bias             -       true                bias in conv1d
//	hidden_act                sigma   "silu"              activation after the convolution and of the gate
//	residual_in_fp32          -       true                float32 residual stream when weights are narrower
//	tie_word_embeddings       -       true                the head is the embedding
//	torch_dtype, dtype        -       absent              type the weights were saved in
//	output_hidden_states      -       false               whether transformers returns every block's output
//	use_cache                 -       true                whether transformers returns the states
//	use_mambapy               -       false               transformers' choice of kernel
//	use_associative_scan      -       true                transformers' choice of kernel
//	initializer_range         -       0.1                 deviation of the initial weights
//	rescale_prenorm_residual  -       false               out_proj starts divided by sqrt(L)
//	time_step_min             dt_min  0.001               initial dt, lower end
//	time_step_max             dt_max  0.1                 initial dt, upper end
//	time_step_floor           -       0.0001              initial dt is at least this
//	time_step_scale           -       1.0                 initial dt_proj weight, times R^-0.5
//	time_step_init_scheme     -       "random"            or "constant": distribution of that weight
//
// MambaSSMConfig is of the original layout alone: a configuration of Mamba or Mamba-2 with keys of mamba_ssm beside it.
// In hybrids layers differ in their blocks, or have several (see Blocks). If the class of a hybrid has another name for a field of
// Common, the comment of its struct says so.
package config
