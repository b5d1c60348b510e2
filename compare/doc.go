// Package compare answers whether two checkpoints hold the same model, whatever their layouts, and what a conversion
// cost: Diff and Fingerprint read weights and settings, NewReceipt runs both models as well.
package compare
