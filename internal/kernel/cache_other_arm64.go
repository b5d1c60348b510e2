//go:build !purego && !linux && !darwin

package kernel

// secondLevelCache returns 0: the system does not say.
func secondLevelCache() int { return 0 }
