package parallel

import "fmt"

// MaxThreads bounds the threads of a pool: more than any machine has cores, few enough to start at once.
const MaxThreads = 1024

// CheckThreads reports a number of threads that makes no sense. 0 stands for all cores.
func CheckThreads(n int) error {
	if n < 0 || n > MaxThreads {
		return fmt.Errorf("%d threads: expected 1 to %d, or 0 for all cores", n, MaxThreads)
	}
	return nil
}
