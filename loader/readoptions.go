package loader

// ReadOptions configure work that reads all the weights of a checkpoint. The zero value is a good default.
type ReadOptions struct {
	Threads  int                     // threads to use; 0: all cores. The result is the same
	Progress func(done, total int64) // called with bytes of tensors; may be nil
}
