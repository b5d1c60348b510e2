// Package layout opens the files of a checkpoint, in whatever layout it is: Hugging Face, the original one of mamba_ssm,
// mistral's, GGUF. It finds out the layout, reads the configuration in its dialect, maps the weights, and gives tensors
// their canonical names. Whether they fit the configuration is for package loader to judge; package doctor opens in parts
// what cannot be opened as a whole.
package layout
